"""Tokens as callers get them: azure-core's types, which do not print the token.

A process that finds its token in a cache needs nothing else of azure-core, whose import would take longer
than all the rest. So these are made without it, field by field the same, and call themselves azure-core's
(``__class__``, as proxies do) to whoever asks with `isinstance`, who has imported it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from azcert._redact import REDACTED

if TYPE_CHECKING:
    from collections.abc import Hashable

    from azure.core.credentials import AccessToken, AccessTokenInfo
else:
    from collections import namedtuple

    AccessToken = namedtuple("AccessToken", ("token", "expires_on"))  # noqa: PYI024 - types come from azure-core
    AccessTokenInfo = object

__all__ = ["QuietToken", "QuietTokenInfo", "Slot"]


def _class(name: str) -> property:
    def azure_core_class(self: object) -> Any:
        known = sys.modules.get("azure.core.credentials")
        return type(self) if known is None else getattr(known, name)

    return property(azure_core_class)


class QuietToken(AccessToken):
    """azure-core's ``AccessToken`` whose repr hides the token."""

    __slots__ = ()

    __class__ = _class("AccessToken")

    def __reduce__(self) -> tuple[Any, ...]:
        return (QuietToken, tuple(self))

    def __repr__(self) -> str:
        return f"AccessToken(token='{REDACTED}', expires_on={self.expires_on})"


class QuietTokenInfo(AccessTokenInfo):
    """azure-core's ``AccessTokenInfo`` whose repr hides the token."""

    __slots__ = ("expires_on", "refresh_on", "token", "token_type")

    __class__ = _class("AccessTokenInfo")

    def __init__(self, token: str, expires_on: int, token_type: str, refresh_on: int) -> None:
        self.token = token
        self.expires_on = expires_on
        self.token_type = token_type
        self.refresh_on = refresh_on

    def __reduce__(self) -> tuple[Any, ...]:
        return (QuietTokenInfo, (self.token, self.expires_on, self.token_type, self.refresh_on))

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
        self.info = QuietTokenInfo(token, expires_on, token_type, refresh_on)
        self.expires_on = expires_on
        self.refresh_on = refresh_on
        self.fresh_until: float = min(refresh_on, expires_on)
        self.hits = 0
        self.swept_at = -1
        self.failures = 0
        self.names: tuple[Hashable, ...] = ()
