"""The emulator as an object: started and stopped, in a thread of its own."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from starlette.routing import BaseRoute, Router

from azcert.emulator import control
from azcert.emulator.app import Hosts, Watched
from azcert.emulator.faults import Action
from azcert.emulator.hosts import CONTROL_HOST, DOMAINS, Service, service_of, vault_of
from azcert.emulator.listener import Listener
from azcert.emulator.proxy import Proxy, Refusal
from azcert.emulator.tls import Authority, server_context
from azcert.emulator.world import World
from azcert.errors import EmulatorError

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from starlette.types import ASGIApp

__all__ = ["Emulator"]

_LOOPBACK = "127.0.0.1"
_HTTPS = 443
_BACKLOG = 512


class Emulator:
    """Stands in for Entra ID and Key Vault under their real names, on loopback.

    :param world: what it knows; an empty one without it. See `azcert.emulator.seed` to fill one.
    :param port: the proxy's port; a free one without it.
    :param authority: the local CA; a new one without it.
    :param passthrough: tunnel other hosts to the real network instead of refusing them.
    :param identity: client id of the app that is the machine's managed identity; none without it.
    :param routes: routes by service, instead of the emulated services.

    Use it as a context manager, or call `start` and `stop`.
    """

    def __init__(
        self,
        world: World | None = None,
        *,
        port: int = 0,
        authority: Authority | None = None,
        passthrough: bool = False,
        identity: str | None = None,
        routes: Mapping[Service, Sequence[BaseRoute]] | None = None,
    ) -> None:
        self.world = world or World()
        self.authority = authority or Authority.create(DOMAINS)
        self.passthrough = passthrough
        self.proxy = Proxy(self._admit, self._route)
        self._wanted_port = port
        self._routes = routes
        self._identity = identity
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._asked_to_stop = threading.Event()
        self.control_secret = secrets.token_urlsafe(32)
        self.identity_header = secrets.token_urlsafe(32)
        self._failure: BaseException | None = None
        self._stopping: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._proxy_address = ("", 0)
        self._tls_address = ("", 0)
        self._plain_address = ("", 0)

    @property
    def proxy_url(self) -> str:
        """What ``HTTPS_PROXY`` must be."""
        return f"http://{self._proxy_address[0]}:{self._proxy_address[1]}"

    @property
    def identity_url(self) -> str:
        """Where the endpoints of managed identities are."""
        return f"http://{self._plain_address[0]}:{self._plain_address[1]}"

    @property
    def port(self) -> int:
        """The proxy's port."""
        return self._proxy_address[1]

    def start(self) -> None:
        """Start, and return when clients can connect.

        :raises EmulatorError: ``port-taken``: another program listens on the port that was asked for.
        """
        sockets = _Sockets(
            _listen(self._wanted_port), _listen(0), _listen(0) if self._identity is not None else None
        )
        self._proxy_address = sockets.proxy.getsockname()
        self._tls_address = sockets.tls.getsockname()
        if sockets.plain is not None:
            self._plain_address = sockets.plain.getsockname()
        self._thread = threading.Thread(
            target=self._run, args=(sockets,), name="azcert emulator", daemon=True
        )
        self._thread.start()
        self._ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    def stop(self) -> None:
        """End every connection and stop; a second call does nothing."""
        if self._thread is None or self._loop is None or self._stopping is None:
            return
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def wait(self) -> None:
        """Return when someone asks through the control endpoint that it stop; `stop` is the caller's."""
        self._asked_to_stop.wait()

    def ask_to_stop(self) -> None:
        """Make `wait` return."""
        self._asked_to_stop.set()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def _run(self, sockets: _Sockets) -> None:
        try:
            asyncio.run(self._serve(sockets))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in start()
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self, sockets: _Sockets) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        hosts = self._hosts()
        tls = Listener(lambda _: hosts, self._context())
        await tls.start(sockets.tls)
        plain = None
        if sockets.plain is not None:
            plain = self._plain()
            await plain.start(sockets.plain)
        proxy = await asyncio.start_server(self.proxy.handle, sock=sockets.proxy)
        self._ready.set()
        await self._stopping.wait()
        proxy.close()
        await self.proxy.close()
        if plain is not None:
            plain.cut_off()
            await plain.end()
        await tls.end()

    def _hosts(self) -> Hosts:
        services: dict[Service, ASGIApp] = {
            service: self._watched(_router(routes), self.proxy)
            for service, routes in (self._routes or _services(self.world)).items()
        }
        steering = control.routes(self.world, self.control_secret, self.ask_to_stop)
        return Hosts({**services, Service.CONTROL: _router(steering)})

    def _plain(self) -> Listener:
        from azcert.emulator import managed_identity  # only when it is used

        router = _router(managed_identity.routes(self.world, str(self._identity), self.identity_header))
        return Listener(lambda listener: self._watched(router, listener))

    def _watched(self, application: ASGIApp, ends: Proxy | Listener) -> Watched:
        return Watched(self.world, application, pause=self._pause, hang_up=ends.hang_up, reset=ends.reset)

    async def _pause(self, seconds: float) -> None:
        if self._stopping is not None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), seconds)

    def _context(self) -> ssl.SSLContext:
        return server_context(
            self.authority,
            CONTROL_HOST,
            known=lambda host: service_of(host) is not None,
            distrusted=lambda host: self.world.faults.take_at_connection(host, Action.UNTRUSTED),
        )

    def _admit(self, host: str, port: int) -> Refusal | None:
        if service_of(host) is None or port != _HTTPS:
            if self.passthrough:
                return None
            return Refusal(
                403,
                f"{host}:{port} is not emulated",
                "Start the emulator with --passthrough to reach other hosts through it.",
            )
        if self.world.faults.take_at_connection(host, Action.UNREACHABLE):
            return Refusal(502, f"cannot reach {host}", "This failure was asked for.")
        vault = vault_of(host)
        if vault is not None and self.world.documents.get("vault", vault) is None:
            known = ", ".join(name for name, _ in self.world.documents.items("vault")) or "none"
            return Refusal(
                502, f"no vault named {vault}", f"The real name would not resolve. Vaults here: {known}."
            )
        return None

    def _route(self, host: str, port: int) -> tuple[str, int]:
        return self._tls_address if service_of(host) and port == _HTTPS else (host, port)


@dataclass(frozen=True)
class _Sockets:
    """Where the emulator listens; ``plain`` is for managed identities."""

    proxy: socket.socket
    tls: socket.socket
    plain: socket.socket | None


def _router(routes: Sequence[BaseRoute]) -> Router:
    return Router(routes, redirect_slashes=False)


def _services(world: World) -> dict[Service, Sequence[BaseRoute]]:
    from azcert.emulator.arm.routes import routes as arm  # see Emulator's `routes`
    from azcert.emulator.entra.routes import routes as entra
    from azcert.emulator.graph.routes import routes as graph
    from azcert.emulator.keyvault.routes import routes as keyvault

    return {
        Service.ENTRA: entra(world),
        Service.VAULT: keyvault(world),
        Service.GRAPH: graph(world),
        Service.ARM: arm(world),
    }


def _listen(port: int) -> socket.socket:
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts: else each answer waits 40 ms for a
    # delayed acknowledgement. socket.create_server leaves it out.
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((_LOOPBACK, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise EmulatorError(
            f"The emulator could not listen on {_LOOPBACK}:{port}: {error.strerror or error}.",
            code="port-taken",
            remedy="Choose another --port, or none to get a free one.",
            port=port,
        ) from error
    return listening
