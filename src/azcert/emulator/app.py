"""From a host name to the service behind it, with the faults and the slowness that were asked for."""

from __future__ import annotations

from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response

from azcert.emulator.faults import Action, Fault
from azcert.emulator.hosts import Service, service_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from azcert.emulator.world import World

__all__ = ["Hosts", "Watched", "host_of"]


class Hosts:
    """The ASGI application of every emulated host: each host to its service.

    :param services: the application of each service.
    """

    def __init__(self, services: Mapping[Service, ASGIApp]) -> None:
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        host = host_of(scope)
        service = service_of(host)
        stranger = PlainTextResponse(f"azcert emulator: {host!r} is not emulated.\n", 421)
        application = self._services.get(service, stranger) if service else stranger
        # A client that goes away before its body was whole is no fault of a service.
        with suppress(ClientDisconnect):
            await application(scope, receive, send)


class Watched:
    """An ASGI application with its requests noted, and the faults and slowness that were asked for.

    :param pause: waits so many seconds, or until the emulator stops.
    :param hang_up: ends a client's connection after what was sent; given the client's port.
    :param reset: resets it.
    """

    def __init__(
        self,
        world: World,
        application: ASGIApp,
        *,
        pause: Callable[[float], Awaitable[None]],
        hang_up: Callable[[int], None],
        reset: Callable[[int], None],
    ) -> None:
        self._world = world
        self._application = application
        self._pause = pause
        self._hang_up = hang_up
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        host = host_of(scope)
        entry = {
            "at": self._world.clock.now(),
            "method": scope["method"],
            "host": host,
            "path": scope["path"],
            "status": None,
        }
        self._world.requests.append(entry)
        if self._world.delays.latency:
            await self._pause(self._world.delays.latency)
        fault = self._world.faults.take(host, scope["path"], scope["method"])
        if fault is not None:
            entry["fault"] = str(fault.action)
        await self._answer(fault, scope, receive, self._watched(send, entry))

    def _watched(self, send: Send, entry: dict[str, Any]) -> Send:
        """Note the status, and put the emulator's own time into the Date header (RFC 9110, 6.6.1)."""

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry["status"] = message["status"]
                headers = MutableHeaders(scope=message)
                headers["Date"] = formatdate(self._world.clock.now(), usegmt=True)
            await send(message)

        return watched

    async def _answer(self, fault: Fault | None, scope: Scope, receive: Receive, send: Send) -> None:
        if fault is None:
            await self._application(scope, receive, send)
            return
        if fault.seconds:
            await self._pause(fault.seconds)
        port = scope["client"][1]
        match fault.action:
            case Action.ANSWER:
                content, kind = fault.content()
                headers = {"Content-Type": kind, **fault.headers} if kind else fault.headers
                await Response(content, fault.status, headers)(scope, receive, send)
            case Action.DELAY:
                await self._application(scope, receive, send)
            case Action.TRUNCATE:
                await self._application(scope, receive, _half(send))
                self._hang_up(port)
                await _gone(receive)
            case Action.CLOSE:
                self._hang_up(port)
                await _gone(receive)
            case Action.RESET:
                self._reset(port)
                await _gone(receive)
            case _:
                await _gone(receive)


def host_of(scope: Scope) -> str:
    """Return the Host header's name, lower case, without port and final dot."""
    return Headers(scope=scope).get("host", "").partition(":")[0].lower().removesuffix(".")


def _half(send: Send) -> Send:
    """Send half of the body, and never its end."""

    async def half(message: Message) -> None:
        if message["type"] == "http.response.body":
            body = message.get("body", b"")
            message = {**message, "body": body[: len(body) // 2], "more_body": True}
        await send(message)

    return half


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
