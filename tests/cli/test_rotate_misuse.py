"""What goes wrong with ``azcert rotate``: it is said before anything is done, and nothing is left behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from azcert.emulator.ready_made import CLIENT_ID, OBJECT_ID
from support.command import azcert_here as azcert
from support.rotating import registered, sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

NOBODY = 65534
# root as any other user: the rights by which it may write and give away what is not its own are taken away.
_RIGHTS = "-dac_override,-dac_read_search,-fowner,-chown"


@pytest.fixture
def source(azcert_environment: AzcertEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AZCERT_STATE", str(tmp_path / "state"))
    (tmp_path / "place").mkdir()
    path = tmp_path / "place" / "app.pem"
    shutil.copy(azcert_environment.certificate_path, path)
    path.chmod(0o600)
    return path


def rotate_without_rights(source: Path) -> str:
    """Rotate as one who may write what is their own; return what is said on the failure."""
    done = subprocess.run(
        [
            *("setpriv", f"--bounding-set={_RIGHTS}", f"--inh-caps={_RIGHTS}"),
            *(sys.executable, "-m", "azcert", "rotate", source, "--object-id", OBJECT_ID, "--force"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    return done.stderr


def nothing_was_done(emulator: AzcertEmulator, source: Path, before: bytes) -> bool:
    state = source.parent.parent / "state"
    left = [path.name for path in source.parent.iterdir()] + [path.suffix for path in state.iterdir()]
    sign_in(emulator, str(source))
    return left == ["app.pem", ".lock"] and source.read_bytes() == before and len(registered(emulator)) == 1


def test_a_file_of_another_user_is_not_taken_from_them(
    azcert_environment: AzcertEmulator, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = source.read_bytes()
    os.chown(source, NOBODY, 0)
    source.chmod(0o640)
    said = rotate_without_rights(source)
    assert f"{source} is owned by nobody, and what replaces it could not be" in said
    assert "Rotate it as nobody or as root." in said
    assert "make:" not in said
    monkeypatch.setenv("AZCERT_ALLOW_OPEN_KEY_FILES", "true")
    assert nothing_was_done(azcert_environment, source, before)


def test_a_folder_that_cannot_be_written_is_found_out_at_once(
    azcert_environment: AzcertEmulator, source: Path
) -> None:
    before = source.read_bytes()
    os.chown(source.parent, NOBODY, 0)
    source.parent.chmod(0o755)
    said = rotate_without_rights(source)
    assert f"{source}.next cannot be written: Permission denied." in said
    assert "make:" not in said
    assert nothing_was_done(azcert_environment, source, before)


def test_a_state_folder_that_cannot_be_made_is_named(source: Path) -> None:
    done = azcert("rotate", source, "--object-id", OBJECT_ID, "--state", source / "state")
    assert done.returncode == 1
    assert f"The record of the rotation cannot be kept in {source / 'state'}: Not a directory." in done.stderr
    assert "--state FOLDER" in done.stderr


def test_an_id_that_is_none_or_another_one_is_told_apart(
    azcert_environment: AzcertEmulator, source: Path
) -> None:
    before = source.read_bytes()
    for given, found in (("billing", "is no object id"), (CLIENT_ID, "is not the client id")):
        done = azcert("rotate", source, "--object-id", given)
        assert done.returncode == 2
        assert found in done.stderr
    for blind in (False, True):
        if blind:
            app = azcert_environment.world.documents.get("app", CLIENT_ID)
            assert app is not None
            azcert_environment.world.documents.put("app", CLIENT_ID, {**app, "grantedRoles": {}})
        done = azcert("rotate", source, "--object-id", f"{'1' * 8}{OBJECT_ID[8:]}", "--force")
        assert done.returncode == 1
        assert "neither the client id nor that of the enterprise application" in done.stderr
        if blind:
            azcert("rotate", source, "--object-id", OBJECT_ID, "--abort")
        assert nothing_was_done(azcert_environment, source, before)


def test_the_certificate_is_named_once(source: Path) -> None:
    done = azcert("rotate", source, "--object-id", OBJECT_ID, "--certificate", source)
    assert done.returncode == 2
    assert "SOURCE is the certificate" in done.stderr


def test_a_password_is_not_taken_from_the_command_line(source: Path) -> None:
    done = azcert("rotate", source, "--object-id", OBJECT_ID, "--lease", "rediss://:word@redis.contoso.com")
    assert done.returncode == 2
    assert "AZCERT_LEASE" in done.stderr
    assert "word@" not in done.stderr
    variable = {"AZCERT_LEASE": "redis://:word@127.0.0.1:1"}
    done = azcert("rotate", source, "--object-id", OBJECT_ID, "--force", environment=variable)
    assert done.returncode == 1
    assert "The lease between hosts at redis://127.0.0.1:1 cannot be had" in done.stderr
