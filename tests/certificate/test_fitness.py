from __future__ import annotations

import datetime as dt

import pytest
from cryptography import x509

from azcert.certificate.fitness import findings, require_fit
from azcert.certificate.model import Certificate
from azcert.errors import CertificateError
from corpus.containers import openssl
from corpus.material import key_pem
from support.certificates import NOW, material


def codes(certificate: Certificate, now: dt.datetime = NOW) -> list[tuple[str, bool]]:
    return [(each.code, each.is_error) for each in findings(certificate, now=now)]


def test_a_good_certificate_has_no_findings() -> None:
    assert codes(Certificate(material().leaf)) == []


def test_validity_includes_its_first_and_last_second() -> None:
    certificate = Certificate(material().leaf)
    second = dt.timedelta(seconds=1)
    assert codes(certificate, certificate.not_before) == []
    assert codes(certificate, certificate.not_before - second) == [("not-yet-valid", True)]
    assert codes(certificate, certificate.not_after) == [("expires-soon", False)]
    assert codes(certificate, certificate.not_after + second) == [("expired", True)]


def test_the_last_month_is_a_warning() -> None:
    certificate = Certificate(material().leaf)
    assert codes(certificate, certificate.not_after - dt.timedelta(days=29)) == [("expires-soon", False)]
    assert codes(certificate, certificate.not_after - dt.timedelta(days=31)) == []


def test_a_sha1_signature_is_a_warning() -> None:
    made = openssl(
        *("req", "-x509", "-key", "key", "-sha1", "-subj", "/CN=old", "-days", "3000", "-out", "out"),
        key=key_pem(material().key),
    )
    certificate = Certificate(x509.load_pem_x509_certificate(made))
    assert codes(certificate, certificate.not_before) == [("weak-signature-hash", False)]


@pytest.mark.parametrize(
    ("name", "code", "facts"),
    [
        ("short", "key-too-short", ["1024 bits", "2048"]),
        ("ec", "not-rsa", ["EC", "RSA"]),
        ("ed", "not-rsa", ["Ed25519", "RSA"]),
        ("expired", "expired", ["2031-05-04 07:08 UTC", "2 days ago"]),
        ("future", "not-yet-valid", ["2031-05-08 07:08 UTC", "2031-05-06 07:08 UTC"]),
    ],
)
def test_what_entra_would_refuse_is_refused_with_the_facts(name: str, code: str, facts: list[str]) -> None:
    certificate = Certificate(getattr(material(), name))
    with pytest.raises(CertificateError) as caught:
        require_fit(certificate, now=NOW, name="app.pem")
    assert caught.value.code == code
    for fact in ["app.pem", certificate.thumbprint, *facts]:
        assert fact in str(caught.value)
    assert caught.value.details["not_after"] == certificate.not_after.isoformat()
