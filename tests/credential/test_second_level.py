"""A cache behind the memory: asked on a miss only, before the endpoint, and never on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from azure.identity import TokenCachePersistenceOptions

from azcert._redact import Secret
from azcert.credential.caches.entry import StoredToken, TokenKey
from azcert.credential.caches.memory import MemoryCache
from azcert.credential.events import Counters, EventKind
from azcert.errors import AuthenticationError, ConfigurationError
from support.shells import BOTH, Face, run_async
from support.token_endpoint import SCOPE, Answer, make_certificate

if TYPE_CHECKING:
    from support.shells import Stand

Runner = Callable[..., Any]


class Recorder(MemoryCache):
    """A cache that says it blocks, and notes what was asked of it and in which thread."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.threads: set[int] = set()
        self.closed = False

    @property
    def shared(self) -> bool:
        return True

    def _note(self, call: str) -> None:
        self.calls.append(call)
        self.threads.add(threading.get_ident())

    def get(self, key: TokenKey) -> StoredToken | None:
        self._note("get")
        return super().get(key)

    def put(self, key: TokenKey, token: StoredToken) -> None:
        self._note("put")
        super().put(key, token)

    @contextlib.contextmanager
    def lease(self, key: TokenKey, seconds: float) -> Iterator[bool]:
        self._note("lease")
        with super().lease(key, seconds) as first:
            yield first
        self._note("release")

    def close(self) -> None:
        self.closed = True


async def twice(credential: Face) -> str:
    first = (await credential.get_token(SCOPE)).token
    assert (await credential.get_token(SCOPE)).token == first
    return str(first)


@pytest.mark.parametrize("run", BOTH)
def test_a_second_credential_has_its_token_without_a_request(stand: Stand, run: Runner) -> None:
    cache, counters = Recorder(), Counters()
    first = run(stand, twice, cache=cache)
    assert cache.calls == ["get", "lease", "get", "put", "release"], "a hit in memory does not ask it"
    assert run(stand, twice, cache=cache, on_event=counters) == first
    assert cache.calls[5:] == ["get"]
    assert len(stand.endpoint.seen) == 1
    assert counters.count(EventKind.CACHE_HIT) == 1
    assert not cache.closed, "it stays its maker's"


def test_the_event_loop_never_waits_for_it(stand: Stand) -> None:
    cache = Recorder()
    run_async(stand, twice, cache=cache)
    assert threading.get_ident() not in cache.threads


@pytest.mark.parametrize("run", BOTH)
def test_a_token_is_not_served_to_another_certificate(stand: Stand, run: Runner) -> None:
    cache = Recorder()
    first = run(stand, twice, cache=cache)
    make_certificate(stand.certificate, name="another")
    assert run(stand, twice, cache=cache) != first


@pytest.mark.parametrize("run", BOTH)
def test_claims_pass_it_by_and_their_token_replaces_what_it_has(stand: Stand, run: Runner) -> None:
    cache = Recorder()
    first = run(stand, twice, cache=cache)

    async def challenged(credential: Face) -> str:
        return str((await credential.get_token(SCOPE, claims='{"access_token":{}}')).token)

    second = run(stand, challenged, cache=cache)
    assert second != first
    assert run(stand, twice, cache=cache) == second


@pytest.mark.parametrize("run", BOTH)
def test_a_stored_token_that_is_due_serves_at_once_and_is_renewed_behind(stand: Stand, run: Runner) -> None:
    cache = Recorder()
    stale, fresh = Counters(), Counters()
    run(stand, twice, cache=cache, on_event=stale)
    (key,) = _keys(cache)
    now = int(time.time())
    cache.put(key, StoredToken(Secret("due"), now + 600, now - 1))

    async def script(credential: Face) -> None:
        assert (await credential.get_token(SCOPE)).token == "due"
        assert (await credential.get_token(SCOPE)).token == "due"
        # Threads renew it in one shell, tasks in the other: what both have in common is the time they take.
        while (await credential.get_token(SCOPE)).token == "due":  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    run(stand, script, cache=cache, on_event=fresh)
    stored = cache.get(key)
    assert stored is not None
    assert stored.token.reveal() != "due"


def _keys(cache: MemoryCache) -> list[Any]:
    return list(cache._table._slots)


def test_the_lease_is_given_back_after_a_failure(stand: Stand) -> None:
    cache = Recorder()
    stand.endpoint.always = Answer(500)
    with stand.sync(cache=cache, retry_total=0) as credential, pytest.raises(AuthenticationError):
        credential.get_token(SCOPE)
    assert cache.calls == ["get", "lease", "get", "release"]


def test_credentials_of_one_cache_ask_once_between_them(stand: Stand) -> None:
    stand.endpoint.delay = 0.05
    cache = MemoryCache()
    credentials = [stand.sync(cache=cache) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda one: one.get_token(SCOPE).token, credentials))
    for credential in credentials:
        credential.close()
    assert len(tokens) == 1
    assert len(stand.endpoint.seen) == 1


@pytest.mark.parametrize("run", BOTH)
def test_persistence_options_of_azure_identity_give_a_persistent_cache(
    stand: Stand, run: Runner, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    options = TokenCachePersistenceOptions(name="azcert-test", allow_unencrypted_storage=True)
    first = run(stand, twice, cache_persistence_options=options)
    assert run(stand, twice, cache_persistence_options=options) == first
    assert len(stand.endpoint.seen) == 1


def test_two_caches_are_one_too_many(stand: Stand) -> None:
    options = TokenCachePersistenceOptions(name="azcert-test", allow_unencrypted_storage=True)
    with pytest.raises(ConfigurationError, match="Both"):
        stand.sync(cache=MemoryCache(), cache_persistence_options=options)
