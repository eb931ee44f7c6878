"""The cache in official clients while Key Vault throttles, fails, is slow or gone; requests are counted."""

from __future__ import annotations

import asyncio
import json
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

import azcert
import azcert.aio
from azcert.errors import AzcertError, ConfigurationError
from azcert.vault.policy import CacheRules
from support.cached import FAULTS, READERS, RULES, VAULT, Clock, Reader, Vault, landed, settled
from support.scripted import AsyncScripted, AsyncToken, Scripted, Token, failed, secret_answer

if TYPE_CHECKING:
    from pathlib import Path


def test_the_second_read_makes_no_request_and_asks_for_no_token() -> None:
    reader = Reader()
    assert [reader.get(), reader.get(), reader.get()] == ["one"] * 3
    assert reader.vault.reads == 1
    assert len(reader.token.asked) <= 1


def test_a_herd_makes_one_request() -> None:
    reader = Reader()
    started, release = threading.Barrier(READERS), threading.Event()

    def slow() -> Any:
        release.wait(10)
        return secret_answer("one")

    reader.vault.fault = slow

    def read(_: int) -> str | None:
        started.wait(10)
        return reader.get()

    with ThreadPoolExecutor(READERS) as pool:
        found = [pool.submit(read, number) for number in range(READERS)]
        release.set()
        assert {each.result(10) for each in found} == {"one"}
    assert reader.vault.reads == 1


def test_a_herd_that_wants_a_missing_secret_makes_one_request_and_each_is_told() -> None:
    reader = Reader()
    asked, release = threading.Event(), threading.Event()

    def slow() -> Any:
        asked.set()
        release.wait(10)
        return failed(404)

    reader.vault.fault = slow
    with ThreadPoolExecutor(READERS) as pool:
        found = [pool.submit(reader.get) for _ in range(READERS)]
        assert asked.wait(10)
        (flight,) = reader.cache._table._flights.values()
        while len(flight.landed._cond._waiters) < READERS - 1:  # type: ignore[attr-defined]
            time.sleep(0.01)
        release.set()
        for each in found:
            with pytest.raises(ResourceNotFoundError, match="scripted"):
                each.result(10)
    assert reader.vault.reads == 1


def test_where_no_thread_can_be_started_the_value_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader()
    reader.get()

    def full(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", full)
        for seconds in (85, 150):
            reader.clock.now = 1000.0 + seconds
            assert reader.get() == "one"
    reader.vault.value = "two"
    reader.get()
    settled(reader.cache)
    assert reader.get() == "two"


@pytest.mark.parametrize("fault", FAULTS)
def test_no_reader_fails_while_a_value_of_allowed_age_exists(fault: str) -> None:
    reader = Reader()
    reader.get()
    reader.vault.fault = FAULTS[fault]
    for second in range(0, 1050, 50):
        reader.clock.now = 1000.0 + second
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: reader.get(), range(READERS))) == {"one"}
        settled(reader.cache)
    # 21 moments with 40 readers each: one request at first, then at most one for each moment past its time.
    assert reader.vault.reads <= 21
    assert reader.cache.statistics.stale > 0
    reader.clock.now = 1000.0 + 1101
    with pytest.raises((HttpResponseError, ServiceRequestError)):
        reader.get()


def test_after_an_outage_the_new_value_comes() -> None:
    reader = Reader()
    reader.get()
    reader.vault.fault = FAULTS["failing"]
    reader.clock.now += 150
    assert reader.get() == "one"
    settled(reader.cache)
    reader.vault.fault, reader.vault.value = None, "two"
    reader.clock.now += 60
    reader.get()
    settled(reader.cache)
    assert reader.get() == "two"


def test_readers_of_a_slow_vault_wait_no_longer_than_their_patience() -> None:
    reader = Reader()
    reader.get()
    release = threading.Event()

    def slow() -> Any:
        release.wait(10)
        return secret_answer("two")

    reader.vault.fault = slow
    reader.clock.now += 150
    assert [reader.get() for _ in range(3)] == ["one"] * 3
    assert reader.vault.reads == 2
    release.set()
    settled(reader.cache)
    assert reader.get() == "two"


def test_a_value_near_its_end_is_refreshed_in_the_background() -> None:
    reader = Reader()
    reader.get()
    reader.vault.value = "two"
    reader.clock.now += 85
    assert reader.get() == "one"
    settled(reader.cache)
    assert reader.get() == "two"
    assert reader.vault.reads == 2


def test_a_deleted_secret_and_a_revoked_permission_are_answers_and_no_outage() -> None:
    for status, error in ((404, ResourceNotFoundError), (403, HttpResponseError)):
        reader = Reader()
        reader.get()

        def refused(status: int = status) -> Any:
            return failed(status)

        reader.vault.fault = refused
        reader.clock.now += 90
        assert reader.get() == "one"  # still in its time; the refresh in the background learns of it
        settled(reader.cache)
        with pytest.raises(error):
            reader.get()


def test_who_may_not_sign_in_any_more_does_not_read_what_is_kept() -> None:
    reader = Reader()
    reader.get()

    def refused() -> Any:
        raise ClientAuthenticationError("AADSTS7000222")

    reader.vault.fault = refused
    reader.clock.now += 150
    reader.cache._table.rules = CacheRules(ttl=100, stale=1000, patience=10)  # wait for the refresh itself
    with pytest.raises(ClientAuthenticationError):
        reader.get()


def test_a_pinned_version_is_kept_longer() -> None:
    reader = Reader()
    for _ in range(2):
        reader.get()
        reader.get(version="1" * 32)
        reader.clock.now += 1500
    assert reader.vault.reads == 3


def test_a_write_through_the_same_client_forgets_the_secret() -> None:
    reader = Reader()
    reader.get()
    reader.client.set_secret("S", "written")
    assert reader.get() == "written"
    assert reader.vault.reads == 2


def test_an_answer_asked_for_before_a_write_is_not_kept() -> None:
    reader = Reader()
    asked, release = threading.Event(), threading.Event()

    def slow() -> Any:
        asked.set()
        release.wait(10)
        return secret_answer("old")

    reader.vault.fault = slow
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(reader.get)
        asked.wait(10)
        reader.vault.fault = None
        reader.client.set_secret("s", "written")
        release.set()
        assert first.result(10) == "old"
    assert reader.get() == "written"


def test_the_number_of_secrets_is_bounded() -> None:
    reader = Reader(CacheRules(capacity=2))
    for name in ("a", "b", "a", "c", "a", "b"):
        reader.get(name)
    assert reader.vault.reads == 4
    assert repr(reader.cache) == "<SecretCachePolicy of 2 secrets>"


def test_listing_and_other_requests_pass_by() -> None:
    reader = Reader()
    for _ in range(2):
        list(reader.client.list_properties_of_secret_versions("s"))
    assert reader.vault.reads == 2
    assert repr(reader.cache) == "<SecretCachePolicy of 0 secrets>"


def test_nothing_shows_a_value_and_nothing_is_pickled() -> None:
    reader = Reader()
    reader.vault.value = "hunter2"
    reader.get()
    shown = [repr(reader.cache), repr(reader.cache._table), repr(vars(reader.cache._table))]
    assert "hunter2" not in "".join(shown)
    with pytest.raises(TypeError):
        pickle.dumps(reader.cache)


def test_a_policy_belongs_to_one_client() -> None:
    reader = Reader()
    with pytest.raises(AzcertError, match="already belongs to a client"):
        SecretClient(VAULT, Token(), transport=Scripted(Vault()), per_call_policies=[reader.cache])


def test_a_fork_does_not_wait_for_its_parents_refresh() -> None:
    import os

    reader = Reader()
    reader.get()
    with reader.cache._lock:
        child = os.fork()
        if child == 0:  # pragma: no cover - the child reports by its exit code
            os._exit(0 if reader.get() == "one" else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_child_does_not_wait_for_a_question_whose_thread_stayed_in_the_parent() -> None:
    import os

    reader = Reader()
    asked, release = threading.Event(), threading.Event()

    def slow() -> Any:
        asked.set()
        release.wait(10)
        return secret_answer("parent's")

    reader.vault.fault = slow
    with ThreadPoolExecutor(1) as pool:
        leading = pool.submit(reader.get)
        asked.wait(10)
        child = os.fork()
        if child == 0:  # pragma: no cover - the child reports by its exit code
            reader.vault.fault = None
            os._exit(0 if reader.get() == "one" else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        release.set()
        assert leading.result(10) == "parent's"


def test_settings_switch_the_cache_on() -> None:
    section = {"vaultUri": VAULT, "Cache": {"Ttl": "00:01:40", "RefreshAhead": "00:00:10"}}
    vault = Vault()
    with azcert.AzureClients.from_settings({"KeyVault": section}) as clients:
        client = clients.get(SecretClient, "KeyVault", transport=Scripted(vault), credential=Token())
        assert [client.get_secret("s").value for _ in range(3)] == ["one"] * 3
    assert vault.reads == 1


@pytest.mark.parametrize(
    ("cache", "said"),
    [
        ({"Ttl": "ten minutes"}, r"KeyVault:Cache:Ttl .*'ten minutes', which is not a time span"),
        ({"Ttl": "-00:10:00"}, "KeyVault:Cache:Ttl .* not a time span"),
        ({"Capacity": 0}, "KeyVault:Cache:Capacity .* is 0; it is at least 1"),
        ({"Capacity": "many"}, "KeyVault:Cache:Capacity .* not a whole number"),
        ({"Tll": "00:10:00"}, "KeyVault:Cache:Tll .* is not known here.*Did you mean Ttl"),
        ("00:10:00", "KeyVault:Cache .*neither true nor false"),
    ],
)
def test_a_wrong_cache_section_is_told_by_key_and_line(cache: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / "appsettings.json"
    path.write_text(json.dumps({"KeyVault": {"vaultUri": VAULT, "Cache": cache}}, indent=2))
    with (
        azcert.AzureClients.from_settings(path) as clients,
        pytest.raises(ConfigurationError, match=said) as caught,
    ):
        clients.get(SecretClient, "KeyVault")
    assert f"{path}, line" in str(caught.value)


@pytest.fixture
async def aio() -> Any:
    vault, clock = Vault(), Clock()
    cache = azcert.aio.SecretCachePolicy(RULES, clock=clock)
    transport = AsyncScripted(vault)
    client = AsyncSecretClient(
        VAULT, AsyncToken(), transport=transport, per_call_policies=[cache], retry_total=0
    )
    async with client:
        yield vault, clock, cache, client


async def test_awaited_a_herd_makes_one_request(aio: Any) -> None:
    vault, _, _, client = aio
    found = await asyncio.gather(*(client.get_secret("s") for _ in range(READERS)))
    assert {each.value for each in found} == {"one"}
    assert vault.reads == 1


async def test_awaited_a_herd_that_wants_a_missing_secret_makes_one_request_and_each_is_told(
    aio: Any,
) -> None:
    vault, _, _, client = aio
    vault.fault = lambda: failed(404)
    found = await asyncio.gather(*(client.get_secret("s") for _ in range(READERS)), return_exceptions=True)
    assert {type(each) for each in found} == {ResourceNotFoundError}
    assert vault.reads == 1


async def test_awaited_a_value_near_its_end_is_refreshed_in_the_background(aio: Any) -> None:
    vault, clock, cache, client = aio
    await client.get_secret("s")
    vault.value = "two"
    clock.now += 85
    assert (await client.get_secret("s")).value == "one"
    await landed(cache)
    assert (await client.get_secret("s")).value == "two"
    assert vault.reads == 2


async def test_awaited_a_cancelled_reader_does_not_harm_the_others(aio: Any) -> None:
    vault, _, _, client = aio
    release = asyncio.Event()

    async def slow() -> Any:
        await release.wait()
        return secret_answer("one")

    vault.fault = slow
    first = asyncio.ensure_future(client.get_secret("s"))
    await asyncio.sleep(0)
    others = [asyncio.ensure_future(client.get_secret("s")) for _ in range(3)]
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    release.set()
    assert {(await each).value for each in others} == {"one"}
    assert vault.reads == 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_awaited_no_reader_fails_while_a_value_of_allowed_age_exists(aio: Any, fault: str) -> None:
    vault, clock, cache, client = aio
    await client.get_secret("s")
    vault.fault = FAULTS[fault]
    for second in range(0, 1050, 50):
        clock.now = 1000.0 + second
        found = await asyncio.gather(*(client.get_secret("s") for _ in range(READERS)))
        assert {each.value for each in found} == {"one"}
        await landed(cache)
    assert vault.reads <= 21
    assert cache.statistics.stale > 0
    clock.now = 1000.0 + 1101
    with pytest.raises((HttpResponseError, ServiceRequestError)):
        await client.get_secret("s")


async def test_awaited_a_slow_vault_is_waited_for_no_longer_than_the_patience(aio: Any) -> None:
    vault, clock, cache, client = aio
    await client.get_secret("s")
    release = asyncio.Event()

    async def slow() -> Any:
        await release.wait()
        return secret_answer("two")

    vault.fault = slow
    clock.now += 150
    assert [(await client.get_secret("s")).value for _ in range(3)] == ["one"] * 3
    assert vault.reads == 2
    release.set()
    await landed(cache)
    assert (await client.get_secret("s")).value == "two"


async def test_awaited_settings_switch_the_cache_on() -> None:
    vault = Vault()
    settings = {"KeyVault": {"vaultUri": VAULT, "Cache": True}}
    async with azcert.aio.AzureClients.from_settings(settings) as clients:
        client = clients.get(
            AsyncSecretClient, "KeyVault", transport=AsyncScripted(vault), credential=AsyncToken()
        )
        assert [(await client.get_secret("s")).value for _ in range(3)] == ["one"] * 3
    assert vault.reads == 1


async def test_awaited_a_write_forgets_the_secret(aio: Any) -> None:
    vault, _, _, client = aio
    await client.get_secret("s")
    await client.set_secret("s", "written")
    assert (await client.get_secret("s")).value == "written"
    assert vault.reads == 2
