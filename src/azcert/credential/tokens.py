"""Tokens as callers get them: azure-core's types, which do not print the token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core.credentials import AccessToken, AccessTokenInfo

from azcert._redact import REDACTED

if TYPE_CHECKING:
    from collections.abc import Hashable

__all__ = ["QuietToken", "QuietTokenInfo", "Slot"]


class QuietToken(AccessToken):
    """azure-core's ``AccessToken`` whose repr hides the token."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"AccessToken(token='{REDACTED}', expires_on={self.expires_on})"


class QuietTokenInfo(AccessTokenInfo):
    """azure-core's ``AccessTokenInfo`` whose repr hides the token."""

    def __repr__(self) -> str:
        return (
            f"AccessTokenInfo(token='{REDACTED}', expires_on={self.expires_on}, "
            f"token_type='{self.token_type}', refresh_on={self.refresh_on})"
        )


class Slot:
    """One token in memory, ready to be handed out.

    ``fresh_until`` is all that a hit compares with the clock: until then there is nothing to decide. It is
    moved on while a refresh is under way or pausing, but never past the token's end. ``hits`` counts and, by
    having moved since the last sweep, tells that the token is in use.
    """

    __slots__ = (
        "expires_on",
        "failures",
        "fresh_until",
        "hits",
        "info",
        "names",
        "refresh_on",
        "swept_at",
        "token",
    )

    def __init__(
        self,
        token: str,
        *,
        expires_on: int,
        refresh_on: int,
        token_type: str = "Bearer",  # noqa: S107  (OAuth's word, not a password)
    ) -> None:
        self.token = QuietToken(token, expires_on)
        self.info = QuietTokenInfo(token, expires_on, token_type=token_type, refresh_on=refresh_on)
        self.expires_on = expires_on
        self.refresh_on = refresh_on
        self.fresh_until: float = min(refresh_on, expires_on)
        self.hits = 0
        self.swept_at = -1
        self.failures = 0
        self.names: tuple[Hashable, ...] = ()
