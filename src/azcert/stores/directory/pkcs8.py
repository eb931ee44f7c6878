"""Private keys as PKCS#8 PEM, plain or encrypted (RFC 5958, PBES2 of RFC 8018).

`cryptography` encrypts PKCS#8 too, but with 2,048 rounds of PBKDF2 that cannot be changed: a passphrase a
person can remember does not stand against that. The container and its algorithms are the same here, the
rounds are OWASP's; `openssl pkey` reads the result.
"""

from __future__ import annotations

import os
from base64 import encodebytes
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from azcert._redact import Secret

__all__ = ["ROUNDS", "render"]

ROUNDS = 600_000
"""OWASP Password Storage Cheat Sheet (2023) for PBKDF2 with HMAC-SHA256."""

_KEY_BYTES, _BLOCK_BYTES, _SALT_BYTES = 32, 16, 16
_SEQUENCE, _INTEGER, _OCTETS, _NULL = 0x30, 0x02, 0x04, b"\x05\x00"
# Object identifiers in DER, RFC 8018 appendix C and NIST's AES arc.
_PBES2 = bytes.fromhex("06092a864886f70d01050d")
_PBKDF2 = bytes.fromhex("06092a864886f70d01050c")
_HMAC_SHA256 = bytes.fromhex("06082a864886f70d0209")
_AES_256_CBC = bytes.fromhex("060960864801650304012a")


def render(key: RSAPrivateKey, passphrase: Secret | None = None) -> bytes:
    """Return *key* as PKCS#8 PEM, encrypted if a passphrase is given."""
    if passphrase is None:
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    salt, vector = os.urandom(_SALT_BYTES), os.urandom(_BLOCK_BYTES)
    derived = PBKDF2HMAC(SHA256(), _KEY_BYTES, salt, ROUNDS).derive(passphrase.reveal_bytes())
    padder = PKCS7(_BLOCK_BYTES * 8).padder()
    encryptor = Cipher(algorithms.AES256(derived), modes.CBC(vector)).encryptor()
    sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()

    rounds = ROUNDS.to_bytes(ROUNDS.bit_length() // 8 + 1, "big")
    prf = _tag(_SEQUENCE, _HMAC_SHA256, _NULL)
    kdf = _tag(_SEQUENCE, _PBKDF2, _tag(_SEQUENCE, _tag(_OCTETS, salt), _tag(_INTEGER, rounds), prf))
    cipher = _tag(_SEQUENCE, _AES_256_CBC, _tag(_OCTETS, vector))
    algorithm = _tag(_SEQUENCE, _PBES2, _tag(_SEQUENCE, kdf, cipher))
    der = _tag(_SEQUENCE, algorithm, _tag(_OCTETS, sealed))
    label = b"ENCRYPTED PRIVATE KEY"
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (label, _wrapped(der), label)


def _tag(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:  # noqa: PLR2004 -- the short form of a length, X.690, 8.1.3.4
        return bytes((tag, size)) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(octets))) + octets + content


def _wrapped(der: bytes) -> bytes:
    """Base64 in lines of 64 characters (RFC 7468, 2)."""
    flat = encodebytes(der).replace(b"\n", b"")
    return b"".join(flat[at : at + 64] + b"\n" for at in range(0, len(flat), 64))
