"""The HTTPS proxy: takes CONNECT, and joins the client with the emulator's TLS listener."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h11

from azcert.emulator.listener import abort

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Proxy", "Refusal"]

_HEAD_SECONDS = 30.0
"""A client has this long to send the head of its CONNECT request."""
_CONNECT_SECONDS = 30.0
_LINGER_SECONDS = 10.0
"""When one side of a tunnel has ended, the other has this long to end as well."""
_CHUNK = 65536


@dataclass(frozen=True)
class Refusal:
    """Why the proxy does not connect.

    :param reason: goes into the status line too, the only place that most HTTP libraries show.
    """

    status: int
    reason: str
    remedy: str


@dataclass(frozen=True)
class _Stream:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Proxy:
    """An HTTP proxy that knows CONNECT and nothing else (RFC 9110, 9.3.6).

    :param admit: given host and port, why it is refused, or None.
    :param route: given host and port, the address to connect to.
    """

    def __init__(
        self,
        admit: Callable[[str, int], Refusal | None],
        route: Callable[[str, int], tuple[str, int]],
    ) -> None:
        self._admit = admit
        self._route = route
        self._tasks: set[asyncio.Task[None]] = set()
        self._tunnels: dict[int, tuple[_Stream, _Stream]] = {}

    def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client; the callback of `asyncio.start_server`."""
        # Not a coroutine: asyncio would report each client that close() cuts off as an error.
        task = asyncio.create_task(self._client(_Stream(reader, writer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _client(self, client: _Stream) -> None:
        try:
            await self._serve(client)
        except (ConnectionError, TimeoutError, h11.ProtocolError):
            pass  # the client has gone, was too slow, or speaks no HTTP: nobody is left to be told
        finally:
            client.writer.close()

    async def close(self) -> None:
        """End every tunnel."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._tasks)

    def hang_up(self, port: int) -> None:
        """End the tunnel whose server side has this local port, after what the server has already sent."""
        if port in self._tunnels:
            self._tunnels[port][1].writer.write_eof()

    def reset(self, port: int) -> None:
        """Reset (TCP RST) the client of the tunnel whose server side has this local port."""
        if port in self._tunnels:
            abort(self._tunnels[port][0].writer.transport)

    async def _serve(self, client: _Stream) -> None:
        conversation = h11.Connection(h11.SERVER)
        async with asyncio.timeout(_HEAD_SECONDS):
            request = await _head(conversation, client)
        if request is None:
            return
        target = _target(request)
        refusal = _NOT_CONNECT if target is None else self._admit(*target)
        if target is None or refusal is not None:
            await _refuse(conversation, client, refusal or _NOT_CONNECT)
            return
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                server = _Stream(*await asyncio.open_connection(*self._route(*target)))
        except OSError as error:
            await _refuse(conversation, client, Refusal(502, f"cannot reach {target[0]}", f"{error}."))
            return
        try:
            await self._join(conversation, client, server)
        finally:
            server.writer.close()

    async def _join(self, conversation: h11.Connection, client: _Stream, server: _Stream) -> None:
        client.writer.write(conversation.send(h11.Response(status_code=200, reason=b"OK", headers=[])) or b"")
        early, _ = conversation.trailing_data
        server.writer.write(early)
        port = server.writer.get_extra_info("sockname")[1]
        self._tunnels[port] = (client, server)
        ways = {
            asyncio.create_task(_pump(client.reader, server.writer)),
            asyncio.create_task(_pump(server.reader, client.writer)),
        }
        try:
            _, open_ways = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if open_ways:
                await asyncio.wait(open_ways, timeout=_LINGER_SECONDS)
        finally:
            del self._tunnels[port]
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)


_NOT_CONNECT = Refusal(
    501,
    "this is an HTTPS proxy, it knows CONNECT only",
    "Plain http:// is not emulated: the Azure services answer on https:// alone.",
)


async def _head(conversation: h11.Connection, client: _Stream) -> h11.Request | None:
    while True:
        try:
            event = conversation.next_event()
        except h11.RemoteProtocolError as error:
            if conversation.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
                await _refuse(conversation, client, Refusal(error.error_status_hint, "not HTTP", f"{error}."))
            raise
        if event is h11.NEED_DATA:
            conversation.receive_data(await client.reader.read(_CHUNK))
        elif isinstance(event, h11.Request):
            # The end of the (empty) body is an event too; only after it does h11 switch protocols.
            conversation.next_event()
            return event
        else:
            return None


def _target(request: h11.Request) -> tuple[str, int] | None:
    """Return host and port of a CONNECT request (RFC 9112, 3.2.3), None for anything else."""
    if request.method != b"CONNECT":
        return None
    host, _, port = request.target.decode("latin-1").rpartition(":")
    if not host or not port.isascii() or not port.isdigit():
        return None
    return host.removeprefix("[").removesuffix("]").lower().removesuffix("."), int(port)


async def _refuse(conversation: h11.Connection, client: _Stream, refusal: Refusal) -> None:
    body = f"azcert emulator: {refusal.reason}. {refusal.remedy}\n".encode()
    headers = [
        ("Content-Type", "text/plain; charset=utf-8"),
        ("Content-Length", str(len(body))),
        ("Connection", "close"),
    ]
    reason = refusal.reason.encode("ascii", "replace")
    for event in (
        h11.Response(status_code=refusal.status, reason=reason, headers=headers),
        h11.Data(data=body),
        h11.EndOfMessage(),
    ):
        client.writer.write(conversation.send(event) or b"")
    await client.writer.drain()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    # A side that was reset has no end of stream to send.
    with suppress(OSError):
        writer.write_eof()
