"""What a secrets cache may answer and when it asks again: decisions over times, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CacheRules", "Freshness", "judge", "pause_after"]

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_LONGEST_WANTED = 3600.0


@dataclass(frozen=True)
class CacheRules:
    """How long secrets are kept; seconds.

    :param ttl: how long the newest version of a secret is answered without asking.
    :param pinned_ttl: the same for a version named in the request; a version's value never changes, only its
        being enabled.
    :param refresh_ahead: so long before the end of its time a value that is read is asked for in the
        background; None for a fifth of the time.
    :param stale: how long after its time a value is answered while Key Vault cannot be reached.
    :param patience: how long a reader waits for Key Vault when a stale value could be answered.
    :param capacity: how many secrets are kept; the one not read for longest goes first.
    :raises azcert.errors.ConfigurationError: a number is negative, or a capacity is not at least 1.
    """

    ttl: float = 600.0
    pinned_ttl: float = 86400.0
    refresh_ahead: float | None = None
    stale: float = 3600.0
    patience: float = 2.0
    capacity: int = 1000

    def __post_init__(self) -> None:
        for name in ("ttl", "pinned_ttl", "stale", "patience"):
            if not getattr(self, name) >= 0:
                raise ConfigurationError(
                    f"The cache's {name} is {getattr(self, name)!r}; it is at least 0 seconds.",
                    code="wrong-value",
                )
        if self.refresh_ahead is not None and not self.refresh_ahead >= 0:
            raise ConfigurationError("The cache's refresh_ahead is negative.", code="wrong-value")
        if self.capacity < 1:
            raise ConfigurationError("The cache's capacity is at least 1.", code="wrong-value")

    def lifetime(self, *, pinned: bool) -> float:
        """Return how long a value is fresh."""
        return self.pinned_ttl if pinned else self.ttl

    def due(self, *, pinned: bool) -> float:
        """Return the age at which a value is asked for again in the background."""
        lifetime = self.lifetime(pinned=pinned)
        ahead = lifetime / 5 if self.refresh_ahead is None else self.refresh_ahead
        return max(0.0, lifetime - ahead)


class Freshness(Enum):
    """What may be done with a value of some age."""

    FRESH = "answer it"
    DUE = "answer it, and ask in the background"
    STALE = "ask; answer it if Key Vault cannot"
    GONE = "ask"


def judge(age: float, rules: CacheRules, *, pinned: bool) -> Freshness:
    """Return what may be done with a value of *age* seconds."""
    if age < rules.due(pinned=pinned):
        return Freshness.FRESH
    lifetime = rules.lifetime(pinned=pinned)
    if age < lifetime:
        return Freshness.DUE
    return Freshness.STALE if age < lifetime + rules.stale else Freshness.GONE


def pause_after(failures: int, headers: Mapping[str, str]) -> float:
    """Return how many seconds nobody asks again after *failures* in a row; ``Retry-After`` is heeded.

    Source: RFC 9110, section 10.2.3; a date counts from the answer's own ``Date``.
    """
    wanted = _retry_after({name.lower(): value for name, value in headers.items()})
    if wanted is not None:
        return min(max(wanted, _FIRST_PAUSE), _LONGEST_WANTED)
    return float(min(_FIRST_PAUSE * 2 ** min(failures - 1, 10), _LONGEST_PAUSE))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    if not text:
        return None
    from email.utils import parsedate_to_datetime  # settings are read without it

    try:
        return (parsedate_to_datetime(text) - parsedate_to_datetime(headers["date"])).total_seconds()
    except (KeyError, TypeError, ValueError):  # TypeError: only one of them has a time zone
        return None
