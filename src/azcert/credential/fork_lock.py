"""A lock that a forked child finds open, whoever held it in the parent at that moment."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from azcert.credential.forks import renew_after_fork

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["ForkLock"]


class ForkLock:
    """A mutex for ``with``; a child process begins with a new one (gunicorn and Celery fork with threads)."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._after_fork()
        renew_after_fork(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
