"""A circuit breaker: what has just failed is left alone for a while, so that its failure costs little."""

from __future__ import annotations

import random
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Breaker"]

_JITTER = 0.2


class Breaker:
    """Open after a failure, for a pause that doubles with each further one; then one caller tries again.

    Takes no lock, so that it can neither delay a caller nor be left locked by a fork: two threads that fail
    at the same moment at worst count one failure twice.

    :param first: seconds of the first pause, shortened or lengthened by up to a fifth.
    :param longest: seconds no pause exceeds.
    """

    def __init__(
        self, *, first: float = 1.0, longest: float = 30.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._first = first
        self._longest = longest
        self._clock = clock
        self._failures = 0
        self._closed_from = 0.0

    def allows(self) -> bool:
        """Tell whether to try. After a pause one caller is told yes, and the rest wait for how it goes."""
        if not self._failures:
            return True
        now = self._clock()
        if now < self._closed_from:
            return False
        self._closed_from = now + self._first
        return True

    def failed(self) -> tuple[bool, float]:
        """Count a failure; return whether it is the first in a row, and the seconds until the next try."""
        pause = min(self._first * 2**self._failures, self._longest)
        pause *= random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - spreads retries, keeps no secret
        pause = min(pause, self._longest)
        first = self._failures == 0
        self._failures += 1
        self._closed_from = self._clock() + pause
        return first, pause

    def worked(self) -> bool:
        """Note a success; return whether failures came before it."""
        recovered = self._failures > 0
        self._failures = 0
        return recovered
