"""Warnings that come once, not once per call: a cache that is gone is asked thousands of times a second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

__all__ = ["RareLog"]


class RareLog:
    """Writes a warning about one matter at most once per *pause* seconds."""

    def __init__(
        self, logger: logging.Logger, *, pause: float = 60.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._pause = pause
        self._clock = clock
        self._next: dict[str, float] = {}

    def warning(self, matter: str, message: str, *arguments: object) -> None:
        """Log unless the same *matter* was logged a moment ago. Matters are few and fixed names."""
        now = self._clock()
        if now >= self._next.get(matter, now):
            self._next[matter] = now + self._pause
            self._logger.warning(message, *arguments)
