"""What a secrets cache may answer and when it asks again: decisions over times, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CacheRules", "Freshness", "Outcome", "judge", "judge_answer", "pause_after"]

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0
_OK, _MULTIPLE = 200, 300
_THROTTLED, _TIMEOUT, _SERVER = 429, 408, 500


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


class Outcome(Enum):
    """What an answer of Key Vault says about a secret."""

    KEEP = "a value: keep it"
    DROP = "there is none for this reader: forget the value"
    TROUBLE = "nothing: Key Vault is in trouble"


def judge(age: float | None, rules: CacheRules, *, pinned: bool) -> Freshness:
    """Return what may be done with a value of *age* seconds; None is no value."""
    if age is None or age < 0:
        return Freshness.GONE
    if age < rules.due(pinned=pinned):
        return Freshness.FRESH
    lifetime = rules.lifetime(pinned=pinned)
    if age < lifetime:
        return Freshness.DUE
    return Freshness.STALE if age < lifetime + rules.stale else Freshness.GONE


def judge_answer(status: int) -> Outcome:
    """Return what the status of an answer to a read says.

    403 and 404 are answers: access was taken away, the secret was deleted or disabled.
    """
    if _OK <= status < _MULTIPLE:
        return Outcome.KEEP
    if status in {_THROTTLED, _TIMEOUT} or status >= _SERVER:
        return Outcome.TROUBLE
    return Outcome.DROP


def pause_after(failures: int, headers: Mapping[str, str]) -> float:
    """Return how many seconds nobody asks again after *failures* in a row; ``Retry-After`` is heeded."""
    wanted = headers.get("retry-after") or headers.get("Retry-After") or ""
    if wanted.isascii() and wanted.isdigit():
        return min(max(float(wanted), _FIRST_PAUSE), _LONGEST_PAUSE)
    return float(min(_FIRST_PAUSE * 2 ** min(failures - 1, 10), _LONGEST_PAUSE))
