"""Secrets as a type: what must not be printed cannot be printed by accident."""

from __future__ import annotations

__all__ = ["REDACTED", "Secret"]

REDACTED = "[redacted]"


class Secret:
    """A password, PIN, token or secret value whose text only `reveal` gives.

    ``str``, ``repr``, ``format`` and pickling never show it.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the secret text."""
        return self._text

    def reveal_bytes(self) -> bytes:
        """Return the secret text as UTF-8."""
        return self._text.encode()

    def __repr__(self) -> str:
        return f"Secret({REDACTED})"

    def __str__(self) -> str:
        return REDACTED

    def __reduce__(self) -> str:
        raise TypeError("a Secret is not pickled: hand its origin to the other process instead")
