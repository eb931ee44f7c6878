"""Check a signature with the public key: what a device returns is looked at, not believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from azcert.certificate.signer import Algorithm

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

__all__ = ["SALT", "holds"]

SALT = 32
"""Bytes of salt in PS256: those of the hash (RFC 7518, 3.5); services refuse any other length."""


def holds(public_key: RSAPublicKey, data: bytes, signature: bytes, algorithm: Algorithm) -> bool:
    """Tell whether *signature* over *data* is what *algorithm* demands, the length of the salt included."""
    padding = PSS(MGF1(SHA256()), SALT) if algorithm is Algorithm.PS256 else PKCS1v15()
    try:
        public_key.verify(signature, data, padding, SHA256())
    except InvalidSignature:
        return False
    return True
