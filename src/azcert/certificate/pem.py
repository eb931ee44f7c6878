"""PEM text: from bytes in any encoding people save them in, to labelled blocks (RFC 7468, RFC 1421)."""

from __future__ import annotations

import base64
import binascii
import re
from typing import NamedTuple

__all__ = ["Block", "decode_base64", "find_blocks", "text_of"]

_BOUNDARY = re.compile(r"-----(BEGIN|END) ([A-Z0-9 #]{1,64})-----")
_HEADER = re.compile(r"^[ \t]*([A-Za-z-]+):[ \t]*([^\r\n]*)$", re.MULTILINE)
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]+={0,2}")
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_PROBE = 64
_SHORTEST_UTF16 = 4
_SPACE = 0x20


class Block(NamedTuple):
    """One PEM block: its *label*, RFC 1421 *headers* and *body*, the base64 text without white space."""

    label: str
    headers: dict[str, str]
    body: str

    def __repr__(self) -> str:
        # The body may be a private key.
        return f"<Block {self.label}>"

    @property
    def legacy_encrypted(self) -> bool:
        """True for OpenSSL's own encryption, announced in ``Proc-Type`` (not PKCS#8's)."""
        return "ENCRYPTED" in self.headers.get("Proc-Type", "")

    def pem(self) -> bytes:
        """Return the block in the strict form every parser reads."""
        lines = [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [""] * bool(lines)
        lines += [self.body[at : at + 64] for at in range(0, len(self.body), 64)]
        return "\n".join(
            [f"-----BEGIN {self.label}-----", *lines, f"-----END {self.label}-----", ""]
        ).encode()


def text_of(data: bytes) -> tuple[str, str] | None:
    """Return *data* as text with the name of its encoding, None where it is binary.

    UTF-16 is what PowerShell's ``>`` writes, with a byte order mark; ``-Encoding`` can leave the mark away.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding)
    probe = data[: 2 * _PROBE]
    if len(probe) >= _SHORTEST_UTF16:
        if not any(probe[1::2]) and all(probe[0::2]):
            return _decoded(data, "utf-16-le")
        if not any(probe[0::2]) and all(probe[1::2]):
            return _decoded(data, "utf-16-be")
    if b"\0" in data:
        return None
    # Comments between blocks may be in any legacy code page; the blocks themselves are ASCII.
    return _decoded(data, "utf-8") or (data.decode("latin-1"), "latin-1") if _mostly_text(data) else None


def _decoded(data: bytes, encoding: str) -> tuple[str, str] | None:
    try:
        # A UTF-16 file that was cut may end inside a letter; the blocks say what is missing.
        return data.decode(encoding, "replace" if encoding.startswith("utf-16") else "strict"), encoding
    except UnicodeDecodeError:
        return None


def _mostly_text(data: bytes) -> bool:
    probe = data[:1024]
    odd = sum(byte < _SPACE and byte not in b"\t\n\r\f\x1a" for byte in probe)
    return odd * 50 <= len(probe)


def find_blocks(text: str) -> tuple[list[Block], str | None]:
    r"""Return the complete PEM blocks of *text* in order, and the label of one that begins but never ends.

    Anything between blocks is ignored. Line breaks spelt ``\n``, as environment files and JSON carry them,
    count as line breaks.
    """
    if "\\n" in text and "-----BEGIN" in text:
        text = text.replace("\\r", "").replace("\\n", "\n")
    blocks: list[Block] = []
    unfinished: str | None = None
    begun: re.Match[str] | None = None
    for boundary in _BOUNDARY.finditer(text):
        if boundary[1] == "BEGIN":
            unfinished = begun[2] if begun else unfinished
            begun = boundary
        elif begun and begun[2] == boundary[2]:
            blocks.append(_block(begun[2], text[begun.end() : boundary.start()]))
            begun = None
    return blocks, begun[2] if begun else unfinished


def _block(label: str, inner: str) -> Block:
    headers: dict[str, str] = {}
    if ":" in inner:
        for found in _HEADER.finditer(inner):
            headers[found[1]] = found[2].strip()
        inner = _HEADER.sub("", inner)
    return Block(label, headers, "".join(inner.split()))


def decode_base64(text: str) -> bytes | None:
    """Return the bytes of standard or URL-safe base64, wrapped or not, padded or not; None if it is not."""
    stripped = "".join(text.split()).strip("\"'")
    if not stripped or not _BASE64.fullmatch(stripped):
        return None
    standard = stripped.rstrip("=").replace("-", "+").replace("_", "/")
    if len(standard) % 4 == 1:
        # One letter carries six bits, no byte: the text was cut there.
        standard = standard[:-1]
    try:
        return base64.b64decode(standard + "=" * (-len(standard) % 4))
    except binascii.Error:
        return None
