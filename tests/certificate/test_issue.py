from __future__ import annotations

import datetime as dt
import ipaddress
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given, settings
from hypothesis import strategies as st

from azcert.certificate.chain import spki_of
from azcert.certificate.fitness import findings
from azcert.certificate.foreign import ForeignKey
from azcert.certificate.issue import BACK_DATED, DEFAULT_DAYS, MAX_DAYS, generate_key, self_signed
from azcert.certificate.names import subject_name
from azcert.certificate.request import read_answer, signing_request
from azcert.certificate.signer import Algorithm
from azcert.errors import CertificateError, ConfigurationError, SigningError
from azcert.keys.software import SoftwareSigner
from corpus.containers import openssl
from corpus.material import certificate_pem
from support.certificates import NOW, material

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.certificate.model import Certificate


class OnlyPss(SoftwareSigner):
    """A key whose place refuses PKCS#1 v1.5."""

    algorithms = (Algorithm.PS256,)  # type: ignore[assignment]  # fewer than a software key has


def foreign() -> SoftwareSigner:
    """Return the app's key as a signer: issuing must not see more than that."""
    return SoftwareSigner(material().key, place="token 'test'", protection="pkcs11")


def made(**changes: object) -> Certificate:
    arguments = {"subject": "app", "now": NOW} | changes
    return self_signed(foreign(), **arguments)  # type: ignore[arg-type]  # each test names the arguments it means


def test_a_new_certificate_is_fit_and_signed_by_its_own_key() -> None:
    certificate = made()
    certificate.leaf.verify_directly_issued_by(certificate.leaf)
    assert findings(certificate, now=NOW) == ()
    assert certificate.spki == spki_of(material().key.public_key())
    assert isinstance(certificate.leaf.signature_hash_algorithm, SHA256)
    assert isinstance(certificate.leaf.signature_algorithm_parameters, PKCS1v15)


def test_openssl_accepts_it_as_a_client_certificate() -> None:
    leaf = certificate_pem(made().leaf)
    moment = str(int(NOW.timestamp()))
    openssl(
        *("verify", "-purpose", "sslclient", "-x509_strict", "-CAfile", "leaf"),
        *("-attime", moment, "-check_ss_sig", "leaf"),
        leaf=leaf,
        out=b"",
    )


def test_its_extensions_allow_client_authentication_and_nothing_else() -> None:
    extensions = made(
        alternative_names=["app.contoso.com", "10.0.0.1", "https://contoso.com/app"]
    ).leaf.extensions
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert usage.value.digital_signature
    assert not usage.value.key_cert_sign
    assert not usage.value.key_encipherment
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    identifier = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    assert identifier == x509.SubjectKeyIdentifier.from_public_key(material().key.public_key())
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["app.contoso.com"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.0.0.1")]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["https://contoso.com/app"]


def test_it_lasts_exactly_the_days_asked_for_from_its_back_dated_start() -> None:
    certificate = made(days=90)
    assert certificate.not_before == NOW - BACK_DATED
    assert certificate.not_after - certificate.not_before == dt.timedelta(days=90)
    default = made()
    assert default.not_after - default.not_before == dt.timedelta(days=DEFAULT_DAYS)


def test_serial_numbers_are_long_and_never_the_same() -> None:
    serials = {made().leaf.serial_number for _ in range(20)}
    assert len(serials) == 20
    assert max(serials) > 2**140


def test_a_place_without_pkcs1_signs_with_pss() -> None:
    certificate = self_signed(OnlyPss(material().key, place="x", protection="tpm"), subject="app", now=NOW)
    certificate.leaf.verify_directly_issued_by(certificate.leaf)
    assert isinstance(certificate.leaf.signature_algorithm_parameters, PSS)


@pytest.mark.parametrize("days", [0, -1, MAX_DAYS + 1])
def test_impossible_validities_are_refused(days: int) -> None:
    with pytest.raises(ConfigurationError, match=str(days)):
        made(days=days)


@pytest.mark.parametrize("bits", [1024, 2047, 8192])
def test_odd_key_sizes_are_refused(bits: int) -> None:
    with pytest.raises(ConfigurationError, match=f"{bits} bits"):
        generate_key(bits)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("app", "CN=app"),
        ("CN=app,O=Contoso,C=US", "CN=app,O=Contoso,C=US"),
        ("CN=app, O=Contoso", "CN=app,O=Contoso"),
        ("Größe", "CN=Größe"),
        (r"CN=a\, b", r"CN=a\, b"),
        ("CN=app,S=Washington", "CN=app,ST=Washington"),
    ],
)
def test_subjects_are_read_as_people_write_them(text: str, printed: str) -> None:
    assert subject_name(text).rfc4514_string() == printed


@settings(deadline=None, max_examples=300)
@given(st.text(max_size=80))
def test_any_subject_is_read_or_refused(text: str) -> None:
    try:
        subject_name(text)
    except ConfigurationError as error:
        assert error.code == "bad-subject"  # noqa: PT017 - either outcome is right, no other is


@pytest.mark.parametrize("name", ["", "a b", "bücher.example", "a@b@ü", "http://ü"])
def test_alternative_names_that_cannot_be_written_are_refused(name: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        made(alternative_names=[name])
    assert caught.value.code == "bad-alternative-name"


def test_a_foreign_key_does_nothing_but_sign_with_sha256() -> None:
    key = ForeignKey(foreign())
    assert key.key_size == 2048
    attempts: list[Callable[[], object]] = [
        lambda: key.sign(b"", PKCS1v15(), SHA1()),  # noqa: S303 - refused
        lambda: key.decrypt(b"", PKCS1v15()),
        key.private_numbers,
        lambda: key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    ]
    for attempt in attempts:
        with pytest.raises(SigningError, match="token 'test'"):
            attempt()


def test_a_request_is_valid_and_asks_for_the_same_extensions() -> None:
    request = signing_request(foreign(), subject="CN=app,O=Contoso", alternative_names=["app.contoso.com"])
    assert request.is_signature_valid
    assert request.subject.rfc4514_string() == "CN=app,O=Contoso"
    assert spki_of(request.public_key()) == spki_of(material().key.public_key())
    wanted = {each.oid for each in request.extensions}
    issued = {each.oid for each in made(alternative_names=["app.contoso.com"]).leaf.extensions}
    assert issued - wanted == {x509.SubjectKeyIdentifier.oid}


def answers() -> dict[str, bytes]:
    m = material()
    chain = [m.root, m.leaf, m.issuing]
    return {
        "pem": certificate_pem(*chain),
        "der": m.leaf.public_bytes(Encoding.DER),
        "pkcs7-der": pkcs7.serialize_certificates(chain, Encoding.DER),
        "pkcs7-pem": pkcs7.serialize_certificates(chain, Encoding.PEM),
        "pkcs7-openssl": openssl(
            *("crl2pkcs7", "-nocrl", "-certfile", "chain", "-outform", "DER", "-out", "out"),
            chain=certificate_pem(*chain),
        ),
    }


@pytest.mark.parametrize("form", ["pem", "der", "pkcs7-der", "pkcs7-pem", "pkcs7-openssl"])
def test_an_answer_is_read_in_every_form(form: str) -> None:
    m = material()
    certificate, extras = read_answer(
        answers()[form], public_key=m.key.public_key(), place="file key.pem", name="answer"
    )
    assert certificate.leaf == m.leaf
    assert certificate.chain == (() if form == "der" else (m.issuing, m.root))
    assert extras == ()


def test_an_answer_to_another_request_is_refused_with_both_sides_named() -> None:
    m = material()
    with pytest.raises(CertificateError) as caught:
        read_answer(
            certificate_pem(m.other),
            public_key=m.key.public_key(),
            place="file app.key.pem",
            name="answer.cer",
        )
    assert caught.value.code == "key-mismatch"
    for fact in ("answer.cer", "file app.key.pem", "CN=other"):
        assert fact in str(caught.value)


def test_an_answer_without_a_certificate_is_refused() -> None:
    from corpus.material import key_pem

    m = material()
    with pytest.raises(CertificateError) as caught:
        read_answer(key_pem(m.key), public_key=m.key.public_key(), place="file key.pem", name="answer")
    assert caught.value.code == "no-certificate"
