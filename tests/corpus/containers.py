"""Binary containers no library writes on purpose: several keys, BER lengths, absurd work factors."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec, rsa
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes as Key
    from cryptography.hazmat.primitives.serialization import KeySerializationEncryption

__all__ = ["ber", "element", "openssl", "pfx", "pfx_of_several_keys", "slow_pkcs8"]


def openssl(*arguments: str, **files: bytes) -> bytes:
    """Run the openssl command in a folder that holds *files*; return what it wrote to ``out``."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        subprocess.run(
            ["openssl", *arguments], cwd=folder, check=True, capture_output=True, stdin=subprocess.DEVNULL
        )
        return Path(folder, "out").read_bytes()


def pfx(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None,
    certificate: x509.Certificate | None,
    chain: Sequence[x509.Certificate] = (),
    password: str | None = None,
    *,
    legacy: bool = False,
) -> bytes:
    protection: KeySerializationEncryption = NoEncryption()
    if password:
        protection = BestAvailableEncryption(password.encode())
    if password and legacy:
        builder = PrivateFormat.PKCS12.encryption_builder()
        old = pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC
        protection = builder.key_cert_algorithm(old).hmac_hash(SHA1()).build(password.encode())  # noqa: S303
    return pkcs12.serialize_key_and_certificates(None, key, certificate, chain, protection)


def element(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def ber(data: bytes) -> bytes:
    """Return a DER SEQUENCE with the indefinite length that older Java and Windows programs write."""
    header = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    return data[:1] + b"\x80" + data[header:] + b"\0\0"


_OID_DATA = bytes.fromhex("06092a864886f70d010701")
_OID_KEY_BAG = bytes.fromhex("060b2a864886f70d010c0a0101")
_OID_SHROUDED = bytes.fromhex("060b2a864886f70d010c0a0102")
_OID_CERT_BAG = bytes.fromhex("060b2a864886f70d010c0a0103")
_OID_X509 = bytes.fromhex("060a2a864886f70d01091601")


def pfx_of_several_keys(
    keys: Sequence[Key], certificates: Sequence[x509.Certificate], password: str | None = None
) -> bytes:
    """Return a PKCS#12 without MAC: the keys under *password* if there is one, the certificates open."""
    bags = b""
    for key in keys:
        protection = BestAvailableEncryption(password.encode()) if password else NoEncryption()
        content = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, protection)
        bags += element(0x30, (_OID_SHROUDED if password else _OID_KEY_BAG) + element(0xA0, content))
    for certificate in certificates:
        octets = element(0x04, certificate.public_bytes(Encoding.DER))
        bags += element(0x30, _OID_CERT_BAG + element(0xA0, element(0x30, _OID_X509 + element(0xA0, octets))))
    safe = element(0x30, _OID_DATA + element(0xA0, element(0x04, element(0x30, bags))))
    contents = element(0x30, _OID_DATA + element(0xA0, element(0x04, element(0x30, safe))))
    return element(0x30, b"\x02\x01\x03" + contents)


def slow_pkcs8(key: Key, password: str) -> bytes:
    """Return an encrypted PKCS#8 key that says it takes two thousand million rounds to open."""
    data = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(password.encode()))
    # PBKDF2-params (RFC 8018, A.2): the salt, then the rounds.
    salt_end = data.index(b"\x30", data.index(bytes.fromhex("06092a864886f70d01050c"))) + 2
    salt_end += 2 + data[salt_end + 1]
    old = data[salt_end : salt_end + 2 + data[salt_end + 1]]
    assert old[0] == 0x02, "an INTEGER follows the salt"
    new = element(0x02, (0x7FFFFFFF).to_bytes(4, "big"))
    return _replaced(data, old, new)


def _replaced(data: bytes, old: bytes, new: bytes) -> bytes:
    """Replace the bytes of one element, and mend the lengths of those around it."""
    if data == old:
        return new
    header = 2 + (data[1] & 0x7F if data[1] & 0x80 else 0)
    parts = b""
    position = header
    while position < len(data):
        size = data[position + 1]
        start = position + 2
        if size & 0x80:
            count = size & 0x7F
            size = int.from_bytes(data[start : start + count], "big")
            start += count
        part = data[position : start + size]
        parts += _replaced(part, old, new) if part[0] & 0x20 or part == old else part
        position = start + size
    return element(data[0], parts)
