"""``azcert rotate --csr`` and ``--accept``: the next certificate from an authority, asked for by a person."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from azcert.certificate import writers
from azcert.certificate.model import Certificate
from azcert.emulator.ready_made import OBJECT_ID
from azcert.sources.open import open_source
from support.authority import Authority
from support.command import azcert_here as azcert
from support.emulated import certificate, rsa_key
from support.rotating import register, registered, sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

OWN = ("--object-id", OBJECT_ID, "--overlap", "0s")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def source(
    azcert_environment: AzcertEmulator, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("AZCERT_STATE", str(tmp_path / "state"))
    old = Certificate(certificate(rsa_key(0), issuer=authority.signs), (authority.issuing, authority.root))
    path = tmp_path / "app.pem"
    path.touch(0o600)
    path.write_bytes(writers.pem(rsa_key(0), old))
    register(azcert_environment, old)
    return path


def test_a_request_is_written_answered_and_accepted(
    azcert_environment: AzcertEmulator, authority: Authority, source: Path, tmp_path: Path
) -> None:
    request = tmp_path / "next.csr"
    early = azcert("rotate", source, *OWN, "--csr", request)
    assert (early.returncode, early.stdout) == (0, "")
    assert early.stderr.startswith("Not due until 20")
    assert not request.exists()
    plan = azcert("rotate", source, *OWN, "--csr", request, "--force", "--dry-run")
    steps = [line.split()[0] for line in plan.stdout.splitlines()]
    assert steps == ["request", "answer", "register", "prove", "switch", "wait", "retire"]
    assert not request.exists()

    asked = azcert("rotate", source, *OWN, "--csr", request, "--force")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout == f"{request}\n"
    assert f"Send {request} to the authority" in asked.stderr
    assert "--accept" in asked.stderr
    checked = subprocess.run(
        ["openssl", "req", "-in", request, "-noout", "-verify", "-subject"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "CN = app" in checked.stdout

    request.write_bytes(request.read_bytes() + b"spoilt")
    shown = azcert("rotate", source, *OWN, "--csr", "-")
    again = azcert("rotate", source, *OWN, "--csr", request)
    assert again.returncode == 0, again.stderr
    assert shown.stdout == request.read_text()
    waiting = azcert("rotate", source, *OWN, "--json")
    assert waiting.returncode == 0
    assert json.loads(waiting.stdout)["step"] == "answer"
    assert "answer: wait for the certificate from the authority" in waiting.stderr
    assert "--csr FILE writes the request again" in waiting.stderr

    answer = authority.answer(request)
    plan = azcert("rotate", source, *OWN, "--accept", answer, "--dry-run")
    assert plan.stdout.startswith("register")
    accepted = azcert("rotate", source, *OWN, "--accept", answer, "--json")
    assert accepted.returncode == 0, accepted.stderr
    assert json.loads(accepted.stdout)["step"] == "done"
    used = open_source(source).load().certificate
    assert registered(azcert_environment) == {used.thumbprint}
    assert used.chain == (authority.issuing, authority.root)
    sign_in(azcert_environment, str(source))


def test_an_earlier_request_is_overwritten_and_nothing_else_is(source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()
    refused = azcert("rotate", source, *OWN, "--csr", source, "--force")
    assert refused.returncode == 1
    assert f"{source} is already there" in refused.stderr
    assert source.read_bytes() == before
    nowhere = azcert("rotate", source, *OWN, "--csr", tmp_path / "none" / "next.csr", "--force")
    assert nowhere.returncode == 1
    assert "There is no folder" in nowhere.stderr
    assert not source.with_name("app.pem.next").exists(), "it was known before a key was made"
    request = tmp_path / "next.csr"
    last_year = "-----BEGIN CERTIFICATE REQUEST-----\nMA==\n-----END CERTIFICATE REQUEST-----\n"
    request.write_text(last_year)
    asked = azcert("rotate", source, *OWN, "--csr", request, "--force")
    assert asked.returncode == 0, asked.stderr
    assert request.read_text() != last_year
    assert request.stat().st_mode & 0o777 == 0o644
    undone = azcert("rotate", source, *OWN, "--abort")
    assert (undone.returncode, undone.stderr) == (0, "Undone.\n")
    assert not source.with_name("app.pem.next").exists()


def test_what_cannot_be_asked_at_once_is_refused(source: Path, tmp_path: Path) -> None:
    for more, found in ((("--accept", source), "--accept"), (("--days", "9"), "--days")):
        done = azcert("rotate", source, *OWN, "--csr", tmp_path / "next.csr", *more)
        assert done.returncode == 2
        assert f"without {found}" in done.stderr
    unasked = azcert("rotate", source, *OWN, "--accept", tmp_path / "authority" / "root.pem")
    assert unasked.returncode == 1
    assert "No rotation of" in unasked.stderr
    missing = azcert("rotate", source, *OWN, "--accept", tmp_path / "answer.pem")
    assert missing.returncode == 1
    assert "There is no file" in missing.stderr
