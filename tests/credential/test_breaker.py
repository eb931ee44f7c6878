"""What has just failed is left alone: the breaker, the rare log, and locks after a fork."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

from azcert.credential.breaker import Breaker
from azcert.credential.fork_lock import ForkLock
from azcert.credential.rare_log import RareLog

if TYPE_CHECKING:
    import pytest


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_breaker_opens_at_the_first_failure_and_lets_one_try_after_the_pause() -> None:
    clock = Clock()
    breaker = Breaker(first=1, longest=30, clock=clock)
    assert breaker.allows()
    first, pause = breaker.failed()
    assert first
    assert 0.8 <= pause <= 1.2
    assert not breaker.allows()
    clock.now += 1.2
    assert [breaker.allows() for _ in range(5)] == [True, False, False, False, False]
    assert breaker.worked()
    assert breaker.allows()
    assert not breaker.worked()


def test_pauses_double_up_to_the_longest() -> None:
    clock = Clock()
    breaker = Breaker(first=1, longest=30, clock=clock)
    pauses = [breaker.failed()[1] for _ in range(40)]
    assert all(0.8 * 2**number <= pause <= 1.2 * 2**number for number, pause in enumerate(pauses[:4]))
    assert max(pauses) <= 30
    assert min(pauses[6:]) >= 24


def test_a_try_that_never_comes_back_does_not_close_the_way_for_ever() -> None:
    clock = Clock()
    breaker = Breaker(first=1, longest=30, clock=clock)
    breaker.failed()
    clock.now += 2
    assert breaker.allows()
    clock.now += 2
    assert breaker.allows()


def test_one_matter_is_logged_once_per_pause(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    rare = RareLog(logging.getLogger("azcert.test"), pause=60, clock=clock)
    for _ in range(10):
        rare.warning("one", "number %d", 1)
        rare.warning("two", "number %d", 2)
    assert [record.getMessage() for record in caplog.records] == ["number 1", "number 2"]
    clock.now += 60
    rare.warning("one", "number %d", 3)
    assert caplog.records[-1].getMessage() == "number 3"


def test_a_lock_held_during_a_fork_is_open_in_the_child() -> None:
    lock = ForkLock()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(5)
    child = os.fork()
    if child == 0:
        with lock:
            os._exit(0)
    done.set()
    holder.join()
    assert os.waitpid(child, 0)[1] == 0
