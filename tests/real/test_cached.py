"""Tokens sealed with a key that a device's signature gives: another process opens them, without a request."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from azcert.emulator.seed import register
from support.command import azcert

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

SCOPE = "https://vault.azure.net/.default"


@pytest.mark.parametrize("device", ["pkcs11", "tpm"])
def test_a_second_process_has_its_token_without_a_request(
    azcert_environment: AzcertEmulator,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
) -> None:
    if device == "pkcs11":
        pin_file = request.getfixturevalue("pin_file")
        key = request.getfixturevalue("softhsm").uri("prod", tmp_path.name, pin_file=pin_file)
    else:
        key = f"tpm:{tmp_path}/app.tss?tcti={request.getfixturevalue('swtpm').tcti}"
    made = azcert("new", "app", "--key", key, "--json", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    register(azcert_environment.world, azcert_environment.client_id, tmp_path / "app.cer")
    monkeypatch.setenv("AZCERT_TOKEN_CACHE", f"file:{tmp_path}/tokens")
    tokens = []
    for _ in range(2):
        done = azcert("token", "--scope", SCOPE, "--certificate", json.loads(made.stdout)["source"])
        assert (done.returncode, done.stderr) == (0, "")
        tokens.append(done.stdout)
    assert tokens[0] == tokens[1]
    assert len(azcert_environment.record) == 1
    (entry,) = [path for path in (tmp_path / "tokens").iterdir() if len(path.name) == 64]
    assert tokens[0].strip().encode() not in entry.read_bytes()
