"""The shared cache against real clusters and Sentinels, with TLS both ways, users and passwords."""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
import redis

from azcert.credential.caches.redis import RedisCache
from azcert.credential.sealing.configured import ConfiguredKeys
from support.cache_worker import token, token_key
from support.redis_server import RedisServer, free_port, started

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

KEYS = ConfiguredKeys(bytes(range(32)))
BOUND = 3.0
"""Seconds one call may take whose node is gone: three answers of 0.25 s, on a busy machine."""
USER = "user fleet on >pass%word ~azcert:* +get +pttl +set +del +eval +ping"


class Tls:
    """A certificate for servers and clients, which is its own authority, and who accepts no other."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "cert.pem", folder / "key.pem"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"),
                *("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
                *("-keyout", self.key, "-out", self.certificate),
            ],
            check=True,
            capture_output=True,
        )

    def lines(self, port: int) -> list[str]:
        return [
            "port 0",
            f"tls-port {port}",
            f"tls-cert-file {self.certificate}",
            f"tls-key-file {self.key}",
            f"tls-ca-cert-file {self.certificate}",
            "tls-auth-clients yes",
            "tls-replication yes",
        ]

    @property
    def query(self) -> str:
        return f"ssl_ca_certs={self.certificate}&ssl_certfile={self.certificate}&ssl_keyfile={self.key}"

    @contextlib.contextmanager
    def client(self, port: int) -> Iterator[Any]:
        with redis.Redis(
            host="127.0.0.1",
            port=port,
            ssl=True,
            ssl_ca_certs=str(self.certificate),
            ssl_certfile=str(self.certificate),
            ssl_keyfile=str(self.key),
        ) as client:
            yield client


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return Tls(tmp_path_factory.mktemp("tls"))


def text_of(cache: RedisCache, scope: str) -> str | None:
    found = cache.get(token_key(scope))
    return found.token.reveal() if found else None


def wait_until(happened: Callable[[], bool], server: RedisServer) -> None:
    deadline = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < deadline, (server.folder / "log").read_text()
        time.sleep(0.02)


def test_a_server_that_wants_a_clients_certificate_gets_it(tmp_path: Path, tls: Tls) -> None:
    port = free_port()
    with started(tmp_path / "one", *tls.lines(port), USER, "user default off", port=port):
        cache = RedisCache(f"rediss://fleet:pass%25word@127.0.0.1:{port}/0?{tls.query}", KEYS)
        cache.check()
        cache.put(token_key("a"), token("kept"))
        assert text_of(cache, "a") == "kept"
        without = RedisCache(
            f"rediss://fleet:pass%25word@127.0.0.1:{port}?ssl_ca_certs={tls.certificate}", KEYS
        )
        assert text_of(without, "a") is None
        cache.close()


@pytest.fixture
def cluster(tmp_path: Path, tls: Tls) -> Iterator[list[RedisServer]]:
    """Three nodes with a third of the slots each, reached by TLS and as a user only."""
    with contextlib.ExitStack() as stack:
        nodes: list[RedisServer] = []
        buses: list[int] = []
        for number in range(3):
            port, bus = free_port(), free_port()
            lines = [*tls.lines(port), "tls-cluster yes", "cluster-enabled yes", f"cluster-port {bus}"]
            lines += ["cluster-node-timeout 2000", f"{USER} +cluster|slots +command"]
            nodes.append(stack.enter_context(started(tmp_path / f"node{number}", *lines, port=port)))
            buses.append(bus)
        for number, node in enumerate(nodes):
            with tls.client(node.port) as client:
                first, last = number * 16384 // 3, (number + 1) * 16384 // 3 - 1
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", nodes[0].port, buses[0])

        def agreed(node: RedisServer) -> bool:
            with tls.client(node.port) as client:
                facts = client.execute_command("CLUSTER INFO")
                slots = client.execute_command("CLUSTER SLOTS")
            return bool(facts["cluster_state"] == "ok" and len(slots) == 3)

        for node in nodes:
            wait_until(lambda node=node: agreed(node), node)  # type: ignore[misc]
        yield nodes


def test_a_cluster_of_three_keeps_each_token_where_it_belongs(cluster: list[RedisServer], tls: Tls) -> None:
    scopes = [f"api://{number}/.default" for number in range(30)]
    # The first address is nobody's; the second one knows the others.
    hosts = f"127.0.0.1:{free_port()},127.0.0.1:{cluster[1].port}"
    cache = RedisCache(f"rediss+cluster://fleet:pass%25word@{hosts}?{tls.query}", KEYS)
    cache.check()
    for scope in scopes:
        with cache.lease(token_key(scope), 5) as leads:
            assert leads
            cache.put(token_key(scope), token(f"for {scope}"))
        assert text_of(cache, scope) == f"for {scope}"
    for node in cluster:
        with tls.client(node.port) as client:
            names = client.keys("azcert:*")
        assert names, "each node has some of them"
        assert all(name.endswith(b":token") for name in names), "every lease was given back"
    cluster[0].kill()
    longest = 0.0
    for scope in scopes:
        began = time.monotonic()
        with cache.lease(token_key(scope), 5):
            assert text_of(cache, scope) in {None, f"for {scope}"}
        longest = max(longest, time.monotonic() - began)
    assert longest < BOUND, "a node that died costs a bounded time"
    cache.close()


def test_sentinels_and_servers_with_tls_and_passwords_of_their_own(tmp_path: Path, tls: Tls) -> None:
    ports = [free_port() for _ in range(3)]
    replica = [f"replicaof 127.0.0.1 {ports[0]}", "masteruser mate", "masterauth mates"]
    mate = "user mate on >mates ~* &* +@all"
    watch = [
        *tls.lines(ports[2]),
        f"sentinel monitor fleet 127.0.0.1 {ports[0]} 1",
        "sentinel auth-user fleet mate",
        "sentinel auth-pass fleet mates",
        "sentinel down-after-milliseconds fleet 300",
        "sentinel failover-timeout fleet 1000",
        "user watcher on >watch&word ~* &* +@all",
        "user default off",
    ]
    with (
        started(tmp_path / "one", *tls.lines(ports[0]), USER, mate, port=ports[0]) as first,
        started(tmp_path / "two", *tls.lines(ports[1]), USER, mate, *replica, port=ports[1]) as second,
        started(tmp_path / "sentinel", *watch, port=ports[2], sentinel=True) as sentinel,
    ):
        asked = "sentinel_username=watcher&sentinel_password=watch%26word"
        address = f"rediss+sentinel://fleet:pass%25word@127.0.0.1:{sentinel.port}/fleet/0?{tls.query}&{asked}"
        cache = RedisCache(address, KEYS)
        cache.check()
        cache.put(token_key("a"), token("on the first"))
        assert text_of(cache, "a") == "on the first"

        def followed() -> bool:
            with tls.client(second.port) as client:
                return bool(client.info("replication")["master_link_status"] == "up")

        wait_until(followed, second)
        wait_until(lambda: f"127.0.0.1:{second.port}" in (sentinel.folder / "log").read_text(), sentinel)
        first.kill()
        deadline = time.monotonic() + 30
        while text_of(cache, "b") != "on the second":
            cache.put(token_key("b"), token("on the second"))
            assert time.monotonic() < deadline, (sentinel.folder / "log").read_text()
            time.sleep(0.05)
        assert text_of(cache, "a") == "on the first", "it was copied"
        cache.close()
