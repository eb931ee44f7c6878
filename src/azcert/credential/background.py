"""Refreshes ahead of time, a few at once, in threads that never hold up the program's end."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from azcert._threads import begin

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Background"]

_MOST_THREADS = 4


class Background:
    """Runs jobs that catch their own errors."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._jobs: deque[Callable[[], None]] = deque()
        self._threads = 0

    def start(self, job: Callable[[], None]) -> bool:
        """Run the job soon; tell whether that is possible: a process that is ending starts no threads."""
        with self._lock:
            self._jobs.append(job)
            if self._threads >= _MOST_THREADS:
                return True
            self._threads += 1
        try:
            begin(self._work)
        except RuntimeError:
            with self._lock:
                self._threads -= 1
                alone = not self._threads
                if alone:
                    self._jobs.clear()
            return not alone
        return True

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._threads -= 1
                    return
                job = self._jobs.popleft()
            job()
