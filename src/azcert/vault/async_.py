"""The secrets cache as a policy of azure-core, on asyncio; `azcert.vault.sync` says where it stands."""

from __future__ import annotations

import asyncio
from copy import deepcopy
from time import monotonic
from typing import TYPE_CHECKING, Any

from azure.core.pipeline import PipelineContext, PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy

from azcert.vault.owner import OneClient
from azcert.vault.policy import CacheRules, Freshness, Outcome, judge_answer
from azcert.vault.response import AsyncKeptResponse
from azcert.vault.table import Answer, SecretTable, Statistics, read_address, written_secret
from azcert.vault.trouble import judge_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.vault.table import Address

__all__ = ["SecretCachePolicy"]


class SecretCachePolicy(OneClient, AsyncHTTPPolicy[Any, Any]):
    """Keeps the secrets that a client reads: ``SecretClient(..., per_call_policies=[SecretCachePolicy()])``.

    What `azcert.vault.sync.SecretCachePolicy` says holds here. A reader that is cancelled does not take the
    question of the others with it.

    :param rules: how long values are kept.
    :param clock: seconds that never go back.
    """

    def __init__(self, rules: CacheRules | None = None, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._table = SecretTable(rules or CacheRules())
        self._clock = clock
        self._flights: dict[Address, asyncio.Task[Answer]] = {}

    @property
    def statistics(self) -> Statistics:
        """What the cache did so far."""
        return self._table.statistics

    def clear(self) -> None:
        """Forget all values."""
        self._table.clear()

    def __repr__(self) -> str:
        return f"<SecretCachePolicy of {len(self._table)} secrets>"

    async def send(self, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        """Answer a read of a secret from memory, or pass the request on."""
        method, url = request.http_request.method, request.http_request.url
        secret = written_secret(method, url)
        if secret is not None:
            return await self._write(secret, request)
        address = read_address(method, url)
        if address is None or request.context.options.get("stream"):
            return await self.next.send(request)
        return await self._read(address, request)

    async def _write(self, secret: str, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        self._table.written(secret)
        try:
            return await self.next.send(request)
        finally:
            # Again: a read in between may have been answered with the old value.
            self._table.written(secret)

    async def _read(self, address: Address, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        flight = self._flights.get(address)
        if flight is not None and flight.get_loop() is not asyncio.get_running_loop():
            flight = None  # a loop that has ended never lands it
        look = self._table.look(address, self._clock(), asked=flight is not None)
        if look.leads:
            flight = self._ask(address, request, look.generation)
        if look.kept is None:
            assert flight is not None, "without a value, somebody asks"  # noqa: S101
            return self._answered(request, await asyncio.shield(flight), hit=not look.leads)
        if look.freshness is Freshness.STALE:
            return await self._wait_or_stale(request, flight, look.kept)
        return self._answered(request, look.kept)

    def _answered(
        self, request: PipelineRequest[Any], answer: Answer, *, hit: bool = True
    ) -> PipelineResponse[Any, Any]:
        self._table.statistics.hits += hit
        http_request = request.http_request
        return PipelineResponse(http_request, AsyncKeptResponse(http_request, answer), request.context)

    def _ask(self, address: Address, request: PipelineRequest[Any], generation: int) -> asyncio.Task[Answer]:
        # Retries and hooks consume the options of their own request.
        context = PipelineContext(request.context.transport, **dict(request.context.options))
        copy = PipelineRequest(deepcopy(request.http_request), context)
        task = asyncio.ensure_future(self._fetch(address, copy, generation))
        self._flights[address] = task
        task.add_done_callback(lambda done: self._landed(address, done))
        return task

    async def _fetch(self, address: Address, request: PipelineRequest[Any], generation: int) -> Answer:
        try:
            response = (await self.next.send(request)).http_response
            body = await response.read()
            answer = Answer(response.status_code, response.reason, dict(response.headers), body)
        except Exception as error:
            self._table.settle(address, judge_error(error), None, self._clock(), generation=generation)
            raise
        outcome = judge_answer(answer.status)
        self._table.settle(address, outcome, answer, self._clock(), generation=generation)
        return answer

    def _landed(self, address: Address, task: asyncio.Task[Answer]) -> None:
        if self._flights.get(address) is task:
            del self._flights[address]
        if not task.cancelled():
            task.exception()  # a refresh that nobody waits for is not reported as unread

    async def _wait_or_stale(
        self, request: PipelineRequest[Any], flight: asyncio.Task[Answer] | None, kept: Answer
    ) -> PipelineResponse[Any, Any]:
        """Wait a little for a fresh answer; where Key Vault is in trouble, answer the value that is kept."""
        answer = None if flight is None else await self._patiently(flight)
        if answer is not None and judge_answer(answer.status) is not Outcome.TROUBLE:
            return self._answered(request, answer)
        self._table.statistics.stale += 1
        return self._answered(request, kept)

    async def _patiently(self, flight: asyncio.Task[Answer]) -> Answer | None:
        try:
            return await asyncio.wait_for(asyncio.shield(flight), self._table.rules.patience)
        except TimeoutError:
            return None
        except Exception as error:
            if judge_error(error) is not Outcome.TROUBLE:
                raise
            return None
