"""What a secrets cache holds and decides: answers, questions on their way, and when not to ask; no waiting.

Values live in this process's memory alone: answers are not pickled and never shown.
"""

from __future__ import annotations

import logging
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from azcert.vault.outcome import Outcome, judge_answer, judge_error
from azcert.vault.policy import Freshness, judge, pause_after
from azcert.vault.requests import ANY

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from azcert.vault.policy import CacheRules
    from azcert.vault.requests import Change, Read

__all__ = ["Answer", "Flight", "Look", "SecretTable", "Statistics"]

_log = logging.getLogger("azcert.vault")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of Key Vault, with its body."""

    status: int
    reason: str | None
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def __reduce__(self) -> str:
        raise TypeError("a cached secret is not pickled")


@dataclass
class Statistics:
    """What a cache did.

    :param hits: reads that needed no request of their own.
    :param requests: requests that went to Key Vault for reads, retries not counted.
    :param stale: reads answered with a value past its time because Key Vault was in trouble.
    """

    hits: int = 0
    requests: int = 0
    stale: int = 0


class _Event(Protocol):
    def set(self) -> None: ...


E = TypeVar("E", bound=_Event)


@dataclass(eq=False)
class Flight(Generic[E]):
    """A question on its way to Key Vault, and once it has landed what it brought.

    :param began: when it was asked, by the cache's clock.
    :param landed: is set then.
    :param here: the event loop whose tasks may wait for it.
    :param outcome: None while it is on its way, and if it was abandoned: then somebody else asks.
    """

    read: Read
    began: float
    landed: E
    here: Hashable
    outcome: Outcome | None = None
    found: Answer | Exception | None = field(default=None, repr=False)
    outdated: bool = False


@dataclass(frozen=True, slots=True)
class Look(Generic[E]):
    """What a read finds.

    :param kept: the answer that may be given.
    :param flight: the question that is on its way.
    :param leads: nobody else asks it.
    :param stale: the answer is past its time: a fresh one is better.
    :param patience: seconds for which a fresh one is worth waiting.
    """

    kept: Answer | None
    flight: Flight[E] | None = None
    leads: bool = False
    stale: bool = False
    patience: float = math.inf

    @property
    def asks(self) -> Flight[E] | None:
        """The question that this reader is to ask."""
        return self.flight if self.leads else None

    @property
    def awaits(self) -> Flight[E] | None:
        """The question whose answer may be better than what is kept."""
        return self.flight if self.kept is None or (self.stale and self.patience > 0) else None


@dataclass(slots=True)
class _Entry:
    read: Read
    answer: Answer
    at: float


@dataclass
class _Trouble:
    failures: int = 0
    until: float = 0.0


class SecretTable(Generic[E]):
    """The state of one cache; with threads the caller holds a lock around each call.

    :param rules: how long answers are kept.
    :param new_event: makes what readers wait on.
    :param here: the running event loop, None for threads.
    """

    def __init__(
        self, rules: CacheRules, new_event: Callable[[], E], here: Callable[[], Hashable] = lambda: None
    ) -> None:
        self.rules = rules
        self.statistics = Statistics()
        self._new_event = new_event
        self._here = here
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._flights: dict[str, Flight[E]] = {}
        self._troubles: dict[str, _Trouble] = {}

    def look(self, read: Read, now: float, *, newest: bool = False) -> Look[E]:
        """Return what a read finds, and whether its reader is the one to ask.

        :param newest: only Key Vault's own answer will do.
        """
        entry = None if newest else self._entries.get(read.url)
        if entry is None:
            return self._join(read, None, now)
        freshness = judge(now - entry.at, self.rules, pinned=read.pinned)
        if freshness is Freshness.GONE:
            del self._entries[read.url]
            return self._join(read, None, now)
        self._entries.move_to_end(read.url)
        stale = freshness is Freshness.STALE
        if freshness is Freshness.FRESH or self._pauses(read.vault, now):
            return Look(entry.answer, stale=stale)
        return self._join(read, entry.answer, now, stale=stale)

    def _pauses(self, vault: str, now: float) -> bool:
        trouble = self._troubles.get(vault)
        return trouble is not None and now < trouble.until

    def _join(self, read: Read, kept: Answer | None, now: float, *, stale: bool = False) -> Look[E]:
        here = self._here()
        flight = self._flights.get(read.url)
        # A flight of an event loop that has ended never lands.
        leads = flight is None or flight.here is not here
        if flight is None or leads:
            flight = self._flights[read.url] = Flight(read, now, self._new_event(), here)
            self.statistics.requests += 1
        # The first readers wait; who comes when the question has been out for so long already does not.
        patience = math.inf if kept is None else flight.began + self.rules.patience - now
        return Look(kept, flight, leads, stale, patience)

    def settle(self, flight: Flight[E], found: Answer | Exception | None, now: float) -> None:
        """Note what a flight brought, None if it was abandoned, and wake those who wait for it."""
        if self._flights.get(flight.read.url) is flight:
            del self._flights[flight.read.url]
        if found is not None:
            flight.found = found
            flight.outcome = (
                judge_error(found) if isinstance(found, Exception) else judge_answer(found.status, found.body)
            )
            self._learn(flight.read, flight.outcome, found, now, outdated=flight.outdated)
        flight.landed.set()

    def _learn(
        self, read: Read, outcome: Outcome, found: Answer | Exception, now: float, *, outdated: bool
    ) -> None:
        if outcome is Outcome.TROUBLE:
            self._note_trouble(read, found, now)
            return
        if self._troubles.pop(read.vault, None) is not None:
            _log.info("Key Vault %s answers again.", read.vault)
        if outdated:
            return  # asked for before a write
        if outcome is Outcome.DROP or isinstance(found, Exception):
            self._entries.pop(read.url, None)
            return
        self._entries[read.url] = _Entry(read, found, now)
        self._entries.move_to_end(read.url)
        while len(self._entries) > self.rules.capacity:
            self._entries.popitem(last=False)

    def _note_trouble(self, read: Read, found: Answer | Exception, now: float) -> None:
        trouble = self._troubles.setdefault(read.vault, _Trouble())
        trouble.failures += 1
        headers = found.headers if isinstance(found, Answer) else {}
        trouble.until = now + pause_after(trouble.failures, headers)
        if trouble.failures == 1:
            said = f"answered {found.status}" if isinstance(found, Answer) else type(found).__name__
            _log.warning(
                "Key Vault %s is in trouble (%s, reading %s): secrets that are kept are answered for up to "
                "%.0f seconds past their time.",
                read.vault,
                said,
                read.secret,
                self.rules.stale,
            )

    def result(self, look: Look[E]) -> Answer | None:
        """Return what a read answers once its flight has landed or its patience has ended.

        None means to look again: the flight was abandoned.

        :raises Exception: what the question ended with.
        """
        flight = look.awaits
        told = None if flight is None else flight.outcome
        if flight is not None and told is not None and (told is not Outcome.TROUBLE or look.kept is None):
            self.statistics.hits += not look.leads
            if isinstance(flight.found, Exception):
                raise flight.found
            return flight.found
        if look.kept is not None:
            self.statistics.stale += look.stale
            self.statistics.hits += not look.stale
        return look.kept

    def forget(self, change: Change) -> None:
        """Forget all versions of a secret that may be changed, and answers still on their way."""
        mine = [url for url, entry in self._entries.items() if _concerns(change, entry.read)]
        for url in mine:
            del self._entries[url]
        for flight in list(self._flights.values()):
            if _concerns(change, flight.read):
                self._leave(flight)

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        for flight in list(self._flights.values()):
            self._leave(flight)

    def _leave(self, flight: Flight[E]) -> None:
        # Who waits for it gets its answer; who comes later asks anew.
        flight.outdated = True
        del self._flights[flight.read.url]

    def after_fork(self) -> None:
        """Forget questions whose threads stayed in the parent process."""
        self._flights.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<SecretTable of {len(self._entries)} secrets>"


def _concerns(change: Change, read: Read) -> bool:
    return change.vault == read.vault and change.secret in {ANY, read.secret}
