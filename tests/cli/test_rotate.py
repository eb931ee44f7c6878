"""``azcert rotate`` and ``needs-rotation``, as a timer runs them, against the emulator."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from azcert._redact import Secret
from azcert.certificate import formats
from azcert.certificate.model import Certificate
from azcert.emulator.ready_made import CLIENT_ID, OBJECT_ID
from azcert.sources.open import open_source
from support.command import azcert_here as azcert
from support.emulated import certificate, rsa_key
from support.rotating import register, registered, sign_in
from support.terminal import at_a_terminal

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

STEPS = ["make", "register", "prove", "switch", "wait", "retire"]


@pytest.fixture
def source(azcert_environment: AzcertEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AZCERT_STATE", str(tmp_path / "state"))
    path = tmp_path / "app.pem"
    shutil.copy(azcert_environment.certificate_path, path)
    path.chmod(0o600)
    return path


def thumbprint(source: Path) -> str:
    return open_source(source).load().certificate.thumbprint


def forbid(emulator: AzcertEmulator) -> None:
    """Take the app's Graph permissions away."""
    app = emulator.world.documents.get("app", CLIENT_ID)
    assert app is not None
    emulator.world.documents.put("app", CLIENT_ID, {**app, "grantedRoles": {}})


def test_a_young_certificate_is_left_alone(source: Path) -> None:
    before = thumbprint(source)
    assert azcert("needs-rotation", source).returncode == 1
    done = azcert("rotate", source, "--object-id", OBJECT_ID)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert thumbprint(source) == before


def test_an_old_certificate_is_due_and_replaced(
    azcert_environment: AzcertEmulator, source: Path, tmp_path: Path
) -> None:
    due = azcert("needs-rotation", source, "--share", "0", "--json")
    assert due.returncode == 0
    assert json.loads(due.stdout)["thumbprint"] == thumbprint(source)
    before = thumbprint(source)
    begun = azcert("rotate", source, "--object-id", OBJECT_ID, "--share", "0", "--overlap", "1h")
    assert begun.returncode == 0, begun.stderr
    assert "Run it again when the overlap has passed." in begun.stderr
    assert registered(azcert_environment) == {before, thumbprint(source)}
    begun = azcert("needs-rotation", source)
    assert (begun.returncode, begun.stderr) == (0, "Its rotation has begun.\n"), "it is to be ended"
    ended = azcert("rotate", source, "--object-id", OBJECT_ID, "--overlap", "0s")
    assert ended.returncode == 0, ended.stderr
    assert registered(azcert_environment) == {thumbprint(source)}
    assert thumbprint(source) != before
    assert azcert("needs-rotation", source).returncode == 1
    sign_in(azcert_environment, str(source))


def test_a_password_that_is_asked_for_is_the_successor_s_as_well(
    azcert_environment: AzcertEmulator, source: Path, tmp_path: Path
) -> None:
    pfx = tmp_path / "app.pfx"
    word = {"AZURE_CLIENT_CERTIFICATE_PASSWORD": "correct horse"}
    made = azcert("convert", source, pfx, "--new-password-env", next(iter(word)), environment=word)
    assert made.returncode == 0, made.stderr
    rotate = ("rotate", str(pfx), "--object-id", OBJECT_ID, "--force", "--overlap", "0s")
    code, said = at_a_terminal([sys.executable, "-m", "azcert", *rotate], "correct horse")
    assert code == 0, said
    assert said.count("Password of") == 1
    assert formats.load(pfx.read_bytes(), password=Secret("correct horse"), name="app.pfx").encrypted
    assert azcert("needs-rotation", pfx).returncode == 2
    assert azcert("needs-rotation", pfx, environment=word).returncode == 1


def test_a_plan_is_printed_and_nothing_is_done(azcert_environment: AzcertEmulator, source: Path) -> None:
    before = thumbprint(source)
    done = azcert("rotate", source, "--object-id", OBJECT_ID, "--force", "--dry-run")
    assert [line.split()[0] for line in done.stdout.splitlines()] == STEPS
    assert thumbprint(source) == before
    assert registered(azcert_environment) == {before}


def test_an_app_without_permissions_rotates_itself_and_cleans_up_from_the_second_time_on(
    azcert_environment: AzcertEmulator, source: Path
) -> None:
    forbid(azcert_environment)
    known = {thumbprint(source)}
    rotate = ("rotate", source, "--object-id", OBJECT_ID, "--force", "--overlap", "0s")
    first = azcert(*rotate)
    assert first.returncode == 0, first.stderr
    assert f"azcert app remove-certificate {CLIENT_ID} {next(iter(known))}" in first.stderr
    assert registered(azcert_environment) == known | {thumbprint(source)}
    second = azcert(*rotate)
    assert second.returncode == 0, second.stderr
    assert "remove-certificate" not in second.stderr
    assert registered(azcert_environment) == known | {thumbprint(source)}


def test_another_identity_may_change_the_application(
    azcert_environment: AzcertEmulator, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # azure-identity's EnvironmentCredential is who is signed in here: a certificate with Graph permissions.
    monkeypatch.setenv("AZURE_CLIENT_CERTIFICATE_PATH", str(azcert_environment.certificate_path))
    assert azcert("new", "billing", "--out", tmp_path).returncode == 0
    made = azcert("app", "create", "billing", "--add", tmp_path / "billing.pem")
    client_id = made.stdout.strip()
    before = thumbprint(tmp_path / "billing.pem")
    monkeypatch.setenv("AZCERT_STATE", str(tmp_path / "other"))
    command = ("rotate", tmp_path / "billing.pem", "--client-id", client_id, "--by-directory")
    done = azcert(*command, "--force", "--overlap", "0s")
    assert done.returncode == 0, done.stderr
    app = azcert_environment.world.documents.get("app", client_id)
    assert app is not None
    (key,) = app["keyCredentials"]
    assert key["customKeyIdentifier"] == thumbprint(tmp_path / "billing.pem") != before


def test_an_issued_certificate_is_not_replaced_by_a_self_signed_one(
    azcert_environment: AzcertEmulator, source: Path, tmp_path: Path
) -> None:
    root = certificate(rsa_key(1), name="root", ca=True)
    leaf = certificate(rsa_key(0), name="app", issuer=(root, rsa_key(1)))
    register(azcert_environment, Certificate(leaf))
    key = rsa_key(0).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    source.write_bytes(key + leaf.public_bytes(Encoding.PEM))
    done = azcert("rotate", source, "--object-id", OBJECT_ID, "--force")
    assert done.returncode == 1
    assert "was issued by CN=root" in done.stderr
    assert f"azcert rotate {source} --csr FILE" in done.stderr
    assert registered(azcert_environment) == {thumbprint(source)}


def test_who_changes_the_application_must_be_said(source: Path) -> None:
    for options in ((), ("--object-id", OBJECT_ID, "--by-directory")):
        done = azcert("rotate", source, *options)
        assert done.returncode == 2
        assert "Say who changes the application" in done.stderr


def test_a_source_that_cannot_be_read_needs_no_rotation(tmp_path: Path) -> None:
    done = azcert("needs-rotation", tmp_path / "none.pem")
    assert done.returncode == 2, "which is no answer"
    assert "There is no file" in done.stderr
