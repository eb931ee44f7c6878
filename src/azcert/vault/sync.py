"""The secrets cache as a policy of azure-core, for threads.

It is a per-call policy: it stands before retries and authentication, so that what it answers costs neither a
token nor a request, and what it asks is retried by the client's own rules.
"""

from __future__ import annotations

import os
import threading
import weakref
from concurrent.futures import Future
from copy import deepcopy
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any

from azure.core.pipeline import PipelineContext, PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import HTTPPolicy

from azcert.vault.owner import OneClient
from azcert.vault.policy import CacheRules, Freshness, Outcome, judge_answer
from azcert.vault.response import KeptResponse
from azcert.vault.table import Answer, SecretTable, Statistics, read_address, written_secret
from azcert.vault.trouble import judge_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.vault.table import Address, Look

__all__ = ["SecretCachePolicy"]

_known: weakref.WeakSet[SecretCachePolicy] = weakref.WeakSet()


@dataclass(frozen=True)
class _Flight:
    """A question on its way, and what its answer will be."""

    generation: int
    future: Future[Answer] = field(default_factory=Future)


class SecretCachePolicy(OneClient, HTTPPolicy[Any, Any]):
    """Keeps the secrets that a client reads: ``SecretClient(..., per_call_policies=[SecretCachePolicy()])``.

    One policy belongs to one client and so to one identity. Values are kept in memory alone. A write through
    the same client forgets the secret at once; a write by others shows after its time to live at the latest.

    :param rules: how long values are kept.
    :param clock: seconds that never go back.
    """

    def __init__(self, rules: CacheRules | None = None, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._table = SecretTable(rules or CacheRules())
        self._clock = clock
        self._lock = threading.Lock()
        self._flights: dict[Address, _Flight] = {}
        _known.add(self)

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
        method, url = request.http_request.method, request.http_request.url
        secret = written_secret(method, url)
        if secret is not None:
            return self._write(secret, request)
        address = read_address(method, url)
        if address is None or request.context.options.get("stream"):
            return self.next.send(request)
        return self._read(address, request)

    def _write(self, secret: str, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        self._forget(secret)
        try:
            return self.next.send(request)
        finally:
            # Again: a read in between may have been answered with the old value.
            self._forget(secret)

    def _forget(self, secret: str) -> None:
        with self._lock:
            self._table.written(secret)

    def _read(self, address: Address, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        look, flight = self._look(address)
        if look.kept is None:
            assert flight is not None, "without a value, somebody asks"  # noqa: S101
            if look.leads:
                return self._lead(address, request, flight)
            return self._answered(request, flight.future.result())
        if look.leads and flight is not None:
            self._ask_in_background(address, request, flight)
        if look.freshness is Freshness.STALE:
            return self._wait_or_stale(request, flight, look.kept)
        return self._answered(request, look.kept)

    def _look(self, address: Address) -> tuple[Look, _Flight | None]:
        with self._lock:
            flight = self._flights.get(address)
            look = self._table.look(address, self._clock(), asked=flight is not None)
            if look.leads:
                flight = self._flights[address] = _Flight(look.generation)
            return look, flight

    def _answered(self, request: PipelineRequest[Any], answer: Answer) -> PipelineResponse[Any, Any]:
        with self._lock:
            self._table.statistics.hits += 1
        http_request = request.http_request
        return PipelineResponse(http_request, KeptResponse(http_request, answer), request.context)

    def _lead(
        self, address: Address, request: PipelineRequest[Any], flight: _Flight
    ) -> PipelineResponse[Any, Any]:
        """Ask for the value that this and other readers wait for."""
        try:
            response = self.next.send(request)
            answer = _answer(response.http_response)
        except BaseException as error:
            self._fail(address, flight, error)
            raise
        self._land(address, flight, answer)
        return response

    def _ask_in_background(self, address: Address, request: PipelineRequest[Any], flight: _Flight) -> None:
        # Retries and hooks consume the options of their own request.
        context = PipelineContext(request.context.transport, **dict(request.context.options))
        copy = PipelineRequest(deepcopy(request.http_request), context)

        def ask() -> None:
            try:
                answer = _answer(self.next.send(copy).http_response)
            except Exception as error:  # noqa: BLE001 - whatever it is, readers that wait are told
                self._fail(address, flight, error)
            else:
                self._land(address, flight, answer)

        threading.Thread(target=ask, name="azcert-secret-refresh", daemon=True).start()

    def _land(self, address: Address, flight: _Flight, answer: Answer) -> None:
        outcome = judge_answer(answer.status)
        self._settle(address, flight, outcome, answer)
        flight.future.set_result(answer)

    def _fail(self, address: Address, flight: _Flight, error: BaseException) -> None:
        self._settle(address, flight, judge_error(error), None)
        flight.future.set_exception(error)

    def _settle(self, address: Address, flight: _Flight, outcome: Outcome, answer: Answer | None) -> None:
        with self._lock:
            if self._flights.get(address) is flight:
                del self._flights[address]
            self._table.settle(address, outcome, answer, self._clock(), generation=flight.generation)

    def _wait_or_stale(
        self, request: PipelineRequest[Any], flight: _Flight | None, kept: Answer
    ) -> PipelineResponse[Any, Any]:
        """Wait a little for a fresh answer; where Key Vault is in trouble, answer the value that is kept."""
        answer = None if flight is None else self._patiently(flight)
        if answer is not None and judge_answer(answer.status) is not Outcome.TROUBLE:
            return self._answered(request, answer)
        with self._lock:
            self._table.statistics.stale += 1
        return self._answered(request, kept)

    def _patiently(self, flight: _Flight) -> Answer | None:
        try:
            return flight.future.result(timeout=self._table.rules.patience)
        except TimeoutError:
            return None
        except Exception as error:
            if judge_error(error) is not Outcome.TROUBLE:
                raise
            return None


def _answer(response: Any) -> Answer:
    return Answer(response.status_code, response.reason, dict(response.headers), response.content)


def _in_child() -> None:
    # Locks that another thread held, and flights whose threads stayed in the parent.
    for policy in list(_known):
        policy._lock = threading.Lock()  # noqa: SLF001 - this module's own class
        policy._flights = {}  # noqa: SLF001


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
