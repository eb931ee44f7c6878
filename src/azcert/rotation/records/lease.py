"""One host at a time: a lease in Redis that ends by itself, and the notes that only its holder may write.

``azcert:rotation:{APPLICATION}:lease:OLD``   who rotates the certificate OLD, until when
``azcert:rotation:{APPLICATION}:from:OLD``    how far its rotation has come
``azcert:rotation:{APPLICATION}:to:NEW``      the same, for those who have its successor already

APPLICATION is a digest of tenant and client id; the braces are a cluster's hash tag: all live on one node.
Hosts with a certificate each hold leases of their own and never wait for each other. A user of Redis needs
the commands that the shared token cache needs: get, set, del, pttl and eval.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import socket
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from azcert.credential.redis_url import parse
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import redis

__all__ = ["SECONDS", "Lease"]

SECONDS = 120.0
"""How long a lease lasts after it was last renewed: longer than a step takes, the proof's waits apart."""

_TIMEOUT = 5.0
# Each does its part only while the lease is ours: after its deadline it may be another's.
_OURS = "if redis.call('get', KEYS[1]) ~= ARGV[1] then return 0 end "
_RENEW = _OURS + "redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2]) return 1"
_RELEASE = _OURS + "return redis.call('del', KEYS[1])"
_WRITE = _OURS + "for i = 2, #KEYS do redis.call('set', KEYS[i], ARGV[2]) end return 1"
_ERASE = _OURS + "for i = 2, #KEYS do redis.call('del', KEYS[i]) end return 1"


class Lease:
    """The right to rotate one certificate of an application.

    :param url: see `azcert.credential.redis_url`; nothing is connected yet.
    :raises ConfigurationError: the URL is wrong, or the ``redis`` package is missing.
    """

    def __init__(self, url: str, tenant_id: str, client_id: str, *, seconds: float = SECONDS) -> None:
        if find_spec("redis") is None:
            raise ConfigurationError(
                "The redis package, which a lease between hosts needs, is not installed.",
                code="extra-missing",
                remedy="Install it with: pip install 'azcert[redis]'",
            )
        self._address = parse(url)
        self.application = hashlib.sha256(f"{tenant_id}|{client_id}".lower().encode()).hexdigest()[:32]
        self._base = f"azcert:rotation:{{{self.application}}}"
        self._lifetime = str(int(seconds * 1000))
        # Who holds it is told to those who find it held; the rest tells two runs of one process apart.
        self._mine = f"process {os.getpid()} on {socket.gethostname()}/{secrets.token_hex(16)}"
        self._held = ""
        self._open: redis.Redis | None = None

    def acquire(self, old: str) -> None:
        """Take the lease on the certificate of SHA-1 thumbprint *old*.

        :raises ConfigurationError: ``lease-held``: another run, here or elsewhere, has it;
            ``lease-unusable``: Redis does not answer.
        """
        name = self._name(old)
        taken = self._do(lambda client: client.set(name, self._mine, nx=True, px=int(self._lifetime)))
        if taken:
            self._held = name
            return
        holder: Any = self._do(lambda client: client.get(name)) or b"another host"
        left: Any = self._do(lambda client: client.pttl(name))
        raise ConfigurationError(
            f"Another run rotates the certificate {old}: {_shown(holder)}. Its lease at {self._address} ends "
            f"in {max(0, int(left)) // 1000 + 1} s unless it goes on.",
            code="lease-held",
            remedy="Nothing needs to be done here: the next run looks again.",
        )

    def renew(self) -> None:
        """Let the lease last from now on once more.

        :raises ConfigurationError: ``lease-lost``; ``lease-unusable``: nobody can tell.
        """
        self._if_ours(_RENEW, [], self._lifetime)

    def release(self) -> None:
        """Give the lease back, if it is still ours."""
        held, self._held = self._held, ""
        if held:
            # Where Redis does not answer, it ends by itself.
            with suppress(ConfigurationError):
                self._do(lambda client: client.eval(_RELEASE, 1, held, self._mine))

    def note(self, name: str) -> bytes | None:
        """Return the note of that name, ``from:OLD`` or ``to:NEW``, whoever wrote it."""
        found: bytes | None = self._do(lambda client: client.get(f"{self._base}:{name}"))
        return found

    def write(self, names: Sequence[str], note: bytes) -> None:
        """Write one note under several names.

        :raises ConfigurationError: ``lease-lost``, ``lease-unusable``.
        """
        self._if_ours(_WRITE, names, note)

    def erase(self, names: Sequence[str]) -> None:
        """Remove notes.

        :raises ConfigurationError: ``lease-lost``, ``lease-unusable``.
        """
        self._if_ours(_ERASE, names)

    def close(self) -> None:
        """Close the connection."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _name(self, old: str) -> str:
        return f"{self._base}:lease:{old}"

    def _if_ours(self, script: str, names: Sequence[str], *arguments: str | bytes) -> None:
        keys = [self._held, *(f"{self._base}:{name}" for name in names)]
        if not self._do(lambda client: client.eval(script, len(keys), *keys, self._mine, *arguments)):
            raise ConfigurationError(
                f"The lease at {self._address} has passed to another host: this run stood still too long.",
                code="lease-lost",
                remedy="Nothing needs to be done here: the next run sees how far the other one has come.",
            )

    def _do(self, operation: Callable[[redis.Redis], Any]) -> Any:
        from redis.exceptions import RedisClusterException, RedisError  # an optional extra

        try:
            if self._open is None:
                self._open = self._address.connect(_TIMEOUT)
            return operation(self._open)
        except (RedisError, RedisClusterException, OSError) as error:
            raise ConfigurationError(
                f"The lease between hosts at {self._address} cannot be had: {str(error).rstrip('.')}.",
                code="lease-unusable",
                remedy="Check that Redis; where only this host rotates the certificate: --lease none.",
            ) from error


def _shown(holder: bytes) -> str:
    return holder.decode("ascii", "replace").rpartition("/")[0] or "another host"
