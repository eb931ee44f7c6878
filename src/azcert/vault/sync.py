"""The secrets cache as a policy of azure-core, for threads.

It is a per-call policy: it stands before retries and authentication, so that what it answers costs neither a
token nor a request, and what it asks is retried by the client's own rules.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy

from azcert.credential.background import Background
from azcert.credential.forks import renew_after_fork
from azcert.vault.owner import OneClient
from azcert.vault.policy import CacheRules
from azcert.vault.refresh import copy_of
from azcert.vault.requests import Read, meaning, wants_newest
from azcert.vault.response import KeptResponse
from azcert.vault.table import Answer, SecretTable, Statistics

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.vault.requests import Change
    from azcert.vault.table import Flight

__all__ = ["SecretCachePolicy"]


class SecretCachePolicy(OneClient, HTTPPolicy[Any, Any]):
    """Keeps the secrets that a client reads: ``SecretClient(..., per_call_policies=[SecretCachePolicy()])``.

    One policy belongs to one client and so to one identity. Values are kept in memory alone. A write through
    the same client forgets the secret at once; a write by others shows after its time to live at the latest,
    or in a read with the header ``Cache-Control: no-cache``.

    :param rules: how long values are kept.
    :param clock: seconds that never go back.
    """

    def __init__(self, rules: CacheRules | None = None, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._table = SecretTable(rules or CacheRules(), threading.Event)
        self._clock = clock
        self._lock = threading.Lock()
        self._background = Background()
        renew_after_fork(self)

    @property
    def statistics(self) -> Statistics:
        """What the cache did so far."""
        return self._table.statistics

    def clear(self) -> None:
        """Forget all values."""
        with self._lock:
            self._table.clear()

    def __repr__(self) -> str:
        return f"<SecretCachePolicy of {len(self._table)} secrets>"

    def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Answer a read of a secret from memory, or pass the request on."""
        asked = meaning(request.http_request.method, request.http_request.url)
        if asked is None or request.context.options.get("stream"):
            return self.next.send(request)
        return self._read(asked, request) if isinstance(asked, Read) else self._change(asked, request)

    def _change(self, change: Change, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        self._forget(change)
        try:
            return self.next.send(request)
        finally:
            # Again: a read in between may have been answered with the old value.
            self._forget(change)

    def _forget(self, change: Change) -> None:
        with self._lock:
            self._table.forget(change)

    def _read(self, read: Read, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        newest = wants_newest(request.http_request.headers)
        while True:
            with self._lock:
                look = self._table.look(read, self._clock(), newest=newest)
            if look.asks is not None:
                if look.kept is None:
                    return self._ask(look.asks, request)
                self._ask_in_background(look.asks, request)
            if look.awaits is not None:
                look.awaits.landed.wait(min(look.patience, threading.TIMEOUT_MAX))
            with self._lock:
                answer = self._table.result(look)
            if answer is not None:
                http_request = request.http_request
                return PipelineResponse(http_request, KeptResponse(http_request, answer), request.context)

    def _ask(
        self, flight: Flight[threading.Event], request: PipelineRequest[Any]
    ) -> PipelineResponse[Any, Any]:
        """Ask for the value that this and other readers wait for."""
        found: Answer | Exception | None = None
        try:
            response = self.next.send(request)
            found = _answer(response.http_response)
        except Exception as error:
            found = error
            raise
        finally:
            # Nothing was found where this thread was interrupted: another one asks.
            self._settle(flight, found)
        return response

    def _ask_in_background(self, flight: Flight[threading.Event], request: PipelineRequest[Any]) -> None:
        def ask() -> None:
            found: Answer | Exception | None = None
            try:
                found = _answer(self.next.send(copy).http_response)
            except Exception as error:  # noqa: BLE001 - whatever it is, readers that wait are told
                found = error
            finally:
                self._settle(flight, found)

        started = False
        try:
            copy = copy_of(request, self.next, retried=False)
            started = self._background.start(ask)
        finally:
            if not started:
                self._settle(flight, None)

    def _settle(self, flight: Flight[threading.Event], found: Answer | Exception | None) -> None:
        with self._lock:
            self._table.settle(flight, found, self._clock())

    def _after_fork(self) -> None:
        # A lock that another thread held, and questions whose threads stayed in the parent.
        self._lock = threading.Lock()
        self._background = Background()
        self._table.after_fork()


def _answer(response: Any) -> Answer:
    return Answer(response.status_code, response.reason, dict(response.headers), response.content)
