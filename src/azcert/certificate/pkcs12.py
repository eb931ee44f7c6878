"""PKCS#12 files (RFC 7292): every key and certificate in them, with whatever cipher their maker chose."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_private_key, pkcs12

from azcert.certificate import der

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

__all__ = ["Opened", "ciphers", "open_with"]

_INDEFINITE_LENGTH = b"\x80"
_DATA = bytes.fromhex("2a864886f70d010701")
_KEY_BAG = bytes.fromhex("2a864886f70d010c0a0101")
_SHROUDED_KEY_BAG = bytes.fromhex("2a864886f70d010c0a0102")

# Object identifiers as they stand in the file, tag and length included.
_CIPHERS: tuple[tuple[str, str], ...] = (
    ("060960864801650304012a", "AES-256"),
    ("0609608648016503040116", "AES-192"),
    ("0609608648016503040102", "AES-128"),
    ("060a2a864886f70d010c0103", "3DES"),
    ("060a2a864886f70d010c0104", "3DES, two keys"),
    ("060a2a864886f70d010c0106", "RC2-40"),
    ("060a2a864886f70d010c0105", "RC2-128"),
    ("060a2a864886f70d010c0101", "RC4-128"),
    ("060a2a864886f70d010c0102", "RC4-40"),
    ("06082a864886f70d0307", "3DES"),
)


class Opened(NamedTuple):
    """What is inside: *certificates* as the file lists them, the one its maker paired with the key first."""

    keys: tuple[PrivateKeyTypes, ...]
    certificates: tuple[x509.Certificate, ...]


def ciphers(data: bytes) -> str:
    """Name the encryption of a PKCS#12 or PKCS#8 file, e.g. ``"3DES, RC2-40"``; empty if there is none."""
    found = [name for oid, name in _CIPHERS if bytes.fromhex(oid) in data]
    return ", ".join(dict.fromkeys(found))


def open_with(data: bytes, password: bytes | None) -> Opened:
    """Open a PKCS#12 file with exactly this password.

    None and an empty password are different inputs to the key derivation (RFC 7292, appendix B.1).

    :raises ValueError: wrong password, or the file is damaged; nothing in PKCS#12 tells one from the other.
    :raises UnsupportedAlgorithm: a cipher this build of OpenSSL lacks.
    """
    loaded = _load(data, password)
    certificates = [loaded.cert.certificate] if loaded.cert else []
    certificates += [extra.certificate for extra in loaded.additional_certs]
    keys = [loaded.key] if loaded.key else []
    bags = _key_bags(data)
    if len(bags) > 1:
        # OpenSSL gives the first key only; a Java keystore, say, holds one for each of its entries.
        keys = [_load_bag(name, content, password) for name, content in bags]
    return Opened(tuple(keys), tuple(certificates))


def _load(data: bytes, password: bytes | None) -> pkcs12.PKCS12KeyAndCertificates:
    if data[1:2] != _INDEFINITE_LENGTH:
        return pkcs12.load_pkcs12(data, password)
    with der.tolerated():
        return pkcs12.load_pkcs12(data, password)


def _load_bag(name: bytes, content: bytes, password: bytes | None) -> PrivateKeyTypes:
    try:
        return load_der_private_key(content, password if name == _SHROUDED_KEY_BAG else None)
    except TypeError as error:
        # cryptography takes an empty password for none.
        raise UnsupportedAlgorithm("several keys under an empty password") from error


def _key_bags(data: bytes) -> list[tuple[bytes, bytes]]:
    """Return (bag type, PKCS#8 bytes) of the keys in the parts of the file that are not encrypted as a whole.

    Certificates are usually encrypted as a whole, keys one by one.
    """
    try:
        pfx = der.read(data)
        contents = _octets(data, list(der.children(data, pfx))[1])
        return [
            bag
            for part in der.children(contents, der.read(contents))
            for bag in _bags(_octets(contents, part))
        ]
    except (der.Malformed, IndexError):
        return []


def _octets(data: bytes, content_info: der.Element) -> bytes:
    """Return the bytes inside a ContentInfo of type data: SEQUENCE { OID, [0] { OCTET STRING } }."""
    name, wrapper = list(der.children(data, content_info))[:2]
    if data[name.content : name.content_end] != _DATA:
        return b"\x30\x00"
    return der.octets(data, next(der.children(data, wrapper)))


def _bags(contents: bytes) -> list[tuple[bytes, bytes]]:
    found = []
    for bag in der.children(contents, der.read(contents)):
        name, wrapper = list(der.children(contents, bag))[:2]
        kind = contents[name.content : name.content_end]
        if kind in {_KEY_BAG, _SHROUDED_KEY_BAG}:
            found.append((kind, contents[wrapper.content : wrapper.content_end]))
    return found
