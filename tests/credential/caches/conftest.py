"""Fixtures that give each cache in turn: whatever one promises, all of them promise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from azcert.credential.caches.memory import MemoryCache
from support.cache_place import Place
from support.redis_server import RedisServer, started

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azcert.credential.caches.entry import TokenCache

SHARED = ["sealed", "persistent", "redis"]


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with started(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
def key_file(tmp_path: Path) -> str:
    path = tmp_path / "cache.key"
    path.touch(mode=0o600)
    path.write_bytes(bytes(range(32)))
    return str(path)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own: azure-identity's cache is always in ~/.IdentityService."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    return folder


@pytest.fixture(params=SHARED)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, home: Path, key_file: str, redis_server: RedisServer
) -> Place:
    """A shared cache, empty."""
    if request.param == "sealed":
        return Place("sealed", str(tmp_path / "tokens"), key_file, tmp_path / "tokens")
    if request.param == "persistent":
        return Place("persistent", "test.cache", key_file, home / ".IdentityService")
    redis_server.flush()
    return Place("redis", redis_server.url, key_file, tmp_path / "none")


@pytest.fixture(params=["memory", *SHARED])
def cache(
    request: pytest.FixtureRequest, tmp_path: Path, home: Path, key_file: str, redis_server: RedisServer
) -> TokenCache:
    """Any cache, empty."""
    if request.param == "memory":
        return MemoryCache()
    redis_server.flush()
    where = {"sealed": str(tmp_path / "tokens"), "persistent": "test.cache", "redis": redis_server.url}
    return Place(request.param, where[request.param], key_file, tmp_path).open()
