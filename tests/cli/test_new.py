from __future__ import annotations

import datetime as dt
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from azcert._redact import Secret
from azcert.sources.openers.file import FileSource
from support.command import azcert

if TYPE_CHECKING:
    from pathlib import Path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_file_and_a_public_file_are_made(tmp_path: Path) -> None:
    done = azcert("new", "app", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert mode(tmp_path / "app.pem") == 0o600
    loaded = FileSource(tmp_path / "app.pem").load()
    public = x509.load_pem_x509_certificate((tmp_path / "app.cer").read_bytes())
    assert loaded.certificate.leaf == public
    assert b"PRIVATE" not in (tmp_path / "app.cer").read_bytes()
    assert done.stdout == f"{loaded.certificate.thumbprint}\n"
    assert loaded.certificate.subject == "CN=app"
    assert "app.cer" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.cer", "app.pem"]


def test_every_option_reaches_the_certificate(tmp_path: Path) -> None:
    (tmp_path / "certs").mkdir()
    done = azcert(
        *("new", "app", "--subject", "CN=app,O=Contoso", "--dns", "app.contoso.com", "--dns", "10.0.0.1"),
        *("--days", "90", "--bits", "3072", "--out", "certs", "--json"),
        folder=tmp_path,
    )
    told = json.loads(done.stdout)
    certificate = FileSource(tmp_path / told["source"]).load().certificate
    assert told["thumbprint"] == certificate.thumbprint
    assert certificate.subject == "CN=app,O=Contoso"
    assert certificate.key_size == 3072
    assert certificate.not_after - certificate.not_before == dt.timedelta(days=90)
    names = certificate.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["app.contoso.com"]
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("options", "file", "form"),
    [
        ((), "app.pem", "PKCS#8 key encrypted with AES-256"),
        (("--format", "pkcs12"), "app.pfx", "PKCS#12 (AES-256)"),
        (("--format", "pkcs12", "--legacy"), "app.pfx", "PKCS#12 (3DES)"),
    ],
)
def test_a_password_encrypts_the_key(tmp_path: Path, options: tuple[str, ...], file: str, form: str) -> None:
    password = "correct horse"
    done = azcert(
        *("new", "app", "--new-password-env", "APP_PASSWORD", *options),
        folder=tmp_path,
        environment={"APP_PASSWORD": password},
    )
    assert done.returncode == 0, done.stderr
    assert mode(tmp_path / file) == 0o600
    assert FileSource(tmp_path / file, password=Secret(password)).load().signer.protection == "encrypted"
    shown = azcert("show", tmp_path / file, "--password-env", "P", environment={"P": password})
    assert form in shown.stdout
    assert password not in done.stdout + done.stderr + shown.stdout + shown.stderr


@pytest.mark.parametrize("existing", ["app.pem", "app.cer"])
def test_nothing_is_overwritten_without_force(tmp_path: Path, existing: str) -> None:
    (tmp_path / existing).write_text("precious")
    refused = azcert("new", "app", folder=tmp_path)
    assert refused.returncode == 1
    assert existing in refused.stderr
    assert "--force" in refused.stderr
    assert [path.name for path in tmp_path.iterdir()] == [existing]
    assert (tmp_path / existing).read_text() == "precious"
    assert azcert("new", "app", "--force", folder=tmp_path).returncode == 0
    FileSource(tmp_path / "app.pem").load()


def test_force_closes_a_file_that_was_open(tmp_path: Path) -> None:
    (tmp_path / "app.pem").touch(0o666)
    azcert("new", "app", "--force", folder=tmp_path)
    assert mode(tmp_path / "app.pem") == 0o600


def test_of_two_at_once_one_makes_it_and_the_other_says_so(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: azcert("new", "app", folder=tmp_path), range(4)))
    made = [each for each in done if each.returncode == 0]
    assert len(made) == 1, [each.stderr for each in done]
    assert all("is already there" in each.stderr for each in done if each.returncode)
    loaded = FileSource(tmp_path / "app.pem").load()
    assert made[0].stdout.strip() == loaded.certificate.thumbprint
    assert x509.load_pem_x509_certificate((tmp_path / "app.cer").read_bytes()) == loaded.certificate.leaf


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("new",), "NAME"),
        (("new", "a/b"), "--out"),
        (("new", "app", "--out", "app.cer"), ".cer"),
        (("new", "app", "--legacy"), "--format pkcs12"),
        (("new", "app", "--bits", "1024"), "2048"),
        (("new", "app", "--days", "soon"), "soon"),
        (("new", "app", "--new-password", "secret"), "--new-password"),
        (("new", "app", "--encrypt"), "terminal"),
        (("new", "app", "--new-password-env", "A", "--new-password-fd", "3"), "exclude"),
        (("new", "app", "--new-password-fd", "three"), "three"),
    ],
)
def test_wrong_usage_is_two_and_names_what_is_wrong(
    tmp_path: Path, arguments: tuple[str, ...], word: str
) -> None:
    done = azcert(*arguments, folder=tmp_path)
    assert done.returncode == 2
    assert word in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--days", "0"), "0 days"),
        (("--subject", "O=Contoso,"), "subject"),
        (("--dns", "a b"), "a b"),
        (("--out", "no/such/app.pem"), "mkdir -p no/such"),
        (("--new-password-env", "NOT_SET"), "NOT_SET"),
        (("--new-password-file", "no-such-file"), "no-such-file"),
    ],
)
def test_a_failure_is_one_line_and_leaves_nothing(
    tmp_path: Path, arguments: tuple[str, ...], word: str
) -> None:
    done = azcert("new", "app", *arguments, folder=tmp_path)
    assert done.returncode == 1
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
