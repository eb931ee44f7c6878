"""Thumbprints as people paste them: with spaces, colons, dashes and characters nobody sees."""

from __future__ import annotations

import string
import unicodedata

from azcert.errors import SourceError

__all__ = ["SHA1_DIGITS", "SHA256_DIGITS", "read_thumbprint"]

SHA1_DIGITS = 40
SHA256_DIGITS = 64

# Format (U+200E, U+200F, zero width, BOM), control, space and dash characters carry no digit. The Windows
# certificate dialog puts U+200E in front of what is copied from it (Microsoft KB2023835).
_NOISE = {"Cf", "Cc", "Zs", "Zl", "Zp", "Pd"}


def read_thumbprint(text: str) -> str:
    """Return the thumbprint in *text* as upper-case hex, without separators and invisible characters.

    :raises azcert.errors.SourceError: what is left is not exactly 40 (SHA-1) or 64 (SHA-256) hex digits.
        ``details["position"]`` is the offset of the first wrong character, or the length of *text*.
    """
    kept = [
        (at, char) for at, char in enumerate(text) if char != ":" and unicodedata.category(char) not in _NOISE
    ]
    wrong = next(((at, char) for at, char in kept if char not in string.hexdigits), None)
    if wrong is not None:
        raise _malformed(f"{_named(wrong[1])} is not a hexadecimal digit", wrong[0])
    if len(kept) not in {SHA1_DIGITS, SHA256_DIGITS}:
        raise _malformed(f"it has {len(kept)} hexadecimal digits", len(text))
    return "".join(char for _, char in kept).upper()


def _named(char: str) -> str:
    return repr(char) if char.isascii() else f"{char!r} ({unicodedata.name(char, f'U+{ord(char):04X}')})"


def _malformed(found: str, position: int) -> SourceError:
    return SourceError(
        f"This is not a thumbprint: {found}; expected {SHA1_DIGITS} (SHA-1) or {SHA256_DIGITS} (SHA-256).",
        code="malformed-thumbprint",
        remedy="Copy the thumbprint again, or run 'azcert list' to see it.",
        position=position,
    )
