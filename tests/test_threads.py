"""Threads that stay: who is called where, and what is left behind."""

from __future__ import annotations

import contextvars
import gc
import os
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from azcert import _threads
from azcert._threads import begin, in_time


def test_a_call_without_a_limit_is_made_where_it_stands() -> None:
    assert in_time(threading.get_ident, None) == threading.get_ident()


def test_one_call_after_another_is_made_in_the_same_thread() -> None:
    # A thread that ended after each would take OpenSSL's locks at a moment when its program may fork.
    threads = {in_time(threading.get_ident, 10.0) for _ in range(100)}
    # One of an earlier test may become free in between.
    assert len(threads) < 10
    assert threading.get_ident() not in threads


def test_calls_at_once_do_not_wait_for_each_other() -> None:
    together = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: in_time(lambda: together.wait(10), 10.0), range(8)))) == 8


def test_a_call_that_takes_too_long_is_left_and_its_thread_is_free_when_it_ends() -> None:
    go_on, left = threading.Event(), []

    def slow() -> None:
        left.append(threading.get_ident())
        go_on.wait(10)
        raise ValueError("nobody hears of it")

    with pytest.raises(TimeoutError, match="no whole answer"):
        in_time(slow, 0.01)
    while not left:
        time.sleep(0.001)
    assert in_time(threading.get_ident, 10.0) not in left
    go_on.set()
    while left[0] not in {worker.ident for worker in _threads._idle}:
        time.sleep(0.001)


def test_what_it_raises_is_raised_and_kept_by_nobody() -> None:
    class Held:
        pass

    def fail() -> None:
        held = Held()
        kept.append(weakref.ref(held))
        raise KeyError("told")

    kept: list[weakref.ref[Held]] = []
    gc.disable()
    try:
        with pytest.raises(KeyError, match="told"):
            in_time(fail, 10.0)
        assert kept[0]() is None
    finally:
        gc.enable()


def test_the_caller_s_context_holds_there() -> None:
    span = contextvars.ContextVar("span", default="none")
    span.set("mine")
    assert in_time(span.get, 10.0) == "mine"


def test_a_forked_child_has_threads_of_its_own() -> None:
    in_time(threading.get_ident, 10.0)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writer, str(in_time(os.getpid, 10.0)).encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writer)
    with os.fdopen(reader) as stream:
        assert stream.read() == str(child)


def test_what_nobody_waits_for_is_done_in_a_thread_that_stays_and_in_no_caller_s_context() -> None:
    span = contextvars.ContextVar("span", default="none")
    span.set("mine")
    seen: list[str] = []
    done = threading.Event()

    def job() -> None:
        seen.append(span.get())
        done.set()

    begin(job)
    assert done.wait(10)
    assert seen == ["none"]
