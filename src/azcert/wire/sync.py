"""Runs flows through an azure-core pipeline."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

from azcert._threads import in_time
from azcert.wire.message import Pause, Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azure.core.pipeline import Pipeline

    from azcert.wire.message import LongFlow, Response, Work

__all__ = ["Channel"]

T = TypeVar("T")


class Channel:
    """A way to the network, opened by its first request. Safe for threads.

    :param options: azure-core's pipeline keywords, as `azcert.wire.pipeline.KEYWORDS` lists them.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._pipeline: Pipeline[Any, Any] | None = None
        self._lock = threading.Lock()

    def send(self, request: Request) -> Response:
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
        pipeline, options = self._open(), request_options(self._options, request)
        try:
            answer = in_time(lambda: pipeline.run(outgoing, stream=False, **options), request.timeout)
        except ClientAuthenticationError:
            # The credential of this pipeline was refused: that has its own words.
            raise
        except (AzureError, TimeoutError) as error:
            raise failure(request, error) from error
        return read_response(answer.http_response)

    def run(self, flow: LongFlow[T]) -> T:
        """Run a flow to its end and return its result; what goes wrong on the way is thrown into the flow.

        :raises azcert.errors.AzcertError: what the flow raised or did not catch.
        """
        try:
            step = next(flow)
            while True:
                try:
                    answer = self._do(step)
                except BaseException as error:  # noqa: BLE001  (thrown into the flow, which lets it pass or not)
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def close(self) -> None:
        """Close the connections; the next request would open new ones."""
        pipeline, self._pipeline = self._pipeline, None
        if pipeline is not None:
            pipeline.__exit__()

    def forget(self) -> None:
        """Let go of the connections without closing them: after a fork they are the parent's."""
        self._lock = threading.Lock()
        self._pipeline = None

    def _do(self, step: Request | Pause | Work) -> Any:
        if isinstance(step, Request):
            return self.send(step)
        if isinstance(step, Pause):
            time.sleep(step.seconds)
            return None
        return step.function()

    def _open(self) -> Pipeline[Any, Any]:
        pipeline = self._pipeline
        if pipeline is None:
            with self._lock:
                pipeline = self._pipeline
                if pipeline is None:
                    pipeline = self._pipeline = self._build()
        return pipeline

    def _build(self) -> Pipeline[Any, Any]:
        from azure.core.pipeline import Pipeline

        from azcert.wire.pipeline import policies, transport_options

        transport = self._options.get("transport")
        if transport is None:
            from azure.core.pipeline.transport import RequestsTransport

            transport = RequestsTransport(**transport_options(self._options))
            # Here, by one thread: at its first request each of many would make it a session.
            transport.open()
        return Pipeline(transport, policies=policies(self._options))
