from __future__ import annotations

import datetime as dt
import hashlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from azcert.certificate.model import Certificate
from corpus.containers import element
from support.certificates import NOW, material


def test_thumbprints_are_digests_of_the_der_in_upper_case() -> None:
    certificate = Certificate(material().leaf)
    der = material().leaf.public_bytes(Encoding.DER)
    assert certificate.thumbprint == hashlib.sha1(der, usedforsecurity=False).hexdigest().upper()
    assert certificate.thumbprint_sha256 == hashlib.sha256(der).hexdigest().upper()


@pytest.mark.parametrize(
    ("name", "kind", "size"), [("leaf", "RSA", 2048), ("ec", "EC", 256), ("ed", "Ed25519", 0)]
)
def test_the_key_is_known_by_kind_and_size(name: str, kind: str, size: int) -> None:
    certificate = Certificate(getattr(material(), name))
    assert (certificate.key_type, certificate.key_size) == (kind, size)


def test_a_kind_of_key_nobody_knows_is_no_fault() -> None:
    known = ed25519.Ed25519PrivateKey.generate()
    made = material().certify("strange", known).public_bytes(Encoding.DER)
    # The object identifier of a kind of key that does not exist: 1.3.101.5.
    raw = known.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    spki = bytes.fromhex("300506032b6570") + element(0x03, b"\0" + raw)
    assert made.count(spki) == 1
    strange = Certificate(
        x509.load_der_x509_certificate(made.replace(spki, spki.replace(b"\x65\x70", b"\x65\x05")))
    )
    assert (strange.key_type, strange.key_size, strange.spki) == ("unknown", 0, b"")


def test_a_key_that_cannot_sign_has_a_name_too() -> None:
    m = material()
    agreement = x25519.X25519PrivateKey.generate().public_key()
    made = (
        x509.CertificateBuilder()
        .subject_name(m.leaf.subject)
        .issuer_name(m.root.subject)
        .public_key(agreement)
        .serial_number(0x0A)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
        .sign(m.root_key, SHA256())
    )
    certificate = Certificate(made)
    assert certificate.key_type == "unknown"
    assert certificate.serial_number == "0A"


def test_both_ends_belong_to_the_validity() -> None:
    certificate = Certificate(material().leaf)
    second = dt.timedelta(seconds=1)
    assert certificate.is_valid_at(certificate.not_before)
    assert certificate.is_valid_at(certificate.not_after)
    assert not certificate.is_valid_at(certificate.not_before - second)
    assert not certificate.is_valid_at(certificate.not_after + second)


def test_equal_certificates_are_one_value() -> None:
    m = material()
    again = x509.load_der_x509_certificate(m.leaf.public_bytes(Encoding.DER))
    assert Certificate(m.leaf, (m.issuing,)) == Certificate(again, (m.issuing,))
    assert len({Certificate(m.leaf), Certificate(again)}) == 1
    assert Certificate(m.leaf) != Certificate(m.leaf, (m.issuing,))


def test_its_text_names_subject_and_thumbprint() -> None:
    certificate = Certificate(material().leaf)
    assert repr(certificate) == f"<Certificate 'CN=app' thumbprint={certificate.thumbprint}>"
