from __future__ import annotations

import datetime as dt
import json
import sys
from typing import TYPE_CHECKING

import pytest

from corpus.containers import pfx
from corpus.material import PASSWORD, Material, certificate_pem, key_pem
from support.command import azcert
from support.terminal import at_a_terminal

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def material() -> Material:
    """The command judges by today's clock."""
    return Material(dt.datetime.now(dt.UTC).replace(microsecond=0))


@pytest.fixture
def app(tmp_path: Path, material: Material) -> Path:
    path = tmp_path / "app.pem"
    issuers = certificate_pem(material.root, material.issuing)
    path.write_bytes(issuers + certificate_pem(material.leaf, material.other) + key_pem(material.key))
    path.chmod(0o600)
    return path


def encrypted(path: Path, material: Material) -> Path:
    path.write_bytes(pfx(material.key, material.leaf, [material.issuing], PASSWORD))
    path.chmod(0o600)
    return path


def thumbprint(path: Path) -> str:
    return str(json.loads(azcert("show", path, "--json").stdout)["thumbprint"])


def test_everything_worth_knowing_is_shown(app: Path) -> None:
    done = azcert("show", app)
    assert done.returncode == 0, done.stderr
    for fact in (
        "PEM, PKCS#8 key",
        "CN=app",
        "CN=Contoso Issuing",
        "RSA 2048 bits",
        "299 days left",
        "here, belongs to the certificate",
        thumbprint(app),
    ):
        assert fact in done.stdout
    lines = done.stdout.splitlines()
    assert [line.split()[:4] for line in lines if line.startswith("chain")] == [
        ["chain", "1", "CN=Contoso", "Issuing"],
        ["chain", "2", "CN=Contoso", "Root"],
    ]
    assert any(line.startswith("also in it") and "CN=other" in line for line in lines)
    assert "PRIVATE" not in done.stdout


def test_json_has_the_same_facts_for_scripts(app: Path) -> None:
    told = json.loads(azcert("show", app, "--json").stdout)
    assert told["fit"] is True
    assert told["findings"] == []
    assert [each["subject"] for each in told["chain"]] == ["CN=Contoso Issuing", "CN=Contoso Root"]
    assert [each["subject"] for each in told["extras"]] == ["CN=other"]
    assert len(told["thumbprint"]) == 40
    assert len(told["thumbprint_sha256"]) == 64
    assert dt.datetime.fromisoformat(told["not_after"]).tzinfo is not None


def test_openssl_computes_the_same_thumbprint(app: Path, material: Material) -> None:
    from corpus.containers import openssl

    printed = openssl(
        *("x509", "-in", "leaf", "-noout", "-fingerprint", "-sha1", "-out", "out"),
        leaf=certificate_pem(material.leaf),
    )
    assert printed.decode().strip().partition("=")[2].replace(":", "") == thumbprint(app)


@pytest.mark.parametrize("origin", ["env", "file", "fd"])
def test_the_password_comes_from_where_it_is_named(tmp_path: Path, material: Material, origin: str) -> None:
    path = encrypted(tmp_path / "app.pfx", material)
    (tmp_path / "password.txt").write_text(PASSWORD + "\n")
    name = {"env": "APP_PASSWORD", "file": str(tmp_path / "password.txt"), "fd": "0"}[origin]
    done = azcert(
        *("show", path, f"--password-{origin}", name),
        environment={"APP_PASSWORD": PASSWORD},
        stdin=PASSWORD + "\n",
    )
    assert done.returncode == 0, done.stderr
    assert "PKCS#12 (AES-256)" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr


def test_a_person_at_a_terminal_is_asked_for_the_password(tmp_path: Path, material: Material) -> None:
    path = encrypted(tmp_path / "app.pfx", material)
    code, said = at_a_terminal([sys.executable, "-m", "azcert", "show", str(path)], PASSWORD)
    assert code == 0, said
    assert f"Password of {path}:" in said
    assert "CN=app" in said
    assert PASSWORD not in said


def test_standard_input_is_read_where_there_is_no_file(app: Path) -> None:
    done = azcert("show", "-", stdin=app.read_text())
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("file           standard input: PEM")


def test_the_public_part_alone_is_fit_for_upload(tmp_path: Path, material: Material) -> None:
    path = tmp_path / "app.cer"
    path.write_bytes(certificate_pem(material.leaf))
    done = azcert("show", path)
    assert done.returncode == 0
    assert "not in this file" in done.stdout


@pytest.mark.parametrize(
    ("name", "code"), [("expired", "expired"), ("short", "key-too-short"), ("ec", "not-rsa")]
)
def test_what_entra_would_refuse_is_shown_and_fails(
    tmp_path: Path, material: Material, name: str, code: str
) -> None:
    path = tmp_path / "bad.cer"
    path.write_bytes(certificate_pem(getattr(material, name)))
    done = azcert("show", path)
    assert done.returncode == 1
    assert f"CN={name}" in done.stdout
    assert done.stderr.startswith("error: ")
    told = json.loads(azcert("show", path, "--json").stdout)
    assert told["fit"] is False
    assert [each["code"] for each in told["findings"]] == [code]


def test_an_open_key_file_is_shown_and_fails(app: Path) -> None:
    app.chmod(0o644)
    done = azcert("show", app)
    assert done.returncode == 1
    assert "CN=app" in done.stdout
    assert f"chmod 600 {app}" in done.stderr


def test_a_file_that_cannot_be_read_is_one_line_or_one_document(tmp_path: Path) -> None:
    done = azcert("show", tmp_path / "no.pem")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no.pem" in done.stderr
    assert "Traceback" not in done.stderr
    in_json = azcert("show", tmp_path, "--json")
    assert in_json.returncode == 1
    assert json.loads(in_json.stdout)["error"]["code"] == "is-a-directory"


def test_a_missing_file_argument_is_wrong_usage() -> None:
    assert azcert("show").returncode == 2
