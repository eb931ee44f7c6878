"""The few things async code needs of its event loop, for asyncio and for trio alike.

azure-core has transports for both, so the credential runs on both. trio is never imported by azcert unless
the program runs on it.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Hashable

__all__ = ["Event", "current_loop", "in_thread", "limit", "new_event", "sleep", "start", "wait_for"]

T = TypeVar("T")

# asyncio keeps only weak references to tasks.
_TASKS: set[asyncio.Task[None]] = set()


class Event(Protocol):
    """What asyncio's and trio's events have in common."""

    def set(self) -> None:
        """Wake everyone who waits."""

    async def wait(self) -> Any:
        """Wait until it is set."""


def _trio() -> Any:
    """Return trio if the caller runs on it, else None."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_run() else None


def current_loop() -> Hashable:
    """Return something that is the same within one event loop, and never comes again after it."""
    trio = _trio()
    return trio.lowlevel.current_trio_token() if trio else asyncio.get_running_loop()


def new_event() -> Event:
    """Return an event of the running loop."""
    trio = _trio()
    event: Event = trio.Event() if trio else asyncio.Event()
    return event


async def wait_for(event: Event, seconds: float) -> None:
    """Wait until the event is set, at most so long."""
    trio = _trio()
    if trio:
        with trio.move_on_after(max(0.0, seconds)):
            await event.wait()
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


@contextlib.asynccontextmanager
async def limit(seconds: float | None) -> AsyncIterator[None]:
    """Cancel what is awaited inside after so long; None for no limit.

    :raises TimeoutError: it was.
    """
    trio = _trio()
    if seconds is None:
        yield
    elif trio:
        with trio.move_on_after(seconds) as scope:
            yield
        if scope.cancelled_caught:
            raise TimeoutError
    else:
        async with asyncio.timeout(seconds):
            yield


async def sleep(seconds: float) -> None:
    """Wait."""
    trio = _trio()
    if trio:
        await trio.sleep(seconds)
    else:
        await asyncio.sleep(seconds)


async def in_thread(function: Callable[[], T]) -> T:
    """Call a function that blocks in a worker thread."""
    trio = _trio()
    if trio:
        result: T = await trio.to_thread.run_sync(function)
        return result
    return await asyncio.to_thread(function)


def start(job: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Start a job that outlives its caller's cancellation; it must catch its own errors."""
    trio = _trio()
    if trio:
        trio.lowlevel.spawn_system_task(job)
        return
    task = asyncio.get_running_loop().create_task(job())
    _TASKS.add(task)
    task.add_done_callback(_TASKS.discard)
