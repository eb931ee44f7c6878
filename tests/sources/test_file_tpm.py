"""A TPM key file is a certificate file like any other: the plain path is enough."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from azcert.certificate.proof import holds
from azcert.certificate.signer import Algorithm
from azcert.sources.openers.file import FileSource
from support.command import azcert
from support.devices import swtpm

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from support.swtpm import Swtpm

__all__ = ["swtpm"]


def test_a_key_file_of_a_tpm_is_read_by_its_path(
    swtpm: Swtpm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TPM2TOOLS_TCTI", swtpm.tcti)
    made = azcert("new", "app", "--key", f"tpm:{tmp_path}/app.tss", "--json", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    source = FileSource(tmp_path / "app.tss")
    assert source.blocking, "known before the TPM is waited for"
    loaded = source.load()
    assert loaded.signer.protection == "tpm"
    assert loaded.certificate.thumbprint == json.loads(made.stdout)["thumbprint"]
    signature = loaded.signer.sign(b"data", Algorithm.RS256)
    assert holds(loaded.signer.public_key(), b"data", signature, Algorithm.RS256)
    loaded.signer.close()
    shown = azcert("show", tmp_path / "app.tss")
    assert shown.returncode == 0, shown.stderr
    assert "in a TPM" in shown.stdout
