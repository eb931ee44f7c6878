"""A request for a key in every place, answered by an authority, accepted beside the key, used to sign."""

from __future__ import annotations

import datetime as dt
import json
import stat
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7

from azcert._redact import Secret
from azcert.certificate.proof import holds
from azcert.sources.open import open_source
from corpus.containers import openssl
from corpus.material import PASSWORD, Material, certificate_pem, key_pem
from support.command import azcert
from support.devices import pin_file, softhsm, swtpm

if TYPE_CHECKING:
    from pathlib import Path

    from support.softhsm import SoftHsm
    from support.swtpm import Swtpm

__all__ = ["pin_file", "softhsm", "swtpm"]

PLACES = ["file", "pkcs11", "tpm"]


@pytest.fixture(scope="module")
def authority() -> Material:
    return Material(dt.datetime.now(dt.UTC).replace(microsecond=0))


@pytest.fixture
def key_uri(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The name of a place without a key; devices start only for the tests that use them."""
    if request.param == "pkcs11":
        token: SoftHsm = request.getfixturevalue("softhsm")
        return token.uri("prod", tmp_path.name, pin_file=request.getfixturevalue("pin_file"))
    if request.param == "tpm":
        device: Swtpm = request.getfixturevalue("swtpm")
        return f"tpm:{tmp_path}/app.tss?tcti={device.tcti.replace('=', '%3D').replace(',', '%2C')}"
    return str(tmp_path / "app.key.pem")


every_place = pytest.mark.parametrize("key_uri", PLACES, indirect=True)


def answered(authority: Material, request: bytes) -> x509.Certificate:
    """Return what an authority that copies name and extensions makes of a request."""
    asked = x509.load_pem_x509_csr(request)
    assert asked.is_signature_valid
    public_key = asked.public_key()
    assert isinstance(public_key, rsa.RSAPublicKey)
    builder = (
        x509.CertificateBuilder()
        .subject_name(asked.subject)
        .issuer_name(authority.issuing.subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(authority.now - dt.timedelta(days=1))
        .not_valid_after(authority.now + dt.timedelta(days=100))
    )
    for extension in asked.extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(authority.issuing_key, SHA256())


@every_place
def test_the_whole_way_from_request_to_signature(tmp_path: Path, key_uri: str, authority: Material) -> None:
    made = azcert("csr", "app", "--key", key_uri, "--dns", "app.contoso.com", "--json", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    told = json.loads(made.stdout)
    leaf = answered(authority, (tmp_path / "app.csr").read_bytes())
    chain = [authority.root, leaf, authority.issuing]
    (tmp_path / "answer.p7b").write_bytes(pkcs7.serialize_certificates(chain, Encoding.DER))
    done = azcert(
        *("accept", "answer.p7b", "--key", told["key"], "--public", "app.cer", "--json"), folder=tmp_path
    )
    assert done.returncode == 0, done.stderr
    accepted = json.loads(done.stdout)
    assert accepted["chain"] == ["CN=Contoso Issuing", "CN=Contoso Root"]
    loaded = open_source(accepted["source"]).load()
    try:
        assert loaded.certificate.leaf == leaf
        assert loaded.certificate.thumbprint == accepted["thumbprint"]
        algorithm = loaded.signer.algorithms[0]
        signature = loaded.signer.sign(b"data", algorithm)
        assert holds(loaded.signer.public_key(), b"data", signature, algorithm)
    finally:
        loaded.signer.close()
    assert x509.load_pem_x509_certificate((tmp_path / "app.cer").read_bytes()) == leaf


@every_place
def test_new_makes_key_and_certificate_in_the_place(tmp_path: Path, key_uri: str) -> None:
    done = azcert("new", "app", "--key", key_uri, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    loaded = open_source(told["source"]).load()
    assert loaded.certificate.thumbprint == told["thumbprint"]
    loaded.certificate.leaf.verify_directly_issued_by(loaded.certificate.leaf)
    loaded.signer.close()
    public = x509.load_pem_x509_certificate((tmp_path / "app.cer").read_bytes())
    assert public == loaded.certificate.leaf


@every_place
def test_the_answer_to_another_request_changes_nothing(
    tmp_path: Path, key_uri: str, authority: Material
) -> None:
    made = azcert("csr", "app", "--key", key_uri, "--json", folder=tmp_path)
    key = json.loads(made.stdout)["key"]
    (tmp_path / "answer.cer").write_bytes(certificate_pem(authority.leaf))
    before = contents(tmp_path)
    done = azcert("accept", "answer.cer", "--key", key, folder=tmp_path)
    assert done.returncode == 1
    assert "CN=app" in done.stderr
    assert "Traceback" not in done.stderr
    assert contents(tmp_path) == before


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("key_uri", ["file", "tpm"], indirect=True)
def test_a_key_that_is_there_is_never_overwritten(tmp_path: Path, key_uri: str) -> None:
    assert azcert("csr", "app", "--key", key_uri, folder=tmp_path).returncode == 0
    before = contents(tmp_path)
    again = azcert("csr", "app", "--key", key_uri, "--force", folder=tmp_path)
    assert again.returncode == 1
    assert "--reuse-key" in again.stderr
    assert contents(tmp_path) == before


@every_place
def test_a_renewal_can_keep_the_key(tmp_path: Path, key_uri: str) -> None:
    first = json.loads(azcert("csr", "app", "--key", key_uri, "--json", folder=tmp_path).stdout)
    request = x509.load_pem_x509_csr((tmp_path / "app.csr").read_bytes())
    done = azcert("csr", "app", "--key", first["key"], "--reuse-key", "--force", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    second = x509.load_pem_x509_csr((tmp_path / "app.csr").read_bytes())
    assert second.public_key() == request.public_key()


def test_the_key_waits_in_a_file_and_moves_to_its_certificate(tmp_path: Path, authority: Material) -> None:
    assert azcert("csr", "app", folder=tmp_path).returncode == 0
    assert stat.S_IMODE((tmp_path / "app.key.pem").stat().st_mode) == 0o600
    leaf = answered(authority, (tmp_path / "app.csr").read_bytes())
    (tmp_path / "answer.pem").write_bytes(certificate_pem(leaf))
    done = azcert("accept", "answer.pem", "--key", "app.key.pem", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(contents(tmp_path)) == ["answer.pem", "app.csr", "app.pem"]
    assert stat.S_IMODE((tmp_path / "app.pem").stat().st_mode) == 0o600
    assert azcert("show", tmp_path / "app.pem").returncode == 0


def test_a_file_that_is_in_the_way_is_left_alone(tmp_path: Path, authority: Material) -> None:
    azcert("csr", "app", folder=tmp_path)
    (tmp_path / "app.pem").write_text("precious")
    leaf = answered(authority, (tmp_path / "app.csr").read_bytes())
    (tmp_path / "answer.pem").write_bytes(certificate_pem(leaf))
    before = contents(tmp_path)
    done = azcert("accept", "answer.pem", "--key", "app.key.pem", folder=tmp_path)
    assert done.returncode == 1
    assert "app.pem is already there" in done.stderr
    assert contents(tmp_path) == before


def test_a_password_stays_with_the_key(tmp_path: Path, authority: Material) -> None:
    environment = {"P": PASSWORD}
    azcert("csr", "app", "--password-env", "P", folder=tmp_path, environment=environment)
    assert b"ENCRYPTED" in (tmp_path / "app.key.pem").read_bytes()
    leaf = answered(authority, (tmp_path / "app.csr").read_bytes())
    (tmp_path / "answer.der").write_bytes(leaf.public_bytes(Encoding.DER))
    done = azcert(
        *("accept", "answer.der", "--key", "app.key.pem", "--password-env", "P"),
        folder=tmp_path,
        environment=environment,
    )
    assert done.returncode == 0, done.stderr
    loaded = open_source(tmp_path / "app.pem", password=Secret(PASSWORD)).load()
    assert loaded.certificate.leaf == leaf
    assert loaded.signer.protection == "encrypted"


@pytest.mark.parametrize("suffix", ["pem", "pfx"])
def test_a_renewed_certificate_takes_the_place_of_the_old_one(
    tmp_path: Path, authority: Material, suffix: str
) -> None:
    form = {"pem": "pem", "pfx": "pkcs12"}[suffix]
    assert azcert("new", "app", "--format", form, folder=tmp_path).returncode == 0
    start = (tmp_path / f"app.{suffix}").read_bytes()[:2]
    assert azcert("csr", "app", "--key", f"app.{suffix}", "--reuse-key", folder=tmp_path).returncode == 0
    leaf = answered(authority, (tmp_path / "app.csr").read_bytes())
    (tmp_path / "answer.pem").write_bytes(certificate_pem(leaf, authority.issuing))
    done = azcert("accept", "answer.pem", "--key", f"app.{suffix}", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = open_source(tmp_path / f"app.{suffix}").load()
    assert loaded.certificate.leaf == leaf
    assert loaded.certificate.chain == (authority.issuing,)
    assert loaded.extras == ()
    assert (tmp_path / f"app.{suffix}").read_bytes()[:2] == start


def test_openssl_can_be_the_authority(tmp_path: Path, authority: Material) -> None:
    azcert("csr", "app", "--subject", "CN=app,O=Contoso", folder=tmp_path)
    answer = openssl(
        *("x509", "-req", "-in", "request", "-CA", "ca", "-CAkey", "cakey", "-days", "30"),
        *("-CAcreateserial", "-copy_extensions", "copy", "-out", "out"),
        request=(tmp_path / "app.csr").read_bytes(),
        ca=certificate_pem(authority.root),
        cakey=key_pem(authority.root_key),
    )
    (tmp_path / "answer.pem").write_bytes(certificate_pem(authority.root) + answer)
    done = azcert("accept", "answer.pem", "--key", "app.key.pem", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["chain"] == ["CN=Contoso Root"]
    loaded = open_source(tmp_path / "app.pem").load()
    usage = loaded.certificate.leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage)
    assert [each.dotted_string for each in usage.value] == ["1.3.6.1.5.5.7.3.2"]


def test_an_expired_answer_is_refused(tmp_path: Path, authority: Material) -> None:
    (tmp_path / "app.key.pem").write_bytes(key_pem(authority.key))
    (tmp_path / "app.key.pem").chmod(0o600)
    (tmp_path / "answer.pem").write_bytes(certificate_pem(authority.expired))
    done = azcert("accept", "answer.pem", "--key", "app.key.pem", folder=tmp_path)
    assert done.returncode == 1
    assert "expired" in done.stderr
    assert not (tmp_path / "app.pem").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "word"),
    [
        (("csr",), 2, "NAME"),
        (("csr", "a/b"), 2, "--out"),
        (("csr", "app", "--out", "nowhere"), 2, "nowhere"),
        (("accept", "answer.pem"), 2, "--key"),
        (("accept", "answer.pem", "--key", "missing.key.pem"), 1, "answer.pem"),
        (("csr", "app", "--key", "env:APP"), 1, "env:APP"),
        (("csr", "app", "--subject", "O=Contoso,"), 1, "subject"),
        (("csr", "app", "--dns", "a b"), 1, "a b"),
        (("new", "app", "--key", "tpm:app.tss", "--days", "0"), 1, "0 days"),
        (("csr", "app", "--key", "tpm:handle=0x81000001"), 1, "tpm:FILE"),
        (("csr", "app", "--key", "missing.pem", "--reuse-key"), 1, "missing.pem"),
        (("new", "app", "--key", "tpm:app.tss", "--format", "pkcs12"), 2, "--key"),
    ],
)
def test_wrong_input_is_named(tmp_path: Path, arguments: tuple[str, ...], code: int, word: str) -> None:
    done = azcert(*arguments, folder=tmp_path)
    assert done.returncode == code
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
