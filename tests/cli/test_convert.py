from __future__ import annotations

import base64
import datetime as dt
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azcert._redact import Secret
from azcert.certificate import formats, writers
from azcert.certificate.chain import leaf_without_key, pair, spki_of, with_chain
from azcert.certificate.model import Certificate
from azcert.cli.convert import FORMS, _written, _written_key
from corpus.material import PASSWORD, Material, certificate_pem, key_pem
from support.certificates import NOW
from support.certificates import material as shared
from support.command import azcert

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def material() -> Material:
    return Material(dt.datetime.now(dt.UTC).replace(microsecond=0))


@pytest.fixture
def app(tmp_path: Path, material: Material) -> Path:
    path = tmp_path / "app.pem"
    path.write_bytes(key_pem(material.key) + certificate_pem(material.leaf, material.issuing, material.root))
    path.chmod(0o600)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@settings(deadline=None, max_examples=60)
@given(
    form=st.sampled_from(sorted(FORMS)),
    password=st.one_of(st.none(), st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF), min_size=1)),
    issuers=st.integers(0, 2),
)
def test_every_form_reads_back_as_what_it_was_written_from(
    form: str, password: str | None, issuers: int
) -> None:
    m = shared()
    secret = Secret(password or PASSWORD) if password or form == "pkcs12-legacy" else None
    certificate = Certificate(m.leaf, (m.issuing, m.root)[:issuers])
    if form.startswith("key"):
        contents = formats.load(_written_key(form, m.key, secret), password=secret, name=form)
        assert [spki_of(each.public_key()) for each in contents.keys] == [certificate.spki]
        return
    contents = formats.load(_written(form, m.key, certificate, secret), password=secret, name=form)
    if form in {"cer", "der"}:
        assert contents.certificates == (m.leaf,)
        return
    paired = pair(contents, name=form, now=NOW)
    assert paired.certificate == certificate
    assert contents.encrypted == (secret is not None)


@pytest.mark.parametrize("form", ["pem", "pkcs12", "base64"])
def test_the_public_form_has_the_chain_and_no_key(app: Path, form: str, material: Material) -> None:
    target = app.with_name("out")
    done = azcert("convert", app, target, "--to", form, "--public")
    assert done.returncode == 0, done.stderr
    contents = formats.load(target.read_bytes(), name="out")
    assert contents.keys == ()
    leaf = leaf_without_key(contents.certificates, name="out")
    assert with_chain(leaf, contents.certificates)[0].chain == (material.issuing, material.root)
    assert mode(target) == 0o644


@pytest.mark.parametrize(
    ("file", "start", "permissions"),
    [
        ("a.pfx", b"0\x82", 0o600),
        ("a.p12", b"0\x82", 0o600),
        ("a.PEM", b"-----BEGIN PRIVATE KEY-----", 0o600),
        ("a.key", b"-----BEGIN PRIVATE KEY-----", 0o600),
        ("a.b64", b"MII", 0o600),
        ("a.cer", b"-----BEGIN CERTIFICATE-----", 0o644),
        ("a.der", b"0\x82", 0o644),
    ],
)
def test_the_suffix_decides_the_form(app: Path, file: str, start: bytes, permissions: int) -> None:
    target = app.with_name(file)
    assert azcert("convert", app, target).returncode == 0
    assert target.read_bytes().startswith(start)
    assert mode(target) == permissions


def test_openssl_reads_the_modern_and_the_legacy_container(app: Path) -> None:
    for form, cipher in (("pkcs12", "AES-256-CBC"), ("pkcs12-legacy", "pbeWithSHA1And3-KeyTripleDES-CBC")):
        target = app.with_name(f"{form}.pfx")
        azcert(
            *("convert", app, target, "--to", form, "--new-password-env", "P"), environment={"P": PASSWORD}
        )
        read = subprocess.run(
            ["openssl", "pkcs12", "-in", target, "-passin", f"pass:{PASSWORD}", "-noenc", "-info"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert cipher in read.stderr
        assert read.stdout.count("BEGIN CERTIFICATE") == 3


def test_base64_is_one_line_that_fits_a_variable(app: Path) -> None:
    target = app.with_name("app.b64")
    azcert("convert", app, target)
    text = target.read_text()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert base64.b64decode(text)[:1] == b"\x30"


def test_the_password_can_be_kept(app: Path) -> None:
    environment = {"P": PASSWORD}
    first, second = app.with_name("first.pfx"), app.with_name("second.pem")
    azcert("convert", app, first, "--new-password-env", "P", environment=environment)
    done = azcert("convert", first, second, "--password-env", "P", "--keep-password", environment=environment)
    assert done.returncode == 0, done.stderr
    assert "ENCRYPTED" in second.read_text()
    assert formats.load(second.read_bytes(), password=Secret(PASSWORD), name="second").encrypted


def test_leaving_a_key_unencrypted_is_said(app: Path) -> None:
    done = azcert("convert", app, app.with_name("app.pfx"))
    assert "not encrypted" in done.stderr
    assert done.stdout == ""


def test_nothing_is_overwritten_without_force_not_even_read(app: Path) -> None:
    target = app.with_name("there.pfx")
    target.write_text("precious")
    done = azcert("convert", app.with_name("not-there.pem"), target)
    assert done.returncode == 1
    assert "there.pfx is already there" in done.stderr
    assert target.read_text() == "precious"
    assert azcert("convert", app, target, "--force").returncode == 0
    assert azcert("convert", app, app, "--to", "pkcs12", "--force").returncode == 0
    assert formats.load(app.read_bytes(), name="app").form == "PKCS#12 (not encrypted)"


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("app.pem",), "OUT"),
        (("app.pem", "out"), "--to"),
        (("app.pem", "out", "--to", "jks"), "jks"),
        (("app.pem", "out.pem", "--keep-password", "--encrypt"), "exclude"),
        (("app.pem", "out.key", "--public"), "--public"),
        (("app.pem", "out.pfx", "--to", "pkcs12-legacy"), "terminal"),
    ],
)
def test_wrong_usage_is_two(app: Path, arguments: tuple[str, ...], word: str) -> None:
    done = azcert("convert", *arguments, folder=app.parent)
    assert done.returncode == 2
    assert word in done.stderr
    assert list(app.parent.iterdir()) == [app]


@pytest.mark.parametrize(
    ("source", "word"),
    [("certificate.cer", "--public"), ("key.pem", "no certificate"), ("missing.pem", "missing.pem")],
)
def test_what_cannot_be_converted_is_refused_and_leaves_nothing(
    tmp_path: Path, material: Material, source: str, word: str
) -> None:
    (tmp_path / "certificate.cer").write_bytes(certificate_pem(material.leaf))
    (tmp_path / "key.pem").write_bytes(key_pem(material.key))
    (tmp_path / "key.pem").chmod(0o600)
    done = azcert("convert", source, "out.pfx", folder=tmp_path)
    assert done.returncode == 1
    assert word in done.stderr
    assert not (tmp_path / "out.pfx").exists()


def test_a_key_without_certificate_changes_its_form(tmp_path: Path, material: Material) -> None:
    (tmp_path / "key.pem").write_bytes(key_pem(material.key))
    (tmp_path / "key.pem").chmod(0o600)
    done = azcert("convert", "key.pem", "key.der", "--to", "key-der", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    contents = formats.load((tmp_path / "key.der").read_bytes(), name="key.der")
    assert [spki_of(each.public_key()) for each in contents.keys] == [spki_of(material.key.public_key())]


def test_an_open_key_file_is_not_converted(app: Path) -> None:
    app.chmod(0o644)
    done = azcert("convert", app, app.with_name("out.pfx"))
    assert done.returncode == 1
    assert "chmod 600" in done.stderr


def test_a_full_disk_leaves_the_old_file(app: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.pfx"
    shutil.copy(app, target)
    before = target.read_bytes()
    command = [sys.executable, "-m", "azcert", "convert", str(app), str(target), "--force"]
    limited = subprocess.run(
        ["bash", "-c", 'ulimit -f 1; trap "" XFSZ; exec "$@"', "-", *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert limited.returncode == 1
    assert "cannot be written" in limited.stderr
    assert target.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["app.pem", "out.pfx"]


def test_a_legacy_container_without_password_is_refused_by_the_library() -> None:
    m = shared()
    with pytest.raises(ValueError, match="needs a password"):
        writers.pkcs12(m.key, Certificate(m.leaf), legacy=True)
