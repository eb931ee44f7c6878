"""What every token cache promises."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from support.cache_place import result_of
from support.cache_worker import token, token_key

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.credential.caches.entry import TokenCache, TokenKey
    from support.cache_place import Place

SECRET = "eyJ0eXAiOiJKV1QifQ.the-secret-of-the-test.signature"


def text_of(cache: TokenCache, scope: str = "a") -> str | None:
    found = cache.get(token_key(scope))
    return found.token.reveal() if found else None


def test_a_token_comes_back_as_it_was_put(cache: TokenCache) -> None:
    kept = token("first")
    assert cache.get(token_key("a")) is None
    cache.put(token_key("a"), kept)
    found = cache.get(token_key("a"))
    assert found is not None
    assert (found.token.reveal(), found.expires_on, found.refresh_on) == (
        "first",
        kept.expires_on,
        kept.refresh_on,
    )


def test_a_newer_token_takes_the_place_of_the_older(cache: TokenCache) -> None:
    cache.put(token_key("a"), token("first"))
    cache.put(token_key("a"), token("second"))
    assert text_of(cache) == "second"


def test_a_removed_token_is_gone_and_the_others_stay(cache: TokenCache) -> None:
    cache.put(token_key("a"), token("first"))
    cache.put(token_key("b"), token("other"))
    cache.remove(token_key("a"))
    cache.remove(token_key("never there"))
    assert text_of(cache, "a") is None
    assert text_of(cache, "b") == "other"


def test_an_expired_token_is_never_taken_for_a_good_one(cache: TokenCache) -> None:
    cache.put(token_key("a"), token("old", seconds=-10))
    found = cache.get(token_key("a"))
    assert found is None or found.expires_on < time.time()


@pytest.mark.parametrize(
    "other",
    [
        token_key("b"),
        token_key("a", tenant_id="11111111-0000-0000-0000-000000000000"),
        token_key("a", client_id="22222222-0000-0000-0000-000000000000"),
        token_key("a", authority="login.chinacloudapi.cn"),
        token_key("a", cae=True),
        token_key("a", thumbprint="CD" * 32),
    ],
    ids=["scope", "tenant", "client", "authority", "cae", "certificate"],
)
def test_no_token_of_another_key_is_returned(cache: TokenCache, other: TokenKey) -> None:
    cache.put(token_key("a"), token("first"))
    assert cache.get(other) is None


def test_a_renewed_certificate_does_not_remove_what_the_old_one_did_not_write(cache: TokenCache) -> None:
    new = token_key("a", thumbprint="CD" * 32)
    cache.put(new, token("of the new certificate"))
    cache.remove(token_key("a"))
    found = cache.get(new)
    assert found is not None
    assert found.token.reveal() == "of the new certificate"


def test_many_threads_see_whole_tokens_only(cache: TokenCache) -> None:
    def work(number: int) -> None:
        for turn in range(5):
            cache.put(token_key(f"scope-{number % 3}"), token(f"worker-{number}-{turn}"))
            found = cache.get(token_key(f"scope-{number % 3}"))
            assert found is None or found.token.reveal().startswith("worker-")

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(work, range(16)))
    assert all((text_of(cache, f"scope-{number}") or "").startswith("worker-") for number in range(3))


def test_one_of_many_threads_leads_and_the_rest_find_its_token(place: Place) -> None:
    cache = place.open()
    asked = []
    start = threading.Barrier(12)

    def work(_: int) -> str | None:
        start.wait()
        if (found := text_of(cache)) is not None:
            return found
        with cache.lease(token_key("a"), 5):
            if (found := text_of(cache)) is not None:
                return found
            asked.append(1)
            cache.put(token_key("a"), token("asked-for"))
            return text_of(cache)

    with ThreadPoolExecutor(12) as threads:
        assert set(threads.map(work, range(12))) == {"asked-for"}
    assert len(asked) == 1


def test_those_who_waited_while_another_left_a_token_are_told_so(place: Place) -> None:
    waiting = threading.Event()

    def wait() -> bool:
        other = place.open()
        waiting.set()
        with other.lease(token_key("a"), 10) as leads:
            return leads

    cache = place.open()
    with ThreadPoolExecutor(4) as threads:
        with cache.lease(token_key("a"), 10) as leads:
            assert leads
            others = [threads.submit(wait) for _ in range(4)]
            assert waiting.wait(5)
            time.sleep(0.2)
            cache.put(token_key("a"), token("asked-for"))
        assert [other.result(10) for other in others] == [False] * 4


def test_if_the_leader_leaves_nothing_the_next_in_line_leads(place: Place) -> None:
    with ThreadPoolExecutor(1) as threads:
        with place.open().lease(token_key("a"), 10):
            other = threads.submit(lambda: place.open().lease(token_key("a"), 10).__enter__())
        assert other.result(10) is True


def test_leases_of_different_tokens_do_not_wait_for_each_other(cache: TokenCache) -> None:
    with cache.lease(token_key("a"), 5) as first, cache.lease(token_key("b"), 5) as second:
        assert first
        assert second


def test_a_lease_is_free_again_when_its_block_fails(cache: TokenCache) -> None:
    with pytest.raises(ZeroDivisionError), cache.lease(token_key("a"), 5):
        raise ZeroDivisionError
    began = time.monotonic()
    with cache.lease(token_key("a"), 5) as leads:
        assert leads
    assert time.monotonic() - began < 1


def test_nothing_secret_is_shown_or_logged(cache: TokenCache, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    cache.put(token_key("a"), token(SECRET))
    found = cache.get(token_key("a"))
    cache.remove(token_key("a"))
    shown = "".join((repr(cache), str(cache), repr(found), caplog.text))
    assert SECRET not in shown
    assert "the-secret" not in shown


def test_another_process_has_the_token(place: Place) -> None:
    place.open().put(token_key("a"), token("from the first process"))
    assert place.run("get", "a") == "from the first process"


def test_another_object_sees_each_change_at_once(place: Place) -> None:
    one, other = place.open(), place.open()
    for number in range(5):
        one.put(token_key("a"), token(f"number {number}"))
        assert text_of(other) == f"number {number}"
    one.remove(token_key("a"))
    assert text_of(other) is None


def test_many_processes_write_one_entry_and_it_stays_whole(place: Place) -> None:
    workers = [place.start("put-many", "a", str(number), "4") for number in range(4)]
    assert [result_of(worker) for worker in workers] == ["done"] * 4
    assert (text_of(place.open()) or "").startswith("worker-")


def test_processes_that_start_together_ask_once(place: Place, tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    workers = [place.start("ask-once", "a", str(journal), "10") for _ in range(5)]
    assert [result_of(worker) for worker in workers] == ["asked-for"] * 5
    assert journal.read_text() == "asked\n"


def test_a_killed_lease_holder_delays_nobody_beyond_the_deadline(place: Place) -> None:
    holder = place.start("hold", "a", "2")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "true\n"
    holder.kill()
    holder.communicate()
    began = time.monotonic()
    with place.open().lease(token_key("a"), 2) as leads:
        waited = time.monotonic() - began
        assert leads, "the next in line takes the dead one's place"
    assert waited < 2.3


def test_whoever_waits_for_a_slow_holder_goes_on_at_the_deadline(place: Place) -> None:
    holder = place.start("hold", "a", "30")
    assert holder.stdout is not None
    assert holder.stdout.readline() == "true\n"
    began = time.monotonic()
    with place.open().lease(token_key("a"), 0.3) as leads:
        waited = time.monotonic() - began
        assert not leads
    holder.kill()
    holder.communicate()
    assert 0.3 <= waited < 1


def test_a_wrong_size_of_token_is_no_failure(place: Place) -> None:
    cache = place.open()
    cache.put(token_key("a"), token("x" * 1_000_000))
    cache.put(token_key("b"), token(""))
    assert text_of(cache, "a") in {None, "x" * 1_000_000}
    assert text_of(cache, "b") in {None, ""}
