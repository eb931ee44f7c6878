"""Which answers and errors end what is kept, which do not, and who asks when."""

from __future__ import annotations

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.core.rest import HttpRequest
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

import azcert
import azcert.aio
from azcert.emulator.ready_made import SECRET_VALUE
from azcert.errors import SigningError, unavailable
from azcert.vault.policy import pause_after
from azcert.vault.table import Answer
from support.cached import RULES, VAULT, Clock, Reader, Vault, settled
from support.scripted import AsyncScripted, AsyncToken, failed, secret_answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.emulator.fixture import AzcertEmulator

NAME = "myTestSecret1"


def raises(error: Exception) -> Callable[[], Any]:
    def fault() -> Any:
        raise error

    return fault


def page() -> Answer:
    return Answer(200, "OK", {"content-type": "text/html"}, b"<h1>Sign in to the airport's network</h1>")


@pytest.mark.parametrize(
    "fault",
    [
        page,
        lambda: Answer(200, "OK", {"content-type": "application/json"}, b'["no secret"]'),
        lambda: failed(408),
        lambda: failed(500),
        raises(SigningError("The TPM does not answer.", code="tpm")),
        raises(unavailable("no credential could be tried")),
        raises(OSError("no route to host")),
        raises(RuntimeError("can't start new thread")),
    ],
)
def test_what_says_nothing_of_the_secret_leaves_it_readable(fault: Callable[[], Any]) -> None:
    reader = Reader(azcert.CacheRules(ttl=100, stale=1000, patience=10))
    reader.get()
    reader.vault.fault = fault
    reader.clock.now += 150
    assert reader.get() == "one"
    settled(reader.cache)
    assert reader.get() == "one"
    assert reader.cache.statistics.stale == 2
    assert reader.vault.reads == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_what_denies_the_secret_ends_it(status: int) -> None:
    reader = Reader(azcert.CacheRules(ttl=100, stale=1000, patience=10))
    reader.get()
    reader.vault.fault = lambda: failed(status)
    reader.clock.now += 150
    for _ in range(2):
        with pytest.raises(HttpResponseError):
            reader.get()
    reader.vault.fault = None
    assert reader.get() == "one"


def test_half_an_answer_is_none(azcert_environment: AzcertEmulator) -> None:
    clock = Clock()
    cache = azcert.SecretCachePolicy(azcert.CacheRules(ttl=100, stale=1000, patience=10), clock=clock)
    with (
        azcert.DefaultCredential() as credential,
        SecretClient(
            azcert_environment.vault_url, credential, per_call_policies=[cache], retry_total=0
        ) as client,
    ):
        client.get_secret(NAME)
        azcert_environment.faults.add("truncate", path="/secrets/*", times=None)
        clock.now += 150
        assert client.get_secret(NAME).value == SECRET_VALUE
        assert cache.statistics.stale == 1


def test_only_the_first_readers_wait_for_a_vault_that_does_not_answer() -> None:
    reader = Reader(azcert.CacheRules(ttl=100, stale=1000, patience=60))
    reader.get()
    asked, release = threading.Event(), threading.Event()

    def slow() -> Any:
        asked.set()
        release.wait(20)
        return secret_answer("two")

    reader.vault.fault = slow
    reader.clock.now += 150
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(reader.get)
        assert asked.wait(10)
        reader.clock.now += 61
        assert [reader.get() for _ in range(3)] == ["one"] * 3
        assert not first.done(), "the others answered without waiting for what the first one waits for"
        release.set()
        assert first.result(20) == "two"
    assert reader.vault.reads == 2


def test_a_refresh_is_not_retried_and_a_first_read_is() -> None:
    reader = Reader(azcert.CacheRules(ttl=100, stale=1000, patience=10), retry_total=3)
    reader.vault.fault = lambda: failed(503)
    with pytest.raises(HttpResponseError):
        reader.get()
    assert reader.vault.reads == 4
    reader.vault.fault = None
    reader.get()
    reader.vault.fault = lambda: failed(503)
    reader.clock.now += 150
    for _ in range(3):
        assert reader.get() == "one"
    assert reader.vault.reads == 6


def test_a_throttled_vault_is_asked_by_one_reader_for_all_its_secrets() -> None:
    reader = Reader()
    names = [f"secret-{number}" for number in range(50)]
    for name in names:
        reader.get(name)
    reader.vault.fault = lambda: failed(429, **{"Retry-After": "300"})
    reader.clock.now += 150
    reader.get(names[0])
    settled(reader.cache)
    for _ in range(3):
        assert {reader.get(name) for name in names} == {"one"}
    settled(reader.cache)
    assert reader.vault.reads == 51
    reader.clock.now += 299
    assert reader.get(names[7]) == "one"
    settled(reader.cache)
    assert reader.vault.reads == 51, "Retry-After is not over"
    reader.clock.now += 2
    reader.vault.fault = None
    reader.get(names[7])
    settled(reader.cache)
    assert reader.vault.reads == 52


@pytest.mark.parametrize(
    ("failures", "headers", "seconds"),
    [
        (1, {}, 1),
        (3, {}, 4),
        (40, {}, 60),
        (1, {"Retry-After": "0"}, 1),
        (9, {"retry-after": "5"}, 5),
        (1, {"retry-after": "300"}, 300),
        (1, {"retry-after": "999999"}, 3600),
        (
            1,
            {"Retry-After": "Fri, 27 Nov 2026 10:02:00 GMT", "Date": "Fri, 27 Nov 2026 10:00:00 GMT"},
            120,
        ),
        (2, {"Retry-After": "Fri, 27 Nov 2026 10:02:00 GMT"}, 2),
        (2, {"Retry-After": "soon"}, 2),
        (2, {"Retry-After": "-5"}, 2),
    ],
)
def test_how_long_nobody_asks(failures: int, headers: dict[str, str], seconds: float) -> None:
    assert pause_after(failures, headers) == seconds


def test_an_interrupted_thread_does_not_interrupt_those_who_wait_for_it() -> None:
    reader = Reader()
    asked, release = threading.Event(), threading.Event()

    def interrupted() -> Any:
        reader.vault.fault = None
        asked.set()
        release.wait(10)
        raise KeyboardInterrupt

    reader.vault.fault = interrupted
    with ThreadPoolExecutor(4) as pool:
        first = pool.submit(reader.get)
        asked.wait(10)
        others = [pool.submit(reader.get) for _ in range(3)]
        release.set()
        assert {each.result(10) for each in others} == {"one"}
        with pytest.raises(KeyboardInterrupt):
            first.result(10)
    assert reader.vault.reads == 2


def test_an_outage_is_logged_once_and_its_end_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "azcert.vault")
    reader = Reader(azcert.CacheRules(ttl=100, stale=10_000, patience=10))
    reader.vault.value = "hunter2"
    reader.get()
    reader.vault.fault = raises(ServiceRequestError("nobody answers"))
    for _ in range(5):
        reader.clock.now += 150
        reader.get()
        settled(reader.cache)
    reader.vault.fault = None
    reader.clock.now += 150
    reader.get()
    settled(reader.cache)
    said = [record.getMessage() for record in caplog.records if record.name == "azcert.vault"]
    assert len(said) == 2
    assert "contoso.vault.azure.net is in trouble (ServiceRequestError" in said[0]
    assert said[1] == "Key Vault contoso.vault.azure.net answers again."
    assert "hunter2" not in caplog.text


def test_a_streamed_read_passes_by() -> None:
    reader = Reader()
    reader.get()
    request = HttpRequest("GET", f"{VAULT}/secrets/s")
    for _ in range(2):
        reader.client.send_request(request, stream=True)
    assert reader.vault.reads == 3


def test_another_identity_reads_for_itself() -> None:
    one, two = Reader(), Reader()
    one.get()
    two.vault.fault = raises(ClientAuthenticationError("not for you"))
    with pytest.raises(ClientAuthenticationError):
        two.get()
    assert one.get() == "one"


def test_the_next_event_loop_does_not_wait_for_a_question_of_the_last() -> None:
    vault = Vault()
    cache = azcert.aio.SecretCachePolicy(RULES, clock=Clock())
    client = AsyncSecretClient(VAULT, AsyncToken(), transport=AsyncScripted(vault), per_call_policies=[cache])

    async def never() -> Any:
        await asyncio.Event().wait()

    async def give_up() -> None:
        vault.fault = never
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.get_secret("s"), 0.05)

    async def read() -> str | None:
        vault.fault = None
        return (await client.get_secret("s")).value

    asyncio.run(give_up())
    assert asyncio.run(read()) == "one"


def test_on_trio_a_herd_makes_one_request_and_a_cancelled_task_harms_nobody() -> None:
    import trio

    vault = Vault()
    cache = azcert.aio.SecretCachePolicy(RULES, clock=Clock())
    found: list[str | None] = []

    async def main() -> None:
        release = trio.Event()

        async def slow() -> Any:
            await release.wait()
            return secret_answer("one")

        vault.fault = slow
        client = AsyncSecretClient(
            VAULT, AsyncToken(), transport=AsyncScripted(vault), per_call_policies=[cache]
        )

        async def read() -> None:
            found.append((await client.get_secret("s")).value)

        async with client, trio.open_nursery() as nursery:
            with trio.move_on_after(0.05) as scope:
                await read()
            assert scope.cancelled_caught
            for _ in range(30):
                nursery.start_soon(read)
            await trio.testing.wait_all_tasks_blocked()
            release.set()

    trio.run(main)
    assert found == ["one"] * 30
    assert vault.reads == 1
