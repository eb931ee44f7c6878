"""Certificates with software signers, made in the test itself, and a source that can be renewed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from azcert.certificate.model import Certificate
from azcert.certificate.signer import SigningCertificate
from azcert.keys.software import SoftwareSigner

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["RenewableSource", "make_pem", "make_signing"]


def _make(name: str, key: rsa.RSAPrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )


def make_signing(name: str = "app", key: rsa.RSAPrivateKey | None = None) -> SigningCertificate:
    """Return a new certificate; of a new key unless one is given."""
    key = key or rsa.generate_private_key(65537, 2048)
    return SigningCertificate(
        Certificate(_make(name, key)), SoftwareSigner(key, place="memory", protection="memory")
    )


def make_pem(name: str = "app") -> bytes:
    """Return a new key and certificate as PEM, as azure-identity reads it."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + _make(name, key).public_bytes(Encoding.PEM)


@dataclass
class RenewableSource:
    """A source over a list of certificates, best first."""

    certificates: list[SigningCertificate]
    name: str = "test:app"
    blocking: bool = False
    loads: int = field(default=0)

    def revision(self) -> Hashable:
        return tuple(one.certificate.thumbprint for one in self.certificates)

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        self.loads += 1
        left = [one for one in self.certificates if one.certificate.thumbprint not in skip]
        return (left or self.certificates)[0]

    def close(self) -> None:
        """Nothing is open."""
