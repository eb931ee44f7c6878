"""Write certificates and keys in the forms that other programs read."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import PBES, serialize_key_and_certificates

from azcert.errors import CertificateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
    from cryptography.hazmat.primitives.serialization import KeySerializationEncryption

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate

__all__ = ["key_bytes", "pem", "pkcs12", "public_pem", "wrapped_base64"]

_PKCS12_KEYS = (
    rsa.RSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
    dsa.DSAPrivateKey,
)


def pem(key: PrivateKeyTypes, certificate: Certificate, *, password: Secret | None = None) -> bytes:
    """Return the key as PKCS#8, encrypted with AES-256 if there is a *password*, the leaf and its chain."""
    return key_bytes(key, password=password) + public_pem(certificate)


def public_pem(certificate: Certificate, *, chain: bool = True) -> bytes:
    """Return the leaf, and its *chain* behind it, as PEM: without it this is a ``.cer`` for upload."""
    parts = (certificate.leaf, *certificate.chain) if chain else (certificate.leaf,)
    return b"".join(each.public_bytes(Encoding.PEM) for each in parts)


def key_bytes(
    key: PrivateKeyTypes, *, password: Secret | None = None, encoding: Encoding = Encoding.PEM
) -> bytes:
    """Return the key alone as PKCS#8, encrypted with AES-256 if there is a *password*."""
    protection = BestAvailableEncryption(password.reveal_bytes()) if password else NoEncryption()
    return key.private_bytes(encoding, PrivateFormat.PKCS8, protection)


def pkcs12(
    key: PrivateKeyTypes | None,
    certificate: Certificate,
    *,
    password: Secret | None = None,
    legacy: bool = False,
    friendly_name: str | None = None,
) -> bytes:
    """Return a PKCS#12 file of key, leaf and chain.

    The modern form uses AES-256 and SHA-256. *legacy* is 3DES with a SHA-1 MAC: what Windows Server 2016, old
    Java and Go programs on ``x/crypto/pkcs12`` can read; it protects the key no better than 3DES does.

    :raises CertificateError: ``password-missing``: the legacy form without a password, which these
        programs do not read; ``unsupported-key``: a key PKCS#12 cannot hold.
    """
    if legacy and not password:
        raise CertificateError(
            "A PKCS#12 file for older programs needs a password.",
            code="password-missing",
            remedy="Choose one; without a password, the modern form and PEM are possible.",
        )
    if key is not None and not isinstance(key, _PKCS12_KEYS):
        raise CertificateError(
            "PKCS#12 cannot hold a key of this kind.", code="unsupported-key", remedy="Write PEM instead."
        )
    protection: KeySerializationEncryption = NoEncryption()
    if password:
        builder = PrivateFormat.PKCS12.encryption_builder()
        if legacy:
            old = PBES.PBESv1SHA1And3KeyTripleDESCBC
            builder = builder.key_cert_algorithm(old).hmac_hash(SHA1())  # noqa: S303 - all they can read
        else:
            builder = builder.key_cert_algorithm(PBES.PBESv2SHA256AndAES256CBC).hmac_hash(SHA256())
        protection = builder.build(password.reveal_bytes())
    name = friendly_name.encode() if friendly_name else None
    return serialize_key_and_certificates(name, key, certificate.leaf, certificate.chain or None, protection)


def wrapped_base64(data: bytes) -> bytes:
    """Return *data* as one line of base64: what fits into an environment variable or a CI secret."""
    return base64.b64encode(data) + b"\n"
