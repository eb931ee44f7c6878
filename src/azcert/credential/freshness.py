"""Use, refresh early, must refresh: a pure function of times, and the rule that sets them.

The rule, in seconds from the answer:

* where the service says ``refresh_in``, a refresh is due then;
* else a token that lives two hours or more is refreshed at half its life (azure-identity's rule);
* else when a fifth of its life is left: 12 minutes for the usual hour, so that an outage of that length
  passes unnoticed.

From that moment up to a twentieth of the life is taken off, the same share in one process and another one in
the next, so that a fleet that started together does not ask together.
"""

from __future__ import annotations

import enum
import os

__all__ = ["Freshness", "freshness", "process_share", "refresh_pause", "refresh_time"]

_LONG_LIVED = 7200
_SHORT_LIVED_REST = 5
_JITTER = 20
_FIRST_PAUSE = 30.0
_LONGEST_PAUSE = 300.0


class Freshness(enum.Enum):
    """What to do with a token."""

    USE = "use"
    REFRESH_EARLY = "refresh early"
    MUST_REFRESH = "must refresh"


def freshness(now: float, *, refresh_on: float, expires_on: float) -> Freshness:
    """Decide about a token; all times in seconds since the epoch."""
    if now >= expires_on:
        return Freshness.MUST_REFRESH
    return Freshness.REFRESH_EARLY if now >= refresh_on else Freshness.USE


def refresh_time(issued_on: int, expires_in: int, refresh_in: int | None, share: float) -> int:
    """Return when a refresh ahead of time is due, in seconds since the epoch; never after the token's end.

    :param issued_on: when the answer came, in seconds since the epoch.
    :param refresh_in: what the service said, or None.
    :param share: this process's share of the jitter, from 0 to 1.
    """
    if refresh_in is not None and 0 < refresh_in <= expires_in:
        due = refresh_in
    elif expires_in >= _LONG_LIVED:
        due = expires_in // 2
    else:
        due = expires_in - expires_in // _SHORT_LIVED_REST
    return issued_on + max(0, due - int(share * expires_in / _JITTER))


def refresh_pause(failures: int, share: float) -> float:
    """Return the seconds to the next try after so many failed early refreshes in a row.

    Half a minute at first, twice as long each time, five minutes at most; of that a random part from half to
    all.
    """
    return min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** min(failures - 1, 10)) * (0.5 + share / 2)


_shares: dict[int, float] = {}


def process_share() -> float:
    """Return this process's share of the jitter: from 0 to 1, another one after a fork."""
    pid = os.getpid()
    share = _shares.get(pid)
    if share is None:
        # Where two threads come first at once, one share is kept. Those of parents stay: they are few.
        share = _shares.setdefault(pid, int.from_bytes(os.urandom(6), "big") / (1 << 48))
    return share
