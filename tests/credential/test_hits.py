"""A token that is in memory: one reading of the clock, no lock, nothing awaited, for one token or many."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest

from azcert.credential.wanted import Clock
from support.token_endpoint import SCOPE, TENANT

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.shells import Stand

CAE = {"enable_cae": True, "tenant_id": TENANT}


class CountingClock:
    def __init__(self) -> None:
        self.readings = 0

    def time(self) -> float:
        self.readings += 1
        return time.time()

    def monotonic(self) -> float:
        self.readings += 1
        return time.monotonic()

    def as_clock(self) -> Clock:
        return Clock(self.time, self.monotonic)


class Forbidden:
    """Takes the place of a lock that a hit may not take."""

    def __enter__(self) -> None:
        raise AssertionError("a hit took a lock")

    def __exit__(self, *_: object) -> None:
        """Never entered."""


def at_once(awaitable: Any) -> Any:
    """Run what is awaited to its end without an event loop: it may wait for nothing."""
    try:
        awaitable.__await__().send(None)
    except StopIteration as end:
        return end.value
    raise AssertionError("a hit waited for something")


def spellings(credential: Any, wait: Callable[[Any], Any]) -> list[Callable[[], Any]]:
    """Every kind of call that a hit answers."""
    return [
        lambda: wait(credential.get_token(SCOPE)),
        lambda: wait(credential.get_token("b/.default", "a/.default")),
        lambda: wait(credential.get_token(SCOPE, **CAE)),
        lambda: wait(credential.get_token_info(SCOPE)),
        lambda: wait(credential.get_token_info(SCOPE, options=CAE)),
    ]


@pytest.mark.parametrize("kind", ["sync", "aio"])
@pytest.mark.parametrize("others", [0, 2000])
def test_a_hit_reads_the_clock_once_and_takes_no_lock(
    stand: Stand, kind: str, others: int, caplog: pytest.LogCaptureFixture
) -> None:
    clock = CountingClock()
    credential: Any = getattr(stand, kind)(clock=clock.as_clock())

    async def fill() -> None:
        for call in spellings(credential, lambda it: it):
            made = call()
            if kind == "aio":
                await made
        first = credential._hits[SCOPE]
        for number in range(others):
            credential._engine.table.put(f"other {number}", first)
        if kind == "aio":
            await credential.close()

    asyncio.run(fill())
    wait: Callable[[Any], Any] = at_once if kind == "aio" else (lambda made: made)
    credential._lock = credential._engine.table._lock = Forbidden()
    with caplog.at_level(logging.DEBUG):
        for call in spellings(credential, wait):
            first = call()
            clock.readings = 0
            for _ in range(100):
                assert call() is first, "the very object: nothing is made anew"
            assert clock.readings == 100
    assert not caplog.records
    if kind == "sync":
        credential.close()
