from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given
from hypothesis import strategies as st

from azcert.credential.caches.memory import MemoryCache, TokenTable
from azcert.credential.tokens import Slot
from support.cache_worker import token_key

NOW = 1000.0


def table(limit: int) -> TokenTable:
    return TokenTable(limit, clock=lambda: NOW)


def slot(text: str = "t", *, expires_on: int = 5000) -> Slot:
    return Slot(text, expires_on=expires_on, refresh_on=expires_on - 100)


def test_every_name_finds_the_newest_token() -> None:
    tokens = table(10)
    tokens.put("id", slot("old"))
    tokens.find("id", "name 1")
    tokens.find("id", "name 2")
    assert tokens.hits["name 1"].token.token == "old"
    tokens.put("id", slot("new"))
    assert {tokens.hits[name].token.token for name in ("name 1", "name 2")} == {"new"}


def test_expired_tokens_leave_first_then_unused_ones_the_oldest_first() -> None:
    tokens = table(32)
    for number in range(32):
        tokens.put(number, slot(expires_on=900 if number == 20 else 5000))
        tokens.find(number, f"name {number}")
    tokens.put(32, slot())
    assert 20 not in tokens._slots, "it had expired"
    # From here on what is read counts as used.
    for number in range(2, 5):
        tokens.hits[f"name {number}"].hits += 1
    for number in range(33, 37):
        tokens.put(number, slot())
    assert {2, 3, 4} <= set(tokens._slots), "they were read"
    assert not {5, 6} & set(tokens._slots), "they were the oldest that were not"
    assert "name 5" not in tokens.hits


@given(st.lists(st.integers(0, 60), max_size=300), st.integers(1, 20))
def test_the_table_is_bounded_and_names_never_outlive_their_token(wanted: list[int], limit: int) -> None:
    tokens = table(limit)
    for number in wanted:
        found = tokens.find(number, ("name", number))
        if found is None:
            tokens.put(number, slot(str(number)))
            tokens.find(number, ("name", number))
        else:
            found.hits += 1
        assert tokens.hits[("name", number)].token.token == str(number), "the newcomer is there"
    assert len(tokens) <= limit
    assert {name[1] for name in tokens.hits if isinstance(name, tuple)} <= set(tokens._slots)


def test_one_token_has_a_bounded_number_of_names() -> None:
    tokens = table(10)
    tokens.put("id", slot())
    for number in range(100):
        assert tokens.find("id", number) is not None
    assert len(tokens.hits) <= 8


def test_hits_are_counted_beyond_the_life_of_their_token() -> None:
    tokens = table(10)
    for identity in ("a", "b"):
        tokens.put(identity, slot())
        tokens.find(identity, f"name {identity}")
        tokens.hits[f"name {identity}"].hits += 3
    tokens.remove("a")
    assert tokens.hit_count == 6


def test_readers_and_writers_do_not_hurt_each_other() -> None:
    tokens = table(64)
    stop = threading.Event()
    wrong: list[str] = []

    def read() -> None:
        while not stop.is_set():
            for number in range(128):
                found = tokens.hits.get(number)
                if found is not None and found.token.token != str(number):
                    wrong.append(f"{number}: {found.token.token}")

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        for _ in range(40):
            for number in range(128):
                tokens.put(number, slot(str(number)))
                tokens.find(number, number)
        stop.set()
        for reader in readers:
            reader.result()
    assert not wrong
    assert len(tokens) <= 64


def test_a_forked_child_does_not_wait_for_a_lease_of_the_parents_threads() -> None:
    cache = MemoryCache()
    with cache.lease(token_key(), 30):
        child = os.fork()
        if child == 0:
            with cache.lease(token_key(), 30) as leads:
                os._exit(0 if leads else 1)
        assert os.waitpid(child, 0)[1] == 0
