"""Runs flows through an azure-core pipeline, awaited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from azcert.wire.loops import in_thread, limit, sleep
from azcert.wire.message import Pause, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.core.pipeline import AsyncPipeline

    from azcert.wire.message import LongFlow, Response, Work

__all__ = ["AsyncChannel"]

T = TypeVar("T")


class AsyncChannel:
    """A way to the network, opened by its first request; for one event loop.

    :param options: azure-core's pipeline keywords, as `azcert.wire.pipeline.KEYWORDS` lists them.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._pipeline: AsyncPipeline[Any, Any] | None = None

    async def send(self, request: Request) -> Response:
        """Send one request, once.

        :raises azcert.errors.TransportError: no answer came.
        """
        # What a request needs is imported by the first one: a token from a cache needs none of it.
        from azure.core.exceptions import AzureError, ClientAuthenticationError
        from azure.core.rest import HttpRequest

        from azcert.wire.pipeline import failure, read_response, request_options

        outgoing = HttpRequest(
            request.method, request.url, headers=dict(request.headers), content=request.body
        )
        pipeline = self._open()
        try:
            # A transport bounds each wait, not their sum.
            async with limit(request.timeout):
                answer = await pipeline.run(outgoing, stream=False, **request_options(self._options, request))
        except ClientAuthenticationError:
            # The credential of this pipeline was refused: that has its own words.
            raise
        except (AzureError, TimeoutError) as error:
            raise failure(request, error) from error
        return read_response(answer.http_response)

    async def run(self, flow: LongFlow[T]) -> T:
        """Run a flow to its end and return its result; what goes wrong on the way is thrown into the flow.

        :raises azcert.errors.AzcertError: what the flow raised or did not catch.
        """
        try:
            step = next(flow)
            while True:
                try:
                    answer = await self._do(step)
                except BaseException as error:  # noqa: BLE001  (thrown into the flow, which lets it pass or not)
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def close(self) -> None:
        """Close the connections; the next request would open new ones."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            await pipeline.__aexit__()

    def forget(self) -> None:
        """Let go of the connections without closing them: after a fork they are the parent's."""
        self._pipeline = None

    async def _do(self, step: Request | Pause | Work) -> Any:
        if isinstance(step, Request):
            return await self.send(step)
        if isinstance(step, Pause):
            return await sleep(step.seconds)
        if step.blocking:
            return await in_thread(step.function)
        return step.function()

    def _open(self) -> AsyncPipeline[Any, Any]:
        pipeline = self._pipeline
        if pipeline is None:
            from azure.core.pipeline import AsyncPipeline

            from azcert.wire.pipeline import policies, transport_options

            transport = self._options.get("transport")
            if transport is None:
                from azure.core.pipeline.transport import AioHttpTransport

                transport = AioHttpTransport(**transport_options(self._options))
            pipeline = AsyncPipeline(transport, policies=policies(self._options))
            self._pipeline = pipeline
        return pipeline
