"""One request under way, and what those who wait for it get."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azcert.credential.tokens import Slot

__all__ = ["Flight"]


_OVERDUE = 0.5
"""Seconds a flight has beyond its deadline: its last request ends, its lease is given back."""


class Flight:
    """The outcome of one request, once it has landed: a token, an error, or neither where it was abandoned.

    :param deadline: of whoever began it, by the monotonic clock.
    :param patient: false for a refresh ahead of time, which gives up at the first failure.
    """

    def __init__(self, deadline: float, *, patient: bool) -> None:
        self.deadline = deadline
        self.patient = patient
        self.slot: Slot | None = None
        self.error: Exception | None = None

    def is_lost(self, now: float) -> bool:
        """Tell whether it should long have landed: whoever comes now begins another one.

        What it waits for cannot be interrupted: a device that hangs, a transport's thread.

        :param now: by the monotonic clock.
        """
        return now > self.deadline + _OVERDUE

    def result_for(self, deadline: float) -> Slot | None:
        """Return the token, raise the error, or return None where the waiter should try for itself.

        That is so after a flight without outcome, a refresh that gave up early, and a flight that ran out of
        time before a next try (`OutOfTimeError`), if that is in time for the waiter.

        :param deadline: the waiter's.
        """
        error = self.error
        if error is None:
            return self.slot
        until: float = getattr(error, "until", float("inf"))
        if deadline > until or not self.patient:
            return None
        raise _own_copy(error)


def _own_copy(error: Exception) -> Exception:
    """Return a copy to raise: one exception raised in many threads would gather all their tracebacks."""
    try:
        twin = copy.copy(error)
    except TypeError:
        # An exception whose constructor wants more than its args: shared after all.
        return error
    twin.__dict__.update(error.__dict__)
    twin.__cause__ = error.__cause__
    return twin
