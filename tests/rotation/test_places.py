"""What a rotation keeps of a place: who may read it, how it is linked; and what it takes away again."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from azcert.certificate import formats
from azcert.rotation.plan import Step
from azcert.sources.open import open_source
from azcert.stores.directory import grants
from azcert.stores.directory.grants import Grantee
from azcert.stores.directory.store import DirectoryStore
from azcert.stores.names import Location, StoreName
from support.rotating import make_certificate, register, registered, rotation, sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator
    from support.softhsm import SoftHsm

READER = Grantee("user", 54321)


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


@pytest.fixture
def source(azcert_environment: AzcertEmulator, tmp_path: Path) -> Path:
    path = tmp_path / "app.pem"
    shutil.copy(azcert_environment.certificate_path, path)
    path.chmod(0o600)
    return path


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_who_could_read_the_file_can_read_its_successor(
    azcert_environment: AzcertEmulator, source: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grants.grant(source, READER)
    before = source.stat()
    rights = os.getxattr(source, "system.posix_acl_access")
    # A key that another user may read is refused to its owner unless that is said to be meant.
    monkeypatch.setenv("AZCERT_ALLOW_OPEN_KEY_FILES", "true")
    assert rotation(azcert_environment, str(source), work).run(force=True) is Step.DONE
    after = source.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino
    assert os.getxattr(source, "system.posix_acl_access") == rights


def test_a_password_that_the_file_does_not_need_does_not_encrypt_its_successor(
    azcert_environment: AzcertEmulator, source: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORD", "for another one")
    name = f"file:{source}?password-env=WORD"
    assert rotation(azcert_environment, name, work).run(force=True) is Step.DONE
    monkeypatch.delenv("WORD")
    sign_in(azcert_environment, str(source))


def test_half_written_keys_of_killed_runs_are_removed(
    azcert_environment: AzcertEmulator, source: Path, work: Path
) -> None:
    half = source.with_name(".app.pem.next.0123456789ab.new")
    another = source.with_name(".app.pem.0123456789ab.new")
    for path in (half, another):
        path.write_text("-----BEGIN PRIVATE KEY-----")
    assert rotation(azcert_environment, str(source), work).run(force=True) is Step.DONE
    assert not half.exists()
    assert another.exists(), "which may be somebody else's"


def test_a_link_stays_a_link(azcert_environment: AzcertEmulator, source: Path, work: Path) -> None:
    link = work / "current.pem"
    link.symlink_to(source)
    assert rotation(azcert_environment, str(link), work).run(force=True) is Step.DONE
    assert link.is_symlink()
    assert registered(azcert_environment) == {open_source(str(source)).load().certificate.thumbprint}


def test_who_may_use_a_key_of_a_store_may_use_its_successor_from_its_first_moment(
    azcert_environment: AzcertEmulator, tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZCERT_STORE_ROOT", str(tmp_path / "stores"))
    store = DirectoryStore(StoreName(Location.LOCAL_MACHINE, "My"))
    old = make_certificate(str(tmp_path / "app.key.pem"))
    key = formats.load((tmp_path / "app.pem").read_bytes(), name="app.pem").key
    assert isinstance(key, RSAPrivateKey)
    grants.grant(store.key_path(store.add(old, key)), READER)
    register(azcert_environment, old)

    def told(step: Step) -> None:
        if step is Step.RETIRE:
            raise Killed

    name = "store:LocalMachine/My?subject=app"
    with pytest.raises(Killed):
        rotation(azcert_environment, name, work, told=told).run(force=True)
    assert len(store.entries()) == 2
    assert all(READER in grants.grants(store.key_path(entry)) for entry in store.entries())
    assert rotation(azcert_environment, name, work).run() is Step.DONE
    (left,) = store.entries()
    assert left.thumbprint != old.thumbprint
    assert registered(azcert_environment) == {left.thumbprint}
    sign_in(azcert_environment, name)


def test_an_abort_takes_the_new_key_out_of_the_token(
    azcert_environment: AzcertEmulator, softhsm: SoftHsm, pin_file: Path, work: Path
) -> None:
    name = softhsm.uri("spare", "undone", pin_file=pin_file)
    old = make_certificate(name)
    register(azcert_environment, old)

    def told(step: Step) -> None:
        if step is Step.SWITCH:
            raise Killed

    def objects() -> int:
        return softhsm.run_tool("--token-label", "spare", "--list-objects").count("undone")

    assert objects() == 3
    with pytest.raises(Killed):
        rotation(azcert_environment, name, work, told=told).run(force=True)
    assert objects() == 5
    assert rotation(azcert_environment, name, work).abort() is True
    assert objects() == 3
    assert registered(azcert_environment) == {old.thumbprint}
    sign_in(azcert_environment, name)


def test_a_certificate_of_this_very_second_is_followed_by_a_newer_one(
    azcert_environment: AzcertEmulator, tmp_path: Path, work: Path
) -> None:
    """OpenSSL's begin now, azcert's ten minutes ago: the successor must still be the newest."""
    path = tmp_path / "app.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=app", "-days", "90"),
            *("-keyout", path, "-out", tmp_path / "app.cer"),
        ],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + (tmp_path / "app.cer").read_bytes())
    path.chmod(0o600)
    old = open_source(str(path)).load().certificate
    register(azcert_environment, old)
    assert rotation(azcert_environment, str(path), work).run(force=True) is Step.DONE
    new = open_source(str(path)).load().certificate
    assert new.not_before > old.not_before
    sign_in(azcert_environment, str(path))
