"""One uvicorn server on a listening socket, inside an event loop that others share."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable

    from starlette.types import ASGIApp

__all__ = ["Listener", "abort"]

_END_SECONDS = 1.0


class Listener:
    """Serves an application.

    :param build: makes the application; it is given the listener, to end connections with.
    :param context: for TLS; plain HTTP without it.
    """

    def __init__(self, build: Callable[[Listener], ASGIApp], context: ssl.SSLContext | None = None) -> None:
        config = uvicorn.Config(
            build(self),
            http="h11",
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            # No proxy but our own, which passes bytes on: nobody else says who the client is.
            proxy_headers=False,
            # A client that sends just as an idle server hangs up would see a broken request.
            timeout_keep_alive=120,
        )
        config.load()
        # uvicorn's own options name certificate files; ours are minted as they are asked for.
        config.ssl = context
        self._server = uvicorn.Server(config)
        self._serving: asyncio.Task[None] | None = None

    async def start(self, listening: socket.socket) -> None:
        """Begin to serve."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        while not self._server.started:
            if self._serving.done():
                self._serving.result()
                raise RuntimeError("uvicorn ended before it began")
            await asyncio.sleep(0)

    async def end(self) -> None:
        """Stop, without the pauses of uvicorn's own shutdown (0.2 s); its clients have been cut off."""
        for each in self._server.servers:
            each.close()
        with suppress(TimeoutError):
            async with asyncio.timeout(_END_SECONDS):
                while self._server.server_state.connections:  # noqa: ASYNC110 - uvicorn has no event for it
                    await asyncio.sleep(0.001)
        if self._serving is not None:
            self._serving.cancel()
            with suppress(asyncio.CancelledError):
                await self._serving

    def cut_off(self) -> None:
        """End every client's connection."""
        for connection in list(self._server.server_state.connections):
            connection.transport.close()

    def hang_up(self, port: int) -> None:
        """End the connection of the client with this port, after what was sent to it."""
        for transport in self._transports(port):
            transport.close()

    def reset(self, port: int) -> None:
        """Reset (TCP RST) the connection of the client with this port."""
        for transport in self._transports(port):
            abort(transport)

    def _transports(self, port: int) -> list[asyncio.Transport]:
        found = [connection.transport for connection in self._server.server_state.connections]
        return [each for each in found if each.get_extra_info("peername")[1] == port]


def abort(transport: asyncio.WriteTransport) -> None:
    """Close a TCP connection with a reset instead of an end (SO_LINGER of zero seconds)."""
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
