"""From a URL to a Redis or Valkey client whose every wait is bounded: one server, a cluster, or Sentinel.

======================================  ==========================================================
``redis://host:6379/0``                 one server; ``rediss://`` with TLS
``unix:///run/redis.sock?db=0``         one server through a socket file
``redis+cluster://h1:6379,h2:6379``     a cluster, found through any of its nodes; ``rediss+cluster://``
``redis+sentinel://h1,h2/SERVICE/0``    the primary that Sentinel names; ``rediss+sentinel://``
======================================  ==========================================================

``valkey`` may stand for ``redis`` everywhere. User (ACL) and password stand before the hosts,
percent-encoded, or are given apart. Options follow after ``?``.
"""

from __future__ import annotations

import difflib
import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from azcert._redact import Secret
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    import redis

__all__ = ["RedisAddress", "parse"]

_OPTIONS = (
    "client_name",
    "db",
    "protocol",
    "sentinel_password",
    "sentinel_username",
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_certfile",
    "ssl_keyfile",
)
_NUMBERS = {"db", "protocol"}
_KINDS = {"": "server", "+cluster": "cluster", "+sentinel": "sentinel"}
_PORTS = {"server": 6379, "cluster": 6379, "sentinel": 26379}


@dataclass(frozen=True)
class RedisAddress:
    """Where a Redis is and how to sign in to it. Its text never shows a password."""

    kind: str
    """``server``, ``socket``, ``cluster`` or ``sentinel``."""
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    path: str
    """The socket file, or the service's name with Sentinel."""
    username: str | None
    password: Secret | None
    options: dict[str, str | int | Secret]

    def __str__(self) -> str:
        if self.kind == "socket":
            return f"unix://{self.path}"
        scheme = ("rediss" if self.tls else "redis") + ("" if self.kind == "server" else f"+{self.kind}")
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{scheme}://{hosts}" + (f"/{self.path}" if self.path else "")

    def connect(self, timeout: float) -> redis.Redis:
        """Return a client. Each connection attempt and each answer is waited for at most *timeout* seconds.

        A connection that the server has closed meanwhile is replaced once; nothing else is tried again.
        """
        # By name, and so untyped: the package is an optional extra, and half of it has no types.
        library = importlib.import_module("redis")
        backoff = importlib.import_module("redis.backoff").NoBackoff()

        options: dict[str, Any] = {name: _plain(value) for name, value in self.options.items()}
        sentinel_options = {
            name.removeprefix("sentinel_"): options.pop(name)
            for name in ("sentinel_username", "sentinel_password")
            if name in options
        }
        waits: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
            "retry": library.retry.Retry(backoff, 1, (library.ConnectionError,)),
        }
        options |= waits
        if self.username is not None:
            options["username"] = self.username
        if self.password is not None:
            options["password"] = self.password.reveal()
        if self.kind == "socket":
            return _client(library.Redis(unix_socket_path=self.path, **options))
        if self.tls:
            options["ssl"] = True
        if self.kind == "server":
            ((host, port),) = self.hosts
            return _client(library.Redis(host=host, port=port, **options))
        if self.kind == "cluster":
            cluster = importlib.import_module("redis.cluster")
            nodes = [cluster.ClusterNode(host, port) for host, port in self.hosts]
            return _client(cluster.RedisCluster(startup_nodes=nodes, **options))
        if self.tls:
            sentinel_options |= {name: value for name, value in options.items() if name.startswith("ssl")}
        sentinel = importlib.import_module("redis.sentinel")
        sentinels = sentinel.Sentinel(list(self.hosts), sentinel_kwargs=sentinel_options | waits, **options)
        return _client(sentinels.master_for(self.path))


def parse(url: str, *, username: str | None = None, password: str | Secret | None = None) -> RedisAddress:
    """Return what *url* says. Nothing is connected.

    :raises ConfigurationError: it is not well formed, or has an option that does not exist or weakens TLS.
        The message never shows the URL: it may hold a password.
    """
    scheme, found, _ = url.partition("://")
    base, plus, suffix = scheme.lower().partition("+")
    kind = "socket" if base == "unix" and not plus else _KINDS.get(plus + suffix, "")
    if not found or not kind or base not in {"redis", "rediss", "valkey", "valkeys", "unix"}:
        raise _wrong(
            "does not begin with redis://, rediss://, unix://, redis+cluster://, rediss+cluster://, "
            "redis+sentinel:// or rediss+sentinel://"
        )
    parts = urlsplit(url)
    options = _options(parts.query)
    user, at, hosts = parts.netloc.rpartition("@")
    if at:
        name, colon, word = user.partition(":")
        username = username or unquote(name) or None
        password = password if password is not None else (unquote(word) if colon else None)
    path = unquote(parts.path)
    if kind != "socket":
        path = _database(path, kind, options)
    elif not path:
        raise _wrong("names no socket file")
    return RedisAddress(
        kind=kind,
        tls=base in {"rediss", "valkeys"},
        hosts=() if kind == "socket" else _hosts(hosts, kind),
        path=path,
        username=username,
        password=Secret(password) if isinstance(password, str) else password,
        options=options,
    )


def _options(query: str) -> dict[str, str | int | Secret]:
    options: dict[str, str | int | Secret] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name in {"ssl_cert_reqs", "ssl_check_hostname"}:
            raise _wrong(f"has the option {name}; certificates are always verified")
        if name not in _OPTIONS:
            near = difflib.get_close_matches(name, _OPTIONS, n=1)
            raise _wrong(f"has an unknown option {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        if name in _NUMBERS:
            options[name] = _number(value, f"option {name}")
        else:
            options[name] = Secret(value) if name == "sentinel_password" else value
    return options


def _database(path: str, kind: str, options: dict[str, str | int | Secret]) -> str:
    """Take the database's number out of the path; return what is left of it: the service with Sentinel."""
    names = [part for part in path.split("/") if part]
    service = ""
    if kind == "sentinel":
        if not names:
            raise _wrong("names no service; Sentinel's URLs are redis+sentinel://HOST,HOST/SERVICE")
        service = names.pop(0)
    if names and kind == "cluster":
        raise _wrong("names a database; a cluster has only one")
    if names:
        options["db"] = _number(names.pop(0), "database")
    if names:
        raise _wrong("has a longer path than a database's number")
    return service


def _hosts(text: str, kind: str) -> tuple[tuple[str, int], ...]:
    hosts = []
    for item in text.split(","):
        try:
            one = urlsplit(f"//{item}")
            host, port = one.hostname, one.port
        except ValueError:
            host, port = None, None
        if not host:
            raise _wrong("names no host, or one that is not well formed")
        hosts.append((unquote(host), port if port is not None else _PORTS[kind]))
    if kind == "server" and len(hosts) > 1:
        raise _wrong("names several hosts; a cluster's begins with redis+cluster://")
    return tuple(hosts)


def _number(value: str, what: str) -> int:
    if not value.isascii() or not value.isdigit():
        raise _wrong(f"has no number as its {what}")
    return int(value)


def _client(made: Any) -> redis.Redis:
    # A cluster's client has the same commands for single keys and shares no base class.
    return cast("redis.Redis", made)


def _plain(value: str | int | Secret) -> str | int:
    return value.reveal() if isinstance(value, Secret) else value


def _wrong(fault: str) -> ConfigurationError:
    return ConfigurationError(
        f"The URL of the token cache's Redis {fault}.",
        code="redis-url",
        remedy="Write it like rediss://user:password@host:6379/0.",
    )
