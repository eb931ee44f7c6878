"""Threads that stay, for calls that have no limit of their own and for what nobody waits for.

A thread that has used OpenSSL takes a lock of OpenSSL's when it ends, after `join` has returned. A child
forked at that moment, as by a server that asks for a token and then forks its workers, would find that lock
held for ever. So these do not end: up to 32 of them wait for the next call.
"""

from __future__ import annotations

import contextvars
import os
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["begin", "in_time"]

T = TypeVar("T")

_MOST_IDLE = 32

_idle: list[_Worker] = []


def in_time(call: Callable[[], T], seconds: float | None) -> T:
    """Return what *call* returns or raise what it raises, unless that takes longer.

    A socket bounds each wait, not their sum, and the look-up of a name not at all. So the call is made in
    another thread. One that is left behind, by a server that sends a byte now and then, is free again when
    the server ends, or goes with the program.

    :param seconds: None for no limit, and no thread.
    :raises TimeoutError: it took longer.
    """
    if seconds is None:
        return call()
    # What the caller has set, the span it is in for one, holds there too.
    job = _Job(call, contextvars.copy_context())
    try:
        _hand(job)
    except RuntimeError:
        # A program that is ending starts no threads; what it calls then has only limits of its own.
        return call()
    if not job.done.acquire(timeout=max(0.0, seconds)):
        job.waited_for = False
        raise TimeoutError(f"no whole answer in {seconds:.1f} s")
    error, job.error = job.error, None
    if error is None:
        result: T = job.result
        return result
    try:
        raise error
    finally:
        # Its traceback leads to these frames: no circle, which would keep sockets until it is collected.
        del error


def begin(call: Callable[[], None]) -> None:
    """Make a call in another thread and let it go; it must catch its own errors.

    :raises RuntimeError: a program that is ending starts no threads.
    """
    job = _Job(call, contextvars.Context())
    job.waited_for = False
    _hand(job)


class _Job:
    """One call and its outcome."""

    def __init__(self, call: Callable[[], Any], context: contextvars.Context) -> None:
        self._call = call
        self._context = context
        self.done = threading.Lock()
        self.done.acquire()
        self.waited_for = True
        self.result: Any = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._context.run(self._call)
        except BaseException as error:  # noqa: BLE001  (raised in the caller)
            if self.waited_for:
                self.error = error


class _Worker(threading.Thread):
    """Makes one call after another, and stays when there is none."""

    def __init__(self) -> None:
        super().__init__(name="azcert", daemon=True)
        self.jobs: SimpleQueue[_Job] = SimpleQueue()

    def run(self) -> None:
        stays = True
        while stays:
            job = self.jobs.get()
            job.run()
            stays = len(_idle) < _MOST_IDLE
            if stays:
                # Before the caller wakes, whose next call would start another thread.
                _idle.append(self)
            job.done.release()
            del job


def _hand(job: _Job) -> None:
    try:
        worker = _idle.pop()
    except IndexError:
        worker = _Worker()
        worker.start()
    worker.jobs.put(job)


if hasattr(os, "register_at_fork"):
    # The threads stay in the parent.
    os.register_at_fork(after_in_child=_idle.clear)
