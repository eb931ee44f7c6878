"""What the engine did, told to one function: the hook for counters of any kind."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from azcert.credential.fork_lock import ForkLock

__all__ = ["Counters", "Event", "EventKind", "OnEvent"]


class EventKind(enum.StrEnum):
    """What happened. Hits are not among them: telling about them would cost more than they do."""

    REQUEST = "request"
    """A request to the token endpoint was answered or failed; ``seconds`` is how long it took."""
    REFRESH = "refresh"
    """A token was renewed ahead of time; ``seconds`` is how long that took."""
    FAILURE = "failure"
    """No token was got; ``code`` says why: Entra's code, such as ``AADSTS700027``, or the error's."""
    WAITER = "waiter"
    """A caller waited for a request that another one had begun."""
    SIGNED = "signed"
    """A key signed an assertion; ``seconds`` is how long it took."""
    CACHE_HIT = "cache_hit"
    """A token came from the persistent or shared cache."""


class Event(NamedTuple):
    """One thing that happened; nothing in it is secret."""

    kind: EventKind
    tenant_id: str
    scopes: tuple[str, ...]
    seconds: float = 0.0
    code: str | None = None


OnEvent = Callable[[Event], None]
"""Called in the thread or loop where it happened; it should return quickly. What it raises is logged only."""


class Counters:
    """A ready-made hook: totals per kind, as numbers and in Prometheus' text format.

    ::

        counters = Counters()
        credential = CertificateCredential(..., on_event=counters)
        print(counters.prometheus(hits=credential.hit_count))
    """

    def __init__(self) -> None:
        self._lock = ForkLock()
        self._count: dict[EventKind, int] = defaultdict(int)
        self._seconds: dict[EventKind, float] = defaultdict(float)

    def __call__(self, event: Event) -> None:
        """Count one event."""
        with self._lock:
            self._count[event.kind] += 1
            self._seconds[event.kind] += event.seconds

    def count(self, kind: EventKind) -> int:
        """Return how often that happened."""
        return self._count.get(kind, 0)

    def seconds(self, kind: EventKind) -> float:
        """Return how long that took altogether."""
        return self._seconds.get(kind, 0.0)

    def prometheus(self, *, hits: int | None = None) -> str:
        """Return the totals in Prometheus' text exposition format.

        :param hits: a credential's ``hit_count``, to have it among them.
        """
        lines = ["# TYPE azcert_events_total counter"]
        lines += [f'azcert_events_total{{kind="{kind}"}} {self.count(kind)}' for kind in EventKind]
        lines.append("# TYPE azcert_seconds_total counter")
        timed = (EventKind.REQUEST, EventKind.REFRESH, EventKind.SIGNED)
        lines += [f'azcert_seconds_total{{kind="{kind}"}} {self.seconds(kind):.6f}' for kind in timed]
        if hits is not None:
            lines += ["# TYPE azcert_hits_total counter", f"azcert_hits_total {hits}"]
        return "\n".join(lines) + "\n"
