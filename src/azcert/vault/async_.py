"""The secrets cache as a policy of azure-core, awaited; `azcert.vault.sync` says where it stands."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Any

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import AsyncHTTPPolicy

from azcert.credential.forks import renew_after_fork
from azcert.vault.owner import OneClient
from azcert.vault.policy import CacheRules
from azcert.vault.refresh import copy_of
from azcert.vault.requests import Read, meaning, wants_newest
from azcert.vault.response import AsyncKeptResponse
from azcert.vault.table import Answer, SecretTable, Statistics
from azcert.wire.loops import Event, current_loop, new_event, start, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.vault.requests import Change
    from azcert.vault.table import Flight

__all__ = ["SecretCachePolicy"]


class SecretCachePolicy(OneClient, AsyncHTTPPolicy[Any, Any]):
    """Keeps the secrets that a client reads: ``SecretClient(..., per_call_policies=[SecretCachePolicy()])``.

    What `azcert.vault.sync.SecretCachePolicy` says holds here. A reader that is cancelled does not take the
    question of the others with it. It runs on asyncio and on trio.

    :param rules: how long values are kept.
    :param clock: seconds that never go back.
    """

    def __init__(self, rules: CacheRules | None = None, *, clock: Callable[[], float] = monotonic) -> None:
        super().__init__()
        self._table: SecretTable[Event] = SecretTable(rules or CacheRules(), new_event, current_loop)
        self._clock = clock
        renew_after_fork(self)

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
        asked = meaning(request.http_request.method, request.http_request.url)
        if asked is None or request.context.options.get("stream"):
            return await self.next.send(request)
        if isinstance(asked, Read):
            return await self._read(asked, request)
        return await self._change(asked, request)

    async def _change(self, change: Change, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        self._table.forget(change)
        try:
            return await self.next.send(request)
        finally:
            # Again: a read in between may have been answered with the old value.
            self._table.forget(change)

    async def _read(self, read: Read, request: PipelineRequest[Any]) -> PipelineResponse[Any, Any]:
        newest = wants_newest(request.http_request.headers)
        while True:
            look = self._table.look(read, self._clock(), newest=newest)
            if look.asks is not None:
                self._ask(look.asks, request, retried=look.kept is None)
            if look.awaits is not None:
                await wait_for(look.awaits.landed, look.patience)
            answer = self._table.result(look)
            if answer is not None:
                http_request = request.http_request
                return PipelineResponse(
                    http_request, AsyncKeptResponse(http_request, answer), request.context
                )

    def _ask(self, flight: Flight[Event], request: PipelineRequest[Any], *, retried: bool) -> None:
        """Ask in a task of its own, which the cancellation of this reader leaves alone."""

        async def ask() -> None:
            found: Answer | Exception | None = None
            try:
                response = (await self.next.send(copy)).http_response
                body = await response.read()
                found = Answer(response.status_code, response.reason, dict(response.headers), body)
            except Exception as error:  # noqa: BLE001 - whatever it is, readers that wait are told
                found = error
            finally:
                self._table.settle(flight, found, self._clock())

        started = False
        try:
            copy = copy_of(request, self.next, retried=retried)
            start(ask)
            started = True
        finally:
            if not started:
                self._table.settle(flight, None, self._clock())

    def _after_fork(self) -> None:
        self._table.after_fork()
