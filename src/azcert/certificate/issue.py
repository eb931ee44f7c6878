"""Make a self-signed certificate fit for Entra ID, with a key in any place."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import ExtendedKeyUsageOID

from azcert.certificate.foreign import as_private_key, padding_of
from azcert.certificate.model import Certificate
from azcert.certificate.names import alternative_names as read_names
from azcert.certificate.names import subject_name
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azcert.certificate.signer import Signer

__all__ = [
    "BACK_DATED",
    "DEFAULT_DAYS",
    "KEY_SIZES",
    "check_days",
    "extensions",
    "generate_key",
    "self_signed",
]

KEY_SIZES = (2048, 3072, 4096)
"""Bits of the RSA keys that are made."""

DEFAULT_DAYS = 365
"""A year: what Key Vault gives by default, and the longest lifetime tenant policies usually allow."""

MAX_DAYS = 3650

BACK_DATED = dt.timedelta(minutes=10)
"""A certificate begins this long ago, so that a service whose clock is behind takes it at once; Key Vault
does the same."""


def generate_key(bits: int = KEY_SIZES[0]) -> rsa.RSAPrivateKey:
    """Make an RSA key in memory.

    :raises ConfigurationError: ``bad-key-size``: *bits* is none of `KEY_SIZES`.
    """
    if bits not in KEY_SIZES:
        raise ConfigurationError(
            f"A key of {bits} bits is not made; it is one of {', '.join(map(str, KEY_SIZES))}.",
            code="bad-key-size",
            remedy="Take 2048: it is what Entra ID documents, and the fastest.",
        )
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def self_signed(
    key: rsa.RSAPrivateKey | Signer,
    *,
    subject: str,
    alternative_names: Sequence[str] = (),
    days: int = DEFAULT_DAYS,
    now: dt.datetime,
) -> Certificate:
    """Make a certificate for *key*, signed by itself with SHA-256, for client authentication.

    :param subject: a plain name, or RFC 4514 (``CN=app,O=Contoso``).
    :param alternative_names: host names, IP addresses, URIs, mail addresses.
    :param days: from its back-dated beginning to its end, so that a policy of as many days allows it.
    :raises ConfigurationError: a name cannot be read, or *days* is out of range.
    :raises azcert.errors.SigningError: the key's place did not sign.
    """
    check_days(days)
    name = subject_name(subject)
    begin = now.astimezone(dt.UTC).replace(microsecond=0) - BACK_DATED
    private_key = as_private_key(key)
    public_key = private_key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )
    for extension, critical in extensions(alternative_names):
        builder = builder.add_extension(extension, critical=critical)
    return Certificate(builder.sign(private_key, SHA256(), rsa_padding=padding_of(key)))


def check_days(days: int) -> None:
    """Refuse a validity that no certificate is made for.

    :raises ConfigurationError: ``bad-validity``.
    """
    if not 1 <= days <= MAX_DAYS:
        raise ConfigurationError(
            f"A certificate cannot be made for {days} days; it is 1 to {MAX_DAYS}.",
            code="bad-validity",
            remedy=f"Leave it away for {DEFAULT_DAYS} days.",
        )


def extensions(alternative_names: Sequence[str]) -> list[tuple[x509.ExtensionType, bool]]:
    """Return (extension, critical) for a certificate that signs assertions and authenticates a client."""
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
    ]
    if alternative_names:
        found.append((x509.SubjectAlternativeName(read_names(alternative_names)), False))
    return found
