"""Just enough ASN.1 to tell what a DER file is before anything tries to parse it.

Parsing itself is left to ``cryptography``. What is here answers two questions it does not: which kind of
thing this is (RFC 5280, 5208, 5958, 7292, 8017, 2315), and whether its end is missing.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "Element",
    "Kind",
    "Malformed",
    "Truncated",
    "children",
    "classify",
    "guess",
    "number",
    "octets",
    "read",
    "tolerated",
]

SEQUENCE = 0x30
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
OID = 0x06
CONTEXT_0 = 0xA0
TIMES = {0x17, 0x18}
CONSTRUCTED = 0x20
_LONG_TAG = 0x1F
_INDEFINITE = 0x80
_MAX_LENGTH_BYTES = 4
# Real PKCS#12 files nest ten deep; the bound also keeps hostile nesting from costing more than a second.
MAX_DEPTH = 20

_PKCS12_VERSION = 3
_PKCS7 = bytes.fromhex("2a864886f70d0107")  # 1.2.840.113549.1.7
_TSS2 = bytes.fromhex("6781050a01")  # 2.23.133.10.1


class Malformed(ValueError):  # noqa: N818 - a verdict on bytes, mapped to a CertificateError at the border
    """These bytes are not ASN.1."""


class Truncated(Malformed):
    """The bytes end before the element does; *needed* is how many there should be, 0 where unknown."""

    def __init__(self, needed: int) -> None:
        super().__init__("the data ends early")
        self.needed = needed


class Kind(StrEnum):
    """What an outermost element is."""

    CERTIFICATE = "certificate"
    PKCS12 = "PKCS#12"
    PKCS8 = "PKCS#8 private key"
    ENCRYPTED_PKCS8 = "encrypted PKCS#8 private key"
    PKCS1 = "PKCS#1 private key"
    EC_KEY = "EC private key"
    DSA_KEY = "DSA private key"
    TSS2_KEY = "TPM key file"
    PKCS7 = "PKCS#7"
    REQUEST = "certificate signing request"
    CRL = "certificate revocation list"
    PUBLIC_KEY = "public key"


class Element(NamedTuple):
    """One ASN.1 element: its *tag* and where its header, content and whole end in the data."""

    tag: int
    start: int
    content: int
    content_end: int
    end: int

    @property
    def constructed(self) -> bool:
        """True where the content is elements."""
        return bool(self.tag & CONSTRUCTED)


def read(data: bytes, at: int = 0, depth: int = 0) -> Element:
    """Return the element at offset *at*; the indefinite lengths of BER are followed to their end.

    :raises Truncated: the data ends inside the element.
    :raises Malformed: this is no element.
    """
    if depth > MAX_DEPTH:
        raise Malformed("nested too deeply")
    if at + 2 > len(data):
        raise Truncated(0)
    tag, length = data[at], data[at + 1]
    if tag & _LONG_TAG == _LONG_TAG:
        raise Malformed("multi-byte tags occur in none of the formats read here")
    content = at + 2
    if length == _INDEFINITE:
        return _read_indefinite(data, tag, at, depth)
    if length > _INDEFINITE:
        count = length - _INDEFINITE
        if count > _MAX_LENGTH_BYTES:
            raise Malformed("a length of more than four bytes")
        if content + count > len(data):
            raise Truncated(0)
        length = int.from_bytes(data[content : content + count], "big")
        content += count
    end = content + length
    if end > len(data):
        raise Truncated(end)
    return Element(tag, at, content, end, end)


def _read_indefinite(data: bytes, tag: int, at: int, depth: int) -> Element:
    if not tag & CONSTRUCTED:
        raise Malformed("an indefinite length on a primitive element")
    position = at + 2
    while data[position : position + 2] != b"\0\0":
        position = read(data, position, depth + 1).end
    return Element(tag, at, at + 2, position, position + 2)


def children(data: bytes, element: Element) -> Iterator[Element]:
    """Yield the elements directly inside *element*."""
    position = element.content
    while position < element.content_end:
        child = read(data, position)
        if child.end > element.content_end:
            raise Malformed("an element is longer than the one around it")
        yield child
        position = child.end


def classify(data: bytes) -> Kind | None:
    """Tell what the first element of *data* is; None where it is none of the kinds azcert knows.

    :raises Truncated: the data ends inside the element.
    """
    outer = read(data)
    try:
        if outer.tag != SEQUENCE:
            return None
        return _classify_sequence(data, list(children(data, outer)))
    except Malformed:
        return None


def _classify_sequence(data: bytes, parts: list[Element]) -> Kind | None:
    tags = [part.tag for part in parts]
    if tags[:1] == [OID]:
        name = data[parts[0].content : parts[0].content_end]
        return Kind.PKCS7 if name.startswith(_PKCS7) else Kind.TSS2_KEY if name.startswith(_TSS2) else None
    if tags[:1] == [INTEGER]:
        return _classify_numbered(data, parts, tags)
    if tags[:1] == [SEQUENCE]:
        inner = list(children(data, parts[0]))
        inner_tags = [part.tag for part in inner]
        if inner_tags[:1] == [OID]:
            return {OCTET_STRING: Kind.ENCRYPTED_PKCS8, BIT_STRING: Kind.PUBLIC_KEY}.get(
                tags[1] if len(tags) > 1 else 0
            )
        if inner_tags[:1] == [CONTEXT_0]:
            return Kind.CERTIFICATE
        if inner_tags[:1] == [SEQUENCE]:
            return Kind.CRL
        if inner_tags[:2] == [INTEGER, SEQUENCE]:
            # Certificate v1: serial, algorithm, issuer, validity; CRL v2: version, algorithm, issuer, time;
            # request: version, name, public key.
            algorithm = next(children(data, inner[1]), None)
            if algorithm is None or algorithm.tag != OID:
                return Kind.REQUEST
            return Kind.CRL if set(inner_tags[3:4]) & TIMES else Kind.CERTIFICATE
    return None


def _classify_numbered(data: bytes, parts: list[Element], tags: list[int]) -> Kind | None:
    version = number(data, parts[0])
    second = tags[1] if len(tags) > 1 else 0
    if second == SEQUENCE:
        return Kind.PKCS12 if version == _PKCS12_VERSION else Kind.PKCS8 if version in {0, 1} else None
    if second == OCTET_STRING and version == 1:
        return Kind.EC_KEY
    if second == INTEGER and version in {0, 1}:
        return {9: Kind.PKCS1, 10: Kind.PKCS1, 6: Kind.DSA_KEY}.get(len(parts))
    return None


def number(data: bytes, element: Element) -> int:
    """Return the value of an INTEGER."""
    return int.from_bytes(data[element.content : element.content_end], "big", signed=True)


def octets(data: bytes, element: Element) -> bytes:
    """Return the content of an OCTET STRING; BER may have cut it into pieces (X.690, 8.7.3)."""
    if not element.constructed:
        return data[element.content : element.content_end]
    return b"".join(octets(data, piece) for piece in children(data, element))


@contextmanager
def tolerated() -> Iterator[None]:
    """Silence what ``cryptography`` says about BER: OpenSSL, Java and Windows write it, unasked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def guess(data: bytes) -> str | None:
    """Name what a structure that lacks its end probably is, with an article; None where nobody can tell."""
    body = data[:64]
    if _PKCS7 in body:
        return "a PKCS#12 file" if b"\x02\x01\x03" in body[:12] else "a PKCS#7 structure"
    if b"\xa0\x03\x02\x01\x02" in body[:16]:
        return "a certificate"
    return None
