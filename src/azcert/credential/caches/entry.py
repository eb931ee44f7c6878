"""What is kept of a token, under which key, and the interface every cache has."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from azcert._redact import Secret

__all__ = ["StoredToken", "TokenCache", "TokenKey"]


class TokenKey(NamedTuple):
    """Everything that makes one token another one; nothing in it is secret."""

    authority: str
    """Host of the authority, e.g. ``login.microsoftonline.com``: never a regional one."""
    tenant_id: str
    client_id: str
    scopes: tuple[str, ...]
    """Sorted, without duplicates."""
    enable_cae: bool
    thumbprint: str
    """SHA-256 thumbprint of the certificate in use: a token is never served to the holder of another one."""


class StoredToken(NamedTuple):
    """A token with its times, in seconds since the epoch."""

    token: Secret
    expires_on: int
    refresh_on: int
    """From here on a refresh ahead of time is due."""


class TokenCache(Protocol):
    """Keeps tokens. Safe for threads; what `shared` says decides for whom.

    A cache never fails a caller: what it cannot do costs a bounded time and one log line.
    """

    @property
    def shared(self) -> bool:
        """True where other processes see the same entries; then the caches' I/O may block."""

    def get(self, key: TokenKey) -> StoredToken | None:
        """Return the entry, expired or not, or None."""

    def put(self, key: TokenKey, token: StoredToken) -> None:
        """Keep the token in place of an older one."""

    def remove(self, key: TokenKey) -> None:
        """Forget the entry."""

    def lease(self, key: TokenKey, seconds: float) -> AbstractContextManager[bool]:
        """Enter with True for the one caller, among all processes, who should ask for this token now.

        Others wait, at most *seconds*, until that one has finished or died. They enter with False if it left
        something or their time is over, else the next one in line enters with True. Either way a caller reads
        the cache again first, and asks only if it has nothing: another may have finished just before.
        """

    def close(self) -> None:
        """Give back files and connections."""
