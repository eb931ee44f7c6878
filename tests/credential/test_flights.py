"""One request per token, however many callers: threads, tasks, cancelled ones, failing ones, forked ones."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from azcert import _threads
from azcert.credential.events import Counters, Event, EventKind
from azcert.errors import AuthenticationError
from support.shells import BOTH, Face
from support.token_endpoint import SCOPE, TENANT, Answer, error

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert import CertificateCredential
    from support.shells import Stand

Runner = Any
THREADS = int(os.environ.get("AZCERT_TEST_THREADS", "100"))


def together(count: int, call: Callable[[int], Any]) -> list[Any]:
    """Call in *count* threads that start at one moment; give results and errors."""
    barrier = threading.Barrier(count)

    def one(number: int) -> Any:
        barrier.wait()
        try:
            return call(number)
        except AuthenticationError as caught:
            return caught

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_a_herd_of_threads_makes_one_request(stand: Stand) -> None:
    stand.endpoint.delay = 0.05
    counters = Counters()
    with stand.sync(on_event=counters) as credential:
        tokens = together(THREADS, lambda _: credential.get_token(SCOPE).token)
    assert len(set(tokens)) == 1
    assert len(stand.endpoint.seen) == 1
    assert counters.count(EventKind.REQUEST) == 1
    # Those who came while the request was under way waited for it; nobody asked for themselves.
    assert counters.count(EventKind.WAITER) + credential.hit_count == THREADS - 1
    assert counters.count(EventKind.SIGNED) == 1


async def test_a_herd_of_tasks_makes_one_request(stand: Stand) -> None:
    async with stand.aio() as credential:
        tokens = await asyncio.gather(*[credential.get_token(SCOPE) for _ in range(100)])
    assert len({token.token for token in tokens}) == 1
    assert len(stand.endpoint.seen) == 1


def test_spellings_of_one_token_share_it(stand: Stand) -> None:
    with stand.sync() as credential:
        first = credential.get_token("b/.default", "a/.default").token
        assert credential.get_token("a/.default", "b/.default").token == first
        assert credential.get_token("a/.default", "b/.default", "a/.default", tenant_id=TENANT).token == first
        assert (
            credential.get_token_info("b/.default", "a/.default", options={"tenant_id": TENANT}).token
            == first
        )
        assert credential.get_token("a/.default").token != first
    assert len(stand.endpoint.seen) == 2


def test_different_tokens_do_not_wait_for_each_other(stand: Stand) -> None:
    scopes = [f"api://{number}/.default" for number in range(20)]
    with stand.sync(additionally_allowed_tenants=["*"]) as credential:
        credential.get_token(SCOPE)
        stand.endpoint.gate.clear()
        with ThreadPoolExecutor(len(scopes)) as pool:
            waiting = [pool.submit(credential.get_token, scope) for scope in scopes]
            # All of them reach the endpoint while it answers none.
            for _ in range(1 + len(scopes)):
                assert stand.endpoint.arrived.acquire(timeout=30)
            stand.endpoint.gate.set()
            assert len({one.result().token for one in waiting}) == len(scopes)


async def test_tasks_for_different_tokens_do_not_wait_for_each_other(stand: Stand) -> None:
    scopes = [f"api://{number}/.default" for number in range(20)]
    stand.endpoint.gate.clear()
    async with stand.aio() as credential:
        waiting = [asyncio.create_task(credential.get_token(scope)) for scope in scopes]
        for _ in scopes:
            assert await asyncio.to_thread(stand.endpoint.arrived.acquire, timeout=30)
        stand.endpoint.gate.set()
        assert len({token.token for token in await asyncio.gather(*waiting)}) == len(scopes)


def test_an_error_reaches_all_who_waited_and_nobody_later(stand: Stand) -> None:
    stand.endpoint.script.append(error(700016, "No such application."))
    stand.endpoint.gate.clear()
    counters = Counters()
    with stand.sync(on_event=counters) as credential, ThreadPoolExecutor(10) as pool:
        waiting = [pool.submit(credential.get_token, SCOPE) for _ in range(10)]
        while counters.count(EventKind.WAITER) < 9:
            time.sleep(0.001)
        stand.endpoint.gate.set()
        errors = [one.exception() for one in waiting]
        assert {getattr(one, "aadsts", None) for one in errors} == {700016}
        assert len({id(one) for one in errors}) == 10, "each caller has an error of its own to raise"
        assert credential.get_token(SCOPE).token.startswith("token-")
    assert len(stand.endpoint.seen) == 2


@pytest.mark.parametrize("run", BOTH)
def test_an_outage_is_told_to_all_who_waited_and_not_tried_by_each(stand: Stand, run: Runner) -> None:
    counters = Counters()
    stand.endpoint.always = Answer(503)
    stand.endpoint.gate.clear()

    async def script(credential: Any) -> list[Any]:
        real = getattr(credential, "credential", None)

        async def ask() -> Any:
            # Each comes a moment later than the one before, and so has a moment more.
            if real is not None:
                return await asyncio.to_thread(real.get_token, SCOPE)
            return await credential.get_token(SCOPE)

        asking = [asyncio.create_task(ask()) for _ in range(4)]
        while counters.count(EventKind.WAITER) < 3:  # noqa: ASYNC110 - what waits may be threads
            await asyncio.sleep(0.001)
        stand.endpoint.gate.set()
        return await asyncio.gather(*asking, return_exceptions=True)

    ends = run(stand, script, on_event=counters)
    assert {str(end) for end in ends} == {str(ends[0])}
    assert "tried 4 times" in str(ends[0])
    assert len(stand.endpoint.seen) == 4


async def test_a_cancelled_task_harms_nobody_and_its_token_is_kept(stand: Stand) -> None:
    stand.endpoint.gate.clear()
    async with stand.aio() as credential:
        tasks = [asyncio.create_task(credential.get_token(SCOPE)) for _ in range(5)]
        await asyncio.to_thread(stand.endpoint.arrived.acquire)
        tasks[0].cancel()
        tasks[3].cancel()
        stand.endpoint.gate.set()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [isinstance(end, asyncio.CancelledError) for end in ends] == [True, False, False, True, False]
        assert len({end.token for end in ends if not isinstance(end, BaseException)}) == 1

        stand.endpoint.gate.clear()
        alone = asyncio.create_task(credential.get_token("other/.default"))
        await asyncio.to_thread(stand.endpoint.arrived.acquire)
        alone.cancel()
        stand.endpoint.gate.set()
        with pytest.raises(asyncio.CancelledError):
            await alone
        await credential.get_token("other/.default")
    assert len(stand.endpoint.seen) == 2


async def test_an_error_reaches_all_tasks_that_waited(stand: Stand) -> None:
    stand.endpoint.script.append(error(700016, "No such application."))
    async with stand.aio() as credential:
        ends = await asyncio.gather(*[credential.get_token(SCOPE) for _ in range(20)], return_exceptions=True)
        assert {getattr(end, "aadsts", None) for end in ends} == {700016}
        assert (await credential.get_token(SCOPE)).token
    assert len(stand.endpoint.seen) == 2


def test_a_caller_with_less_time_gives_up_alone(stand: Stand) -> None:
    stand.endpoint.gate.clear()
    counters = Counters()
    with stand.sync(on_event=counters) as credential, ThreadPoolExecutor(2) as pool:
        patient = pool.submit(credential.get_token, SCOPE)
        assert stand.endpoint.arrived.acquire(timeout=30)
        with pytest.raises(AuthenticationError, match="still under way"):
            credential.get_token(SCOPE, timeout=0.05)
        stand.endpoint.gate.set()
        assert patient.result().token.startswith("token-1")
    assert len(stand.endpoint.seen) == 1


async def test_a_task_with_less_time_gives_up_alone(stand: Stand) -> None:
    stand.endpoint.gate.clear()
    async with stand.aio() as credential:
        patient = asyncio.create_task(credential.get_token(SCOPE))
        await asyncio.to_thread(stand.endpoint.arrived.acquire)
        with pytest.raises(AuthenticationError, match="still under way"):
            await credential.get_token(SCOPE, timeout=0.05)
        stand.endpoint.gate.set()
        assert (await patient).token.startswith("token-1")
    assert len(stand.endpoint.seen) == 1


@pytest.mark.parametrize("run", BOTH)
def test_a_refresh_delays_nobody_however_long_it_takes(stand: Stand, run: Runner) -> None:
    async def script(credential: Any) -> None:
        real = getattr(credential, "credential", credential)
        first = (await credential.get_token(SCOPE)).token
        stand.endpoint.gate.clear()
        real._hits[SCOPE].fresh_until = 0.0
        # If one of them waited for the refresh, it would wait for ever.
        for _ in range(50):
            assert (await credential.get_token(SCOPE)).token == first
        assert await asyncio.to_thread(stand.endpoint.arrived.acquire, timeout=30)
        assert await asyncio.to_thread(stand.endpoint.arrived.acquire, timeout=30)
        assert (await credential.get_token(SCOPE)).token == first
        stand.endpoint.gate.set()
        while (await credential.get_token(SCOPE)).token == first:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    run(stand, script)
    assert len(stand.endpoint.seen) == 2


async def all_over() -> None:
    """Wait until what was given up has ended, so that its connection is closed with the credential."""
    while sum(thread.name == "azcert" for thread in threading.enumerate()) > len(_threads._idle):  # noqa: ASYNC110
        await asyncio.sleep(0.001)
    # asyncio lets go of a TLS connection only when the other end has said goodbye.
    await asyncio.sleep(0.3)


@pytest.mark.parametrize("broken", ["trickle", "trickle-head"])
@pytest.mark.parametrize("run", BOTH)
def test_a_server_that_trickles_keeps_nobody_beyond_his_time(stand: Stand, run: Runner, broken: str) -> None:
    stand.endpoint.always = Answer(200, b"x" * 1000, broken=broken)

    async def script(credential: Face) -> float:
        began = time.monotonic()
        # Each read of the trickle is well within the limit; the whole of it would take a minute and more.
        with pytest.raises(AuthenticationError, match=r"\(tried once\): localhost:\d+ did not answer in"):
            await credential.get_token(SCOPE, timeout=0.5)
        took = time.monotonic() - began
        stand.endpoint.always = None
        assert (await credential.get_token(SCOPE)).token.startswith("token-1"), "nobody else is held up by it"
        stand.endpoint.trickles.set()
        await all_over()
        return took

    assert 0.5 <= run(stand, script) < 5


@pytest.mark.parametrize("run", BOTH)
def test_a_name_that_is_looked_up_for_long_keeps_nobody_beyond_his_time(
    stand: Stand, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = threading.Event()
    look_up = socket.getaddrinfo

    def slow(*arguments: Any, **keywords: Any) -> Any:
        assert found.wait(30)
        return look_up(*arguments, **keywords)

    async def script(credential: Face) -> None:
        with pytest.raises(AuthenticationError, match="did not answer in time"):
            await credential.get_token(SCOPE, timeout=0.3)
        found.set()
        await all_over()

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    run(stand, script)


def test_a_caller_with_more_time_goes_on_after_a_leader_with_less(stand: Stand) -> None:
    stand.endpoint.always = Answer(503, headers={"Retry-After": "1"})
    counters = Counters()
    with stand.sync(on_event=counters) as credential, ThreadPoolExecutor(2) as pool:
        hasty = pool.submit(credential.get_token, SCOPE, timeout=0.3)
        while counters.count(EventKind.REQUEST) < 1:
            time.sleep(0.001)
        stand.endpoint.always = None
        assert credential.get_token(SCOPE).token.startswith("token-1")
        assert isinstance(hasty.exception(), AuthenticationError)


async def test_one_credential_serves_one_loop_after_another(stand: Stand) -> None:
    credential = stand.aio()

    async def use(scope: str) -> str:
        token = (await credential.get_token(scope)).token
        await credential._channel(asyncio.get_running_loop()).close()
        return token

    first = await asyncio.to_thread(asyncio.run, use(SCOPE))
    second = await asyncio.to_thread(asyncio.run, use("other/.default"))
    assert first != second
    assert (await credential.get_token(SCOPE)).token == first


def _child(credential: CertificateCredential, answers: Any) -> None:
    answers.put([credential.get_token(SCOPE).token, credential.get_token("api://child/.default").token])


def test_a_credential_works_in_a_forked_child_whatever_the_parents_threads_do(stand: Stand) -> None:
    context = multiprocessing.get_context("fork")
    with stand.sync() as credential, ThreadPoolExecutor(1) as pool:
        token = credential.get_token(SCOPE).token
        stand.endpoint.gate.clear()
        # The fork happens in the middle of a flight, with its locks and its half-used connection.
        flying = pool.submit(credential.get_token, "api://child/.default")
        for _ in range(2):
            assert stand.endpoint.arrived.acquire(timeout=30)
        answers = context.SimpleQueue()
        child = context.Process(target=_child, args=(credential, answers))
        child.start()
        assert stand.endpoint.arrived.acquire(timeout=30), "the child asks for itself"
        stand.endpoint.gate.set()
        mine = flying.result().token
        inherited, own = answers.get()
        child.join(30)
    assert child.exitcode == 0
    assert inherited == token
    assert own != mine


def _async_child(credential: Any, answers: Any) -> None:
    async def main() -> list[str]:
        return [(await credential.get_token(scope)).token for scope in (SCOPE, "api://child/.default")]

    answers.put(asyncio.run(main()))


def test_an_async_credential_works_in_a_forked_child(stand: Stand) -> None:
    context = multiprocessing.get_context("fork")
    credential, answers = stand.aio(), context.SimpleQueue()

    async def main() -> tuple[str, Any]:
        token = (await credential.get_token(SCOPE)).token
        stand.endpoint.gate.clear()
        # The fork happens in the middle of a flight and of a loop.
        flying = asyncio.create_task(credential.get_token("api://child/.default"))
        for _ in range(2):
            assert await asyncio.to_thread(stand.endpoint.arrived.acquire, timeout=30)
        child = context.Process(target=_async_child, args=(credential, answers))
        child.start()
        assert await asyncio.to_thread(stand.endpoint.arrived.acquire, timeout=30), "it asks for itself"
        stand.endpoint.gate.set()
        inherited, own = await asyncio.to_thread(answers.get)
        assert own != (await flying).token
        await credential.close()
        assert inherited == token
        return token, child

    _, child = asyncio.run(main())
    child.join(30)
    assert child.exitcode == 0


def _count(counters: Counters, answers: Any) -> None:
    counters(Event(EventKind.REQUEST, TENANT, (SCOPE,)))
    answers.put(counters.count(EventKind.REQUEST))


def test_a_forked_child_counts_whatever_the_parents_threads_do() -> None:
    context = multiprocessing.get_context("fork")
    counters, answers = Counters(), context.SimpleQueue()
    # As if another thread were counting in the moment of the fork.
    with counters._lock:
        child = context.Process(target=_count, args=(counters, answers))
        child.start()
    child.join(30)
    assert child.exitcode == 0
    assert answers.get() == 1


def _spawned(arguments: dict[str, Any], answers: Any) -> None:
    from azcert import CertificateCredential
    from support.token_endpoint import CLIENT

    with CertificateCredential(TENANT, CLIENT, **arguments) as credential:
        answers.put(credential.get_token(SCOPE).token)


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_worker_that_is_not_forked_builds_its_own(stand: Stand, method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    answers = context.SimpleQueue()
    child = context.Process(target=_spawned, args=(stand.arguments(), answers))
    child.start()
    assert answers.get().startswith("token-1")
    child.join(30)
    assert child.exitcode == 0
