"""A client with a cache, a scripted Key Vault and a clock that the test moves."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import ServiceRequestError
from azure.keyvault.secrets import SecretClient

import azcert
import azcert.aio
from azcert.vault.table import Answer
from support.scripted import Scripted, Token, failed, secret_answer

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FAULTS", "READERS", "RULES", "VAULT", "Clock", "Reader", "Vault", "gone", "landed", "settled"]

VAULT = "https://contoso.vault.azure.net"
RULES = azcert.CacheRules(ttl=100, refresh_ahead=20, stale=1000, patience=0.05, pinned_ttl=5000)
READERS = 40


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Vault:
    """Key Vault as a script: counts reads, and answers with the current value or the current fault."""

    def __init__(self) -> None:
        self.value = "one"
        self.fault: Callable[[], Any] | None = None
        self.reads = 0
        self._lock = threading.Lock()

    def __call__(self, request: Any) -> Any:
        with self._lock:
            self.reads += request.method == "GET"
        if self.fault is not None:
            return self.fault()
        if request.method == "PUT":
            self.value = "written"
        if "/versions" in request.url:
            return Answer(200, "OK", {"content-type": "application/json"}, b'{"value": []}')
        return secret_answer(self.value)


def gone() -> Any:
    raise ServiceRequestError("nobody answers")


FAULTS: dict[str, Callable[[], Any]] = {
    "throttled": lambda: failed(429, **{"retry-after": "0"}),
    "failing": lambda: failed(503),
    "gone": gone,
}


class Reader:
    """A client for threads with a cache, a script and a clock."""

    def __init__(self, rules: azcert.CacheRules = RULES, *, retry_total: int = 0) -> None:
        self.vault, self.clock = Vault(), Clock()
        self.cache = azcert.SecretCachePolicy(rules, clock=self.clock)
        self.token = Token()
        self.client = SecretClient(
            VAULT,
            self.token,
            transport=Scripted(self.vault),
            per_call_policies=[self.cache],
            retry_total=retry_total,
        )

    def get(self, name: str = "s", version: str | None = None) -> str | None:
        return self.client.get_secret(name, version).value


def settled(cache: azcert.SecretCachePolicy) -> None:
    """Wait until no refresh is under way in a thread."""
    for flight in list(cache._table._flights.values()):
        assert flight.landed.wait(10)


async def landed(cache: azcert.aio.SecretCachePolicy) -> None:
    """Wait until no refresh is under way in a task."""
    for flight in list(cache._table._flights.values()):
        await flight.landed.wait()
