"""The shared cache against real servers: refused, slow, full, killed, tampered with, in each arrangement."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import socket
import ssl
import subprocess
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
import redis

from azcert._redact import Secret
from azcert.credential.caches.redis import RedisCache
from azcert.credential.redis_url import parse
from azcert.credential.sealing.configured import ConfiguredKeys
from azcert.credential.sealing.signature import SignatureKeys
from azcert.errors import ConfigurationError
from support.cache_worker import token, token_key
from support.redis_server import RedisServer, free_port, started
from support.signing import RenewableSource, make_signing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from support.shells import Stand

KEYS = ConfiguredKeys(bytes(range(32)))
BOUND = 1.5
"""Seconds any one call may take with the default timeout of 0.25 s, on a busy machine."""


def text_of(cache: RedisCache, scope: str = "a") -> str | None:
    found = cache.get(token_key(scope))
    return found.token.reveal() if found else None


def longest(cache: RedisCache, calls: int = 20) -> float:
    """Use every operation; return the longest time one of them took."""

    def lease() -> None:
        with cache.lease(token_key("a"), 5) as leads:
            assert leads

    operations: list[Callable[[], object]] = [
        lambda: cache.get(token_key("a")),
        lambda: cache.put(token_key("a"), token()),
        lambda: cache.remove(token_key("a")),
        lease,
    ]
    times = []
    for _ in range(calls // len(operations)):
        for operation in operations:
            began = time.monotonic()
            operation()
            times.append(time.monotonic() - began)
    return max(times)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server of this test alone, to be mistreated."""
    with started(tmp_path / "redis") as one:
        yield one


def test_an_entry_expires_with_its_token(redis_server: RedisServer) -> None:
    redis_server.flush()
    RedisCache(redis_server.url, KEYS).put(token_key("a"), token(seconds=100))
    with redis_server.client() as client:
        (name,) = client.keys("azcert:*:token")
        assert 90 < client.ttl(name) <= 100


@pytest.mark.parametrize("hours", [-2, 0, 2])
def test_a_writer_whose_clock_is_wrong_makes_nobody_use_a_token_beyond_its_end(
    redis_server: RedisServer, hours: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    redis_server.flush()
    right = time.time
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(time, "time", lambda: right() + 3600 * hours)
        RedisCache(redis_server.url, KEYS).put(token_key("a"), token(seconds=1000))
    found = RedisCache(redis_server.url, KEYS).get(token_key("a"))
    assert found is not None
    assert found.expires_on - found.refresh_on == 500
    if hours < 0:
        assert found.expires_on < right(), "it counts as ended, and is asked for again"
    else:
        assert 990 < found.expires_on - right() <= 1001


def test_redis_sees_no_token_client_or_scope(redis_server: RedisServer) -> None:
    redis_server.flush()
    key = token_key("https://vault.azure.net/.default")
    RedisCache(redis_server.url, KEYS).put(key, token("the-token-itself"))
    with redis_server.client() as client:
        (name,) = client.keys("*")
        seen = name + client.get(name)
    for word in ("the-token-itself", "vault", key.client_id, key.tenant_id, key.authority, key.thumbprint):
        assert word.encode() not in seen


@pytest.mark.parametrize("harm", ["altered", "cut", "emptied", "of another type", "of another name"])
def test_a_tampered_entry_is_not_used_and_is_replaced(
    redis_server: RedisServer, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    redis_server.flush()
    cache = RedisCache(redis_server.url, KEYS)
    cache.put(token_key("b"), token("for b"))
    with redis_server.client() as client:
        (other,) = client.keys("*")
        cache.put(token_key("a"), token("for a"))
        (name,) = {*client.keys("*")} - {other}
        sealed = client.get(name)
        if harm == "of another type":
            client.delete(name)
            client.lpush(name, "x")
        else:
            changed = {
                "altered": sealed[:-1] + bytes([sealed[-1] ^ 1]),
                "cut": sealed[:40],
                "emptied": b"",
                "of another name": client.get(other),
            }
            client.set(name, changed[harm])
    assert cache.get(token_key("a")) is None
    assert caplog.records
    cache = RedisCache(redis_server.url, KEYS)
    cache.put(token_key("a"), token("again"))
    assert text_of(cache) == "again"


def test_hosts_with_the_same_certificate_share_and_others_do_not(redis_server: RedisServer) -> None:
    redis_server.flush()
    signing = make_signing()
    key = token_key("a", thumbprint=signing.certificate.thumbprint_sha256)
    one, other = (RedisCache(redis_server.url, SignatureKeys(RenewableSource([signing]))) for _ in range(2))
    one.put(key, token("of the fleet"))
    found = other.get(key)
    assert found is not None
    assert found.token.reveal() == "of the fleet"
    stranger = RedisCache(redis_server.url, SignatureKeys(RenewableSource([make_signing()])))
    assert stranger.get(key) is None


def test_prefixes_keep_fleets_apart(redis_server: RedisServer) -> None:
    redis_server.flush()
    RedisCache(redis_server.url, KEYS, prefix="one").put(token_key("a"), token())
    assert RedisCache(redis_server.url, KEYS, prefix="two").get(token_key("a")) is None


def test_a_redis_that_was_never_there_costs_a_bounded_time_and_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cache = RedisCache(f"redis://:the-password@127.0.0.1:{free_port()}", KEYS)
    assert longest(cache) < BOUND
    assert len(caplog.records) == 1
    assert "cannot be used, so this process asks for its own tokens" in caplog.text
    assert "the-password" not in caplog.text


def test_a_redis_killed_and_started_again_is_used_again(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="azcert")
    cache = RedisCache(server.url, KEYS)
    cache.put(token_key("a"), token("before"))
    assert text_of(cache) == "before"
    server.kill(signal.SIGKILL)
    assert longest(cache) < BOUND
    server.start()
    deadline = time.monotonic() + 10
    while text_of(cache) != "after":
        cache.put(token_key("a"), token("after"))
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_a_restart_between_two_calls_is_not_even_noticed(
    server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    cache = RedisCache(server.url, KEYS)
    cache.put(token_key("a"), token("before"))
    server.kill()
    server.start()
    cache.put(token_key("a"), token("after"))
    assert text_of(cache) == "after"
    assert not caplog.records


def test_a_redis_that_hangs_costs_a_bounded_time(server: RedisServer) -> None:
    cache = RedisCache(server.url, KEYS)
    cache.put(token_key("a"), token())
    server.pause()
    try:
        began = time.monotonic()
        assert longest(cache) < BOUND
        assert time.monotonic() - began < 2 * BOUND, "after the first failure nothing is waited for"
    finally:
        server.resume()


def test_a_name_that_is_looked_up_for_long_costs_a_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [found.wait(60)][1:])
    cache = RedisCache("redis://cache.example", KEYS, timeout=0.05)
    began = time.monotonic()
    assert cache.get(token_key("a")) is None
    assert longest(cache) < BOUND, "after the first time it is not even tried"
    assert time.monotonic() - began < 2 * BOUND
    found.set()


def test_a_token_costs_one_answer_of_redis_and_a_request_seven(
    redis_server: RedisServer, stand: Stand
) -> None:
    def commands() -> int:
        with redis_server.client() as client:
            seen = client.info("commandstats")
        return sum(seen.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("get", "set", "eval"))

    redis_server.flush()
    counts = [commands()]
    for _ in range(2):
        cache = RedisCache(redis_server.url, KEYS)
        with closing(cache), stand.sync(cache=cache) as credential:
            for _ in range(3):
                credential.get_token("api://orders/.default")
        counts.append(commands())
    # EVAL reads the lease and deletes it: its GET is counted too.
    assert [after - before for before, after in itertools.pairwise(counts)] == [7 + 1, 1]


def test_a_redis_that_dies_while_others_wait_frees_them(server: RedisServer) -> None:
    holder, waiter = RedisCache(server.url, KEYS), RedisCache(server.url, KEYS)
    with holder.lease(token_key("a"), 30) as leads:
        assert leads
        server.kill()
        began = time.monotonic()
        with waiter.lease(token_key("a"), 30) as also:
            assert also, "without Redis everyone asks for himself"
        assert time.monotonic() - began < BOUND


def test_a_full_redis_refuses_to_keep_and_still_answers(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with started(tmp_path / "full", "maxmemory-policy noeviction") as server:
        cache = RedisCache(server.url, KEYS)
        cache.put(token_key("a"), token("kept before"))
        with server.client() as client:
            client.config_set("maxmemory", "100kb")
        cache.put(token_key("b"), token("too late"))
        assert text_of(cache, "a") == "kept before"
        assert text_of(cache, "b") is None
        with cache.lease(token_key("b"), 5) as leads:
            assert leads
        assert longest(cache) < BOUND
    assert len(caplog.records) == 1
    assert "refuses to keep tokens" in caplog.text


def test_a_wrong_password_is_said_once_without_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with started(tmp_path / "auth", "requirepass right") as server:
        cache = RedisCache(server.url, KEYS, password="wrong-one")
        assert longest(cache) < BOUND
        assert len(caplog.records) == 1
        with pytest.raises(ConfigurationError, match="cannot be used") as caught:
            cache.check()
        for text in (caplog.text, str(caught.value), repr(cache)):
            assert "wrong-one" not in text
        right = RedisCache(server.url, KEYS, password=Secret("right"))
        right.check()
        right.put(token_key("a"), token("kept"))
        assert text_of(right) == "kept"


def test_an_acl_user_needs_only_these_commands_on_its_prefix(tmp_path: Path) -> None:
    rules = "user fleet on >word ~azcert:* +get +pttl +set +del +eval +ping"
    with started(tmp_path / "acl", "user default off", rules) as server:
        cache = RedisCache(f"redis://fleet:word@127.0.0.1:{server.port}", KEYS)
        cache.check()
        cache.put(token_key("a"), token("kept"))
        assert text_of(cache) == "kept"
        with cache.lease(token_key("a"), 5) as leads:
            assert leads
        with cache.lease(token_key("a"), 0.2) as leads:
            assert leads, "the first lease was given back"
        cache.remove(token_key("a"))
        assert text_of(cache) is None


def test_a_user_who_may_not_write_costs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rules = "user reader on >word ~azcert:* +get +pttl"
    with started(tmp_path / "acl", rules) as server:
        RedisCache(server.url, KEYS).put(token_key("b"), token("kept by another"))
        cache = RedisCache(server.url, KEYS, username="reader", password="word")
        assert longest(cache) < BOUND
        assert text_of(cache, "b") == "kept by another"
    assert len(caplog.records) == 1


@pytest.fixture(scope="module")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "1",
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-keyout",
            folder / "key.pem",
            "-out",
            folder / "cert.pem",
        ],
        check=True,
        capture_output=True,
    )
    return folder


def test_tls_is_verified(tmp_path: Path, tls_files: Path, caplog: pytest.LogCaptureFixture) -> None:
    port = free_port()
    options = [
        "port 0",
        f"tls-port {port}",
        f"tls-cert-file {tls_files}/cert.pem",
        f"tls-key-file {tls_files}/key.pem",
        f"tls-ca-cert-file {tls_files}/cert.pem",
        "tls-auth-clients no",
    ]
    with started(tmp_path / "tls", *options, port=port):
        known = RedisCache(f"rediss://127.0.0.1:{port}?ssl_ca_certs={tls_files}/cert.pem", KEYS)
        known.check()
        known.put(token_key("a"), token("kept"))
        assert text_of(known) == "kept"
        unknown = RedisCache(f"rediss://127.0.0.1:{port}", KEYS)
        assert text_of(unknown) is None
        assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
        plain = RedisCache(f"redis://127.0.0.1:{port}", KEYS)
        assert longest(plain) < BOUND


def test_a_socket_file_will_do(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with started(tmp_path / "socket", f"unixsocket {path}"):
        cache = RedisCache(f"unix://{path}", KEYS)
        cache.put(token_key("a"), token("kept"))
        assert text_of(cache) == "kept"


def test_a_cluster_is_found_through_any_node(tmp_path: Path) -> None:
    # The default, the port and 10000 more, may be more than there are.
    with started(tmp_path / "cluster", "cluster-enabled yes", f"cluster-port {free_port()}") as server:
        with server.client() as client:
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            deadline = time.monotonic() + 10
            while client.execute_command("CLUSTER INFO")["cluster_state"] != "ok":
                assert time.monotonic() < deadline
                time.sleep(0.05)
        cache = RedisCache(f"redis+cluster://127.0.0.1:{free_port()},127.0.0.1:{server.port}", KEYS)
        for scope in "abcdef":
            cache.put(token_key(scope), token(f"for {scope}"))
            assert text_of(cache, scope) == f"for {scope}"
            with cache.lease(token_key(scope), 5) as leads:
                assert leads
        server.kill()
        assert longest(cache) < 2 * BOUND


def test_a_lease_past_its_deadline_is_not_taken_from_its_new_holder(redis_server: RedisServer) -> None:
    redis_server.flush()
    slow, quick, third = (RedisCache(redis_server.url, KEYS) for _ in range(3))
    with slow.lease(token_key("a"), 0.1) as leads:
        assert leads
        with quick.lease(token_key("a"), 5) as also:
            assert also, "the first lease has ended by itself"
            with redis_server.client() as client:
                (name,) = client.keys("*:lease")
                held = client.get(name)
    with redis_server.client() as client:
        assert client.get(name) is None, "the second gave its lease back"
        client.set(name, "of a third", px=5000)
        with slow.lease(token_key("b"), 0.1):
            pass
        assert client.get(name) == b"of a third"
        assert held != b"of a third"
    with third.lease(token_key("a"), 0.1) as leads:
        assert not leads


def test_a_child_process_of_a_fork_has_connections_of_its_own(redis_server: RedisServer) -> None:
    redis_server.flush()
    cache = RedisCache(redis_server.url, KEYS)
    cache.put(token_key("a"), token("of the parent"))
    child = os.fork()
    if child == 0:
        good = text_of(cache) == "of the parent"
        cache.put(token_key("b"), token("of the child"))
        os._exit(0 if good else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert text_of(cache, "b") == "of the child"


def test_close_gives_the_connections_back(redis_server: RedisServer) -> None:
    with redis_server.client() as client:
        before = client.info("clients")["connected_clients"]
        cache = RedisCache(redis_server.url, KEYS)
        text_of(cache)
        assert client.info("clients")["connected_clients"] == before + 1
        cache.close()
        deadline = time.monotonic() + 5
        while client.info("clients")["connected_clients"] != before:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    cache.close()


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://host", "does not begin with"),
        ("redis", "does not begin with"),
        ("redis+other://host", "does not begin with"),
        ("redis://", "names no host"),
        ("redis://host:port", "names no host, or one that is not well formed"),
        ("redis://one,two", "names several hosts"),
        ("redis://host/first", "no number as its database"),
        ("redis://host/0/1", "longer path"),
        ("redis+cluster://host/1", "a cluster has only one"),
        ("redis+sentinel://host", "names no service"),
        ("unix://", "names no socket file"),
        ("rediss://host?ssl_cert_reqs=none", "certificates are always verified"),
        ("rediss://host?ssl_check_hostname=false", "certificates are always verified"),
        ("rediss://host?ssl_ca_cert=x", "did you mean 'ssl_ca_certs'"),
        ("redis://host?db=x", "no number as its option db"),
    ],
)
def test_a_wrong_url_is_refused_with_its_fault(url: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault) as caught:
        parse(url)
    assert caught.value.code == "redis-url"


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://user:pass%20word@host:1234/5", "redis://host:1234"),
        ("valkeys://host", "rediss://host:6379"),
        ("redis://[::1]:7000", "redis://[::1]:7000"),
        (
            "rediss+sentinel://u:p@one,two:1/fleet/2?sentinel_password=s",
            "rediss+sentinel://one:26379,two:1/fleet",
        ),
        ("unix:///run/redis.sock?db=3", "unix:///run/redis.sock"),
    ],
)
def test_an_address_is_shown_without_user_and_password(url: str, text: str) -> None:
    assert str(parse(url)) == text
    assert "pass word" not in repr(parse(url))


def test_user_and_password_are_decoded_and_may_stand_apart() -> None:
    address = parse("redis://us%40er:pass%20word@host/5")
    assert address.username == "us@er"
    assert address.password is not None
    assert address.password.reveal() == "pass word"
    assert address.options == {"db": 5}
    assert parse("redis://host", username="u", password="p").username == "u"


def test_tls_options_reach_the_connection(tls_files: Path) -> None:
    client = parse(f"rediss://host?ssl_ca_certs={tls_files}/cert.pem").connect(0.25)
    options = client.connection_pool.connection_kwargs
    assert options["ssl_ca_certs"] == f"{tls_files}/cert.pem"
    assert options.get("ssl_cert_reqs", "required") in {"required", ssl.CERT_REQUIRED}
    assert issubclass(client.connection_pool.connection_class, redis.SSLConnection)
