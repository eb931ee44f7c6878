"""The names of a directory, made fit to be shown: anybody who may register an app chooses them."""

from __future__ import annotations

import unicodedata

__all__ = ["plain", "shortened"]

_HIDDEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def plain(text: str) -> str:
    """Return *text* without what would move a cursor, recolour a terminal or turn the reading direction."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if unicodedata.category(each) in _HIDDEN else each for each in text
    )


def shortened(text: str, width: int) -> str:
    """Return *text* in at most *width* characters."""
    return text if len(text) <= width else text[: width - 1] + "…"
