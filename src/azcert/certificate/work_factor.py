"""Whether opening a file with a password would take hours, because its maker chose an absurd work factor."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

from azcert.certificate.der import (
    CONSTRUCTED,
    INTEGER,
    MAX_DEPTH,
    OCTET_STRING,
    SEQUENCE,
    Element,
    Malformed,
    children,
    number,
    octets,
    read,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["costly"]

_SCRYPT = bytes.fromhex("2b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
# OpenSSL writes 2048 rounds, Windows 2000, OWASP asks for 600,000; a PKCS#12 has three such parts. This is a
# few seconds.
_MAX_ROUNDS = 6_000_000
# RFC 7914: scrypt takes 128 * N * r bytes, p times; OpenSSL writes 16 MiB.
_MAX_SCRYPT_BYTES = 1 << 28


def costly(data: bytes) -> str | None:
    """Describe the work factor if opening *data* with a password would take unreasonably long, else None.

    Looks for what PBES1, PBES2 and the PKCS#12 MAC have in common, a salt followed by a number of rounds, and
    adds them up: every part of a file is decrypted by itself.
    """
    rounds = memory = 0
    for content, sequence in _sequences(data, 0):
        parts = list(children(content, sequence))
        for position, (salt, count) in enumerate(itertools.pairwise(parts)):
            if salt.tag != OCTET_STRING or count.tag != INTEGER:
                continue
            if content[max(0, sequence.start - len(_SCRYPT)) : sequence.start] == _SCRYPT:
                # RFC 7914, 7.1: salt, cost N, block size r, parallelization p.
                numbers = [number(content, each) for each in parts[position + 1 : position + 4]]
                memory += max(0, 128 * math.prod(numbers))
            else:
                rounds += max(0, number(content, count))
    if memory > _MAX_SCRYPT_BYTES:
        return f"scrypt with {memory:,} bytes of memory"
    return f"{rounds:,} rounds" if rounds > _MAX_ROUNDS else None


def _sequences(data: bytes, depth: int) -> Iterator[tuple[bytes, Element]]:
    """Yield every SEQUENCE with the bytes it is in, also those wrapped in OCTET STRINGs as PKCS#12 does."""
    position = 0
    while position < len(data) and depth < MAX_DEPTH:
        try:
            element = read(data, position)
            inner = list(children(data, element)) if element.constructed else []
        except Malformed:
            return
        if element.tag == SEQUENCE and inner:
            yield data, element
        if element.tag in {OCTET_STRING, OCTET_STRING | CONSTRUCTED}:
            yield from _sequences(octets(data, element), depth + 1)
        elif element.constructed:
            yield from _sequences(data[element.content : element.content_end], depth + 1)
        position = element.end
