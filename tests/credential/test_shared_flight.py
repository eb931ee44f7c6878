"""Processes that start together and share a cache ask the token endpoint once; real credentials, real TLS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bench.redis_server import redis_server
from bench.setting import Setting, finish, setting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROCESSES = 4


@pytest.fixture(scope="module")
def place() -> Iterator[Setting]:
    with setting() as one:
        yield one


def start_together(place: Setting, cache: str) -> int:
    """Let processes of 10 threads each want one token at once; return how many requests were made."""
    place.control(reset=1)
    crowd = [place.start_probe("fleet", "azcert", "10", cache) for _ in range(PROCESSES)]
    for one in crowd:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in crowd:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    for one in crowd:
        finish(one)
    return place.control()["asked"]


def test_processes_of_one_host_ask_once(place: Setting, tmp_path: Path) -> None:
    name = f"file:{tmp_path}/tokens"
    assert start_together(place, name) == 1
    assert start_together(place, name) == 0, "those that come later find the token"


def test_processes_that_share_redis_ask_once(place: Setting, tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        assert start_together(place, url) == 1
        assert start_together(place, url) == 0


def test_without_a_shared_cache_each_process_asks_for_itself(place: Setting) -> None:
    assert start_together(place, "memory") == PROCESSES
