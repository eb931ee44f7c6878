"""Tokens in Redis or Valkey, for a fleet: one process asks Entra ID, all of them use the answer.

Entries are sealed with a key that Redis never sees (`azcert.credential.sealing`): whoever reads it, its
traffic or its backups learns how many tokens there are. Whoever can write to it can remove tokens, which
costs a request each, or bring back an older one that was sealed under the same name and has not expired;
nothing else.

A Redis that is slow, full, gone or refuses the password costs each call a bounded time, and after the first
failure nothing until the breaker's pause is over. It never fails a caller.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import secrets
import time
from typing import TYPE_CHECKING, Any, TypeVar

from azcert._threads import in_time
from azcert.credential.breaker import Breaker
from azcert.credential.rare_log import RareLog
from azcert.credential.redis_url import parse
from azcert.credential.sealing.box import DamagedEntryError
from azcert.errors import AzcertError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import redis

    from azcert._redact import Secret
    from azcert.credential.caches.entry import StoredToken, TokenKey
    from azcert.credential.sealing.box import SealingKey, SealingKeys

__all__ = ["RedisCache"]

T = TypeVar("T")

_LOG = logging.getLogger(__name__)
_LARGEST = 256 * 1024
_LONGEST = 8
"""How many of the waits for a connection or an answer may pass until Redis is reached, by its name."""
_CLOCKS_AGREE = 2.0
"""Seconds: times are kept as whole ones, and answers take a moment."""
_FIRST_PAUSE = 0.005
_LONGEST_PAUSE = 0.1
# Deletes the lease only if it is still ours: after its deadline it may be another's.
_RELEASE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0"


class RedisCache:
    """Tokens of all hosts that have the same Redis and the same sealing key.

    :param url: see `azcert.credential.redis_url`; nothing is connected yet.
    :param keys: where the sealing key comes from: `SignatureKeys` where all hosts hold the same certificate,
        `ConfiguredKeys` where each has its own.
    :param username: the ACL user, if the URL does not name it.
    :param password: its password, or the server's.
    :param prefix: what every key in Redis begins with.
    :param timeout: seconds to wait for a connection, and for each answer.
    :raises ConfigurationError: the URL is wrong, or the ``redis`` package is missing.
    """

    shared = True

    def __init__(
        self,
        url: str,
        keys: SealingKeys,
        *,
        username: str | None = None,
        password: str | Secret | None = None,
        prefix: str = "azcert",
        timeout: float = 0.25,
    ) -> None:
        try:
            import redis as library  # an optional extra
        except ImportError as error:
            raise ConfigurationError(
                "The redis package, which the shared token cache needs, is not installed.",
                code="extra-missing",
                remedy="Install it with: pip install 'azcert[redis]'",
            ) from error
        self._library = library
        self._address = parse(url, username=username, password=password)
        self._keys = keys
        self._prefix = prefix
        self._timeout = timeout
        self._breaker = Breaker()
        self._log = RareLog(_LOG)
        # By process id: a client is not carried over a fork. Without a lock: a fork would copy it locked.
        self._clients: dict[int, redis.Redis] = {}
        self._reached_by = 0

    def get(self, key: TokenKey) -> StoredToken | None:
        """Return the entry, expired or not, or None. An altered one counts as absent."""
        sealing = self._sealing_key(key)
        if sealing is None:
            return None
        name = self._entry(sealing.name(key))
        sealed, left = self._sealed_with_rest(name)
        if sealed is None:
            return None
        try:
            return _by_our_clock(sealing.unseal(key, sealed), left)
        except DamagedEntryError as error:
            self._log.warning("damaged", "%s It is not used (%s in %s).", error.message, name, self._address)
            return None

    def put(self, key: TokenKey, token: StoredToken) -> None:
        """Keep the token in place of an older one, until it expires."""
        sealing = self._sealing_key(key)
        if sealing is None:
            return
        sealed = sealing.seal(key, token)
        if len(sealed) > _LARGEST:
            self._log.warning("large", "A token of %d bytes is too large for %s", len(sealed), self._address)
            return
        name = self._entry(sealing.name(key))
        left = token.expires_on - int(time.time())
        if left <= 0:
            self._try(lambda client: client.delete(name), None)
        else:
            self._try(lambda client: client.set(name, sealed, ex=left), None)

    def remove(self, key: TokenKey) -> None:
        """Forget the entry."""
        sealing = self._sealing_key(key)
        if sealing is not None:
            name = self._entry(sealing.name(key))
            self._try(lambda client: client.delete(name), None)

    @contextlib.contextmanager
    def lease(self, key: TokenKey, seconds: float) -> Iterator[bool]:
        """Enter with True for the one caller of the whole fleet who should ask for this token now.

        The lease ends by itself after *seconds*, so that a host that dies with it delays nobody for longer.
        If its holder failed, the next one in line enters with True. Without Redis everyone enters with
        True.
        """
        sealing = self._sealing_key(key)
        if sealing is None:
            yield True
            return
        name = sealing.name(key)
        entry, lease = self._entry(name), f"{self._prefix}:{{{name}}}:lease"
        mine = secrets.token_hex(16)
        leads, held = self._acquire(entry, lease, mine, seconds)
        try:
            yield leads
        finally:
            if held:
                self._release(lease, mine)

    def check(self) -> None:
        """Ask Redis for an answer, for a doctor or a start-up check.

        :raises ConfigurationError: it cannot be used, and why.
        """
        try:
            self._client().ping()
        except self._failures() as error:
            raise ConfigurationError(
                f"The shared token cache at {self._address} cannot be used: {error}.",
                code="redis-unusable",
                remedy="Check its address, user and password; until then each process asks for itself.",
            ) from error

    def close(self) -> None:
        """Give back the connections of this process."""
        client = self._clients.pop(os.getpid(), None)
        if client is not None:
            client.close()

    def __repr__(self) -> str:
        return f"<RedisCache {self._address} key={self._keys.origin}>"

    def _acquire(self, entry: str, lease: str, mine: str, seconds: float) -> tuple[bool, bool]:
        """Return whether this caller leads, and whether a lease is held that must be given back."""
        deadline = time.monotonic() + seconds
        lifetime = max(int(seconds * 1000), 1)
        before = self._sealed(entry)
        pause = _FIRST_PAUSE
        while True:
            # None: Redis did not answer. Then nobody else's work can be waited for.
            taken = self._try(lambda client: bool(client.set(lease, mine, nx=True, px=lifetime)), None)
            if taken is None:
                return True, False
            now = self._sealed(entry)
            if now is not None and now != before:
                if taken:
                    self._release(lease, mine)
                return False, False
            if taken:
                return True, True
            left = deadline - time.monotonic()
            if left <= 0:
                return False, False
            time.sleep(min(left, pause * random.uniform(0.5, 1.0)))  # noqa: S311 - keeps waiters apart
            pause = min(pause * 1.6, _LONGEST_PAUSE)

    def _sealed(self, entry: str) -> bytes | None:
        value: Any = self._try(lambda client: client.get(entry), None)
        return value if isinstance(value, bytes) else None

    def _sealed_with_rest(self, entry: str) -> tuple[bytes | None, int]:
        """Return the entry with the milliseconds it has left; below 0 if Redis does not say."""

        def look(client: redis.Redis) -> list[Any]:
            with client.pipeline(transaction=False) as both:
                both.get(entry)
                both.pttl(entry)
                found: list[Any] = both.execute()
                return found

        nothing: list[Any] = [None, -1]
        value, left = self._try(look, nothing)
        return (value if isinstance(value, bytes) else None), left

    def _release(self, lease: str, mine: str) -> None:
        self._try(lambda client: client.eval(_RELEASE, 1, lease, mine), None)

    def _try(self, operation: Callable[[redis.Redis], T], otherwise: T) -> T:
        """Return what *operation* gives, or *otherwise* where Redis did not do it."""
        from redis.exceptions import NoPermissionError  # an optional extra

        if not self._breaker.allows():
            return otherwise
        try:
            result = in_time(lambda: operation(self._client()), self._limit())
        except (
            self._library.OutOfMemoryError,
            self._library.ReadOnlyError,
            NoPermissionError,
        ) as error:
            # It answers and refuses to write: reading may go on, and asking again costs no wait.
            self._log.warning("refused", "%s refuses to keep tokens: %s", self._address, error)
            self._breaker.worked()
            return otherwise
        except self._failures() as error:
            self._reached_by = 0
            first, pause = self._breaker.failed()
            if first:
                _LOG.warning(
                    "The shared token cache at %s cannot be used, so this process asks for its own tokens; "
                    "tried again in %.0f s, and then at most every 30 s: %s",
                    self._address,
                    pause,
                    error,
                )
            return otherwise
        self._reached_by = os.getpid()
        if self._breaker.worked():
            _LOG.info("The shared token cache at %s is back", self._address)
        return result

    def _limit(self) -> float | None:
        """Return the seconds for an operation that may have to look up a name first."""
        return None if self._reached_by == os.getpid() else _LONGEST * self._timeout

    def _client(self) -> redis.Redis:
        process = os.getpid()
        client = self._clients.get(process)
        if client is None:
            made = self._address.connect(self._timeout)
            client = self._clients.setdefault(process, made)
            if client is not made:
                made.close()
        return client

    def _failures(self) -> tuple[type[Exception], ...]:
        from redis.exceptions import RedisClusterException  # an optional extra

        return (self._library.RedisError, RedisClusterException, OSError)

    def _entry(self, name: str) -> str:
        # The braces are a cluster's hash tag: entry and lease live on one node.
        return f"{self._prefix}:{{{name}}}:token"

    def _sealing_key(self, key: TokenKey) -> SealingKey | None:
        try:
            return self._keys.key_for(key.thumbprint)
        except AzcertError as error:
            self._log.warning(f"key {error.code}", "Tokens are not kept in %s: %s", self._address, error)
            return None


def _by_our_clock(token: StoredToken, left: int) -> StoredToken:
    """Return the token with its times as this host's clock has them, never later than they were written.

    The host that wrote them may have another clock; how long the entry has left is the same for all.

    :param left: milliseconds, by Redis; below 0 if unknown.
    """
    ahead = token.expires_on - (time.time() + left / 1000)
    if left < 0 or ahead < _CLOCKS_AGREE:
        return token
    return token._replace(expires_on=int(token.expires_on - ahead), refresh_on=int(token.refresh_on - ahead))
