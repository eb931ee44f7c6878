"""The emulator as an object: started and stopped, in a thread of its own."""

from __future__ import annotations

import asyncio
import secrets
import socket
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import uvicorn
from starlette.routing import BaseRoute, Router

from azcert.emulator import control
from azcert.emulator.app import Application
from azcert.emulator.faults import Action
from azcert.emulator.hosts import CONTROL_HOST, DOMAINS, Service, service_of, vault_of
from azcert.emulator.proxy import Proxy, Refusal
from azcert.emulator.tls import Authority, server_context
from azcert.emulator.world import World
from azcert.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

__all__ = ["Emulator"]

_LOOPBACK = "127.0.0.1"
_HTTPS = 443
_END_SECONDS = 1.0


class Emulator:
    """Stands in for Entra ID and Key Vault under their real names, on loopback.

    :param world: what it knows; an empty one without it. See `azcert.emulator.seed` to fill one.
    :param port: the proxy's port; a free one without it.
    :param authority: the local CA; a new one without it.
    :param passthrough: tunnel other hosts to the real network instead of refusing them.
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
        routes: Mapping[Service, Sequence[BaseRoute]] | None = None,
    ) -> None:
        self.world = world or World()
        self.authority = authority or Authority.create(DOMAINS)
        self.passthrough = passthrough
        self.proxy = Proxy(self._admit, self._route)
        self._wanted_port = port
        self._routes = routes
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._asked_to_stop = threading.Event()
        self.control_secret = secrets.token_urlsafe(32)
        self._failure: BaseException | None = None
        self._stopping: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._proxy_address = ("", 0)
        self._tls_address = ("", 0)

    @property
    def proxy_url(self) -> str:
        """What ``HTTPS_PROXY`` must be."""
        return f"http://{self._proxy_address[0]}:{self._proxy_address[1]}"

    @property
    def port(self) -> int:
        """The proxy's port."""
        return self._proxy_address[1]

    def start(self) -> None:
        """Start, and return when clients can connect.

        :raises EmulatorError: ``port-taken``: another program listens on the port that was asked for.
        """
        proxy_socket = _listen(self._wanted_port)
        tls_socket = _listen(0)
        self._proxy_address = proxy_socket.getsockname()
        self._tls_address = tls_socket.getsockname()
        self._thread = threading.Thread(
            target=self._run, args=(proxy_socket, tls_socket), name="azcert emulator", daemon=True
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

    def _run(self, proxy_socket: socket.socket, tls_socket: socket.socket) -> None:
        try:
            asyncio.run(self._serve(proxy_socket, tls_socket))
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits in start()
            self._failure = error
        finally:
            self._ready.set()

    async def _serve(self, proxy_socket: socket.socket, tls_socket: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping = asyncio.Event()
        server = uvicorn.Server(self._uvicorn_config())
        serving = asyncio.create_task(server.serve(sockets=[tls_socket]))
        while not server.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0)
        listener = await asyncio.start_server(self.proxy.handle, sock=proxy_socket)
        self._ready.set()
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        listener.close()
        await self.proxy.close()
        await _end(server, serving)

    def _uvicorn_config(self) -> uvicorn.Config:
        services = {
            service: Router(routes, redirect_slashes=False)
            for service, routes in (self._routes or _services(self.world)).items()
        }
        services[Service.CONTROL] = Router(
            control.routes(self.world, self.control_secret, self.ask_to_stop), redirect_slashes=False
        )
        application = Application(self.world, services, hang_up=self.proxy.hang_up, reset=self.proxy.reset)
        config = uvicorn.Config(
            application,
            http="h11",
            ws="none",
            lifespan="off",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=1,
        )
        config.load()
        # uvicorn's own options name certificate files; ours are minted as they are asked for.
        config.ssl = server_context(
            self.authority,
            CONTROL_HOST,
            known=lambda host: service_of(host) is not None,
            distrusted=lambda host: self.world.faults.take_at_connection(host, Action.UNTRUSTED),
        )
        return config

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


async def _end(server: uvicorn.Server, serving: asyncio.Task[None]) -> None:
    """Stop *server*, whose clients have been cut off, without the pauses of its own shutdown (0.2 s)."""
    for each in server.servers:
        each.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_SECONDS):
            while server.server_state.connections:  # noqa: ASYNC110 - nor for this
                await asyncio.sleep(0.001)
    serving.cancel()
    with suppress(asyncio.CancelledError):
        await serving


def _services(world: World) -> dict[Service, Sequence[BaseRoute]]:
    from azcert.emulator.entra.routes import routes as entra  # noqa: PLC0415 - see Emulator's `routes`
    from azcert.emulator.keyvault.routes import routes as keyvault  # noqa: PLC0415

    return {Service.ENTRA: entra(world), Service.VAULT: keyvault(world)}


def _listen(port: int) -> socket.socket:
    try:
        return socket.create_server((_LOOPBACK, port))
    except OSError as error:
        raise EmulatorError(
            f"The emulator could not listen on {_LOOPBACK}:{port}: {error.strerror or error}.",
            code="port-taken",
            remedy="Choose another --port, or none to get a free one.",
            port=port,
        ) from error
