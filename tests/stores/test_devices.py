"""Certificates of the store whose keys are in devices: a real SoftHSM and a real swtpm."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from azcert.certificate.proof import holds
from azcert.certificate.signer import Algorithm
from azcert.errors import AccessError, CertificateError
from azcert.sources.open import open_source
from azcert.stores.directory.store import DirectoryStore
from support.command import azcert
from support.devices import pin_file, softhsm, swtpm
from support.stored import MY

if TYPE_CHECKING:
    from pathlib import Path

    from support.softhsm import SoftHsm
    from support.swtpm import Swtpm

__all__ = ["pin_file", "softhsm", "swtpm"]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryStore:
    monkeypatch.setenv("AZCERT_STORE_ROOT", str(tmp_path / "stores"))
    return DirectoryStore(MY)


def run(*arguments: str | Path, folder: Path) -> str:
    done = azcert(*arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_key_imported_into_a_token_signs_there_and_is_nowhere_else(
    tmp_path: Path, store: DirectoryStore, softhsm: SoftHsm, pin_file: Path
) -> None:
    run("new", "hsm-app", folder=tmp_path)
    uri = softhsm.uri("prod", "store-import", pin_file=pin_file)
    thumbprint = run("import", "hsm-app.pem", "--protect", uri, folder=tmp_path)
    (entry,) = store.entries()
    assert (entry.thumbprint, entry.protection, entry.exportable) == (thumbprint, "pkcs11", False)
    assert not list(store.folder.glob("*.key"))
    assert "store-import" in softhsm.run_tool("--token-label", "prod", "--list-objects", "--type", "privkey")

    loaded = open_source("store:CurrentUser/My?subject=hsm-app").load()
    assert loaded.certificate.thumbprint == thumbprint
    assert loaded.signer.protection == "pkcs11"
    assert loaded.signer.sign(b"data", Algorithm.PS256)
    loaded.signer.close()
    listed = json.loads(run("list", "--json", folder=tmp_path))
    assert listed[0]["key_source"].startswith("pkcs11:")
    assert str(pin_file.read_text().strip()) not in json.dumps(listed)
    refused = azcert("export", thumbprint, "--private", "--out", tmp_path / "no.pem", folder=tmp_path)
    assert refused.returncode == 1
    assert "not imported as exportable" in refused.stderr


def test_a_certificate_is_put_beside_a_key_that_a_tpm_has(
    tmp_path: Path, store: DirectoryStore, swtpm: Swtpm
) -> None:
    uri = f"tpm:key.pem?tcti={swtpm.tcti}"
    run("new", "tpm-app", "--key", uri, folder=tmp_path)
    thumbprint = run("import", "tpm-app.cer", "--protect", uri, folder=tmp_path)
    (entry,) = store.entries()
    assert (entry.thumbprint, entry.protection) == (thumbprint, "tpm")
    assert str(tmp_path / "key.pem") in (entry.source or ""), "found from every folder"
    source = open_source("store:CurrentUser/My?subject=tpm-app")
    assert source.blocking
    loaded = source.load()
    assert loaded.signer.protection == "tpm"
    assert loaded.signer.sign(b"data", Algorithm.RS256)
    loaded.signer.close()
    source.close()


def test_a_certificate_of_another_key_is_refused(tmp_path: Path, store: DirectoryStore, swtpm: Swtpm) -> None:
    uri = f"tpm:key.pem?tcti={swtpm.tcti}"
    run("new", "tpm-app", "--key", uri, folder=tmp_path)
    run("new", "other", folder=tmp_path)
    refused = azcert("import", "other.cer", "--protect", uri, folder=tmp_path)
    assert refused.returncode == 1
    assert "belongs to none of the certificates" in refused.stderr
    assert store.entries() == []


def test_a_device_that_has_another_key_by_now_is_found_out(
    tmp_path: Path, store: DirectoryStore, swtpm: Swtpm
) -> None:
    uri = f"tpm:key.pem?tcti={swtpm.tcti}"
    run("new", "tpm-app", "--key", uri, folder=tmp_path)
    run("import", "tpm-app.cer", "--protect", uri, folder=tmp_path)
    (tmp_path / "key.pem").unlink()
    (tmp_path / "tpm-app.cer").unlink()
    run("new", "tpm-app", "--key", uri, folder=tmp_path)
    with pytest.raises(CertificateError) as caught:
        open_source("store:CurrentUser/My?subject=tpm-app").load()
    assert caught.value.code == "key-mismatch"


@pytest.mark.parametrize("password", [None, "correct horse"])
def test_a_key_imported_into_a_tpm_signs_there_and_is_nowhere_else(
    tmp_path: Path, store: DirectoryStore, swtpm: Swtpm, password: str | None
) -> None:
    run("new", "tpm-app", folder=tmp_path)
    uri = f"tpm:key.tss?tcti={swtpm.tcti}"
    if password is not None:
        (tmp_path / "password").write_text(password)
        uri += "&password-file=password"
    thumbprint = run("import", "tpm-app.pem", "--protect", uri, folder=tmp_path)
    (entry,) = store.entries()
    assert (entry.thumbprint, entry.protection, entry.exportable) == (thumbprint, "tpm", False)
    assert not list(store.folder.glob("*.key"))
    key_file = tmp_path / "key.tss"
    assert key_file.stat().st_mode & 0o777 == 0o600
    assert "BEGIN PRIVATE KEY" not in key_file.read_text()
    (tmp_path / "tpm-app.pem").unlink()
    loaded = open_source("store:CurrentUser/My?subject=tpm-app").load()
    signature = loaded.signer.sign(b"data", Algorithm.PS256)
    assert holds(loaded.signer.public_key(), b"data", signature, Algorithm.PS256)
    assert swtpm.transient_objects() == 0
    if password is not None:
        bare = f"tpm:{key_file}?tcti={swtpm.tcti}"
        with pytest.raises(AccessError) as caught:
            open_source(bare).load()
        assert caught.value.code == "password-missing"


def test_a_key_is_not_imported_over_another_ones_file(
    tmp_path: Path, store: DirectoryStore, swtpm: Swtpm
) -> None:
    run("new", "tpm-app", folder=tmp_path)
    (tmp_path / "key.tss").write_text("something of another's")
    refused = azcert("import", "tpm-app.pem", "--protect", f"tpm:key.tss?tcti={swtpm.tcti}", folder=tmp_path)
    assert refused.returncode == 1
    assert "already there" in refused.stderr
    handle = azcert("import", "tpm-app.pem", "--protect", "tpm:handle=0x81000001", folder=tmp_path)
    assert handle.returncode == 1
    assert "tpm2_evictcontrol" in handle.stderr
    assert store.entries() == []
