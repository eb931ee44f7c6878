"""Certificates for tests about stores: one RSA key for all, names and validity as the test says."""

from __future__ import annotations

import datetime as dt
import functools

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from azcert.certificate.model import Certificate
from azcert.stores.find import values_of
from azcert.stores.names import Location, StoreName
from azcert.stores.store import Entry

__all__ = ["MY", "NOW", "SHARED", "entry_of", "key", "make"]

NOW = dt.datetime(2031, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
MY = StoreName(Location.CURRENT_USER, "My")
SHARED = StoreName(Location.LOCAL_MACHINE, "My")


def key(number: int = 0) -> rsa.RSAPrivateKey:
    """Return the same RSA key for the same number: making one takes long."""
    return _made(number)


@functools.cache
def _made(number: int) -> rsa.RSAPrivateKey:
    del number
    return rsa.generate_private_key(65537, 2048)


def make(
    subject: str = "CN=app",
    *,
    start: dt.datetime = NOW - dt.timedelta(days=1),
    days: float = 30,
    issuer: str | None = None,
    serial: int | None = None,
    number: int = 0,
) -> Certificate:
    """Return a certificate of that subject for `key`, signed by it."""
    name = x509.Name.from_rfc4514_string(subject)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(x509.Name.from_rfc4514_string(issuer) if issuer else name)
        .public_key(key(number).public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=days))
        .sign(key(number), hashes.SHA256())
    )
    return Certificate(built)


def entry_of(
    certificate: Certificate, store: StoreName = MY, *, has_key: bool = True, source: str | None = None
) -> Entry:
    """Return what a store would say of the certificate."""
    leaf = certificate.leaf
    return Entry(
        store,
        certificate.thumbprint,
        certificate.thumbprint_sha256,
        certificate.subject,
        values_of(leaf.subject),
        certificate.issuer,
        values_of(leaf.issuer),
        certificate.serial_number,
        certificate.not_before,
        certificate.not_after,
        has_key=has_key,
        protection="file" if has_key else None,
        source=source,
    )
