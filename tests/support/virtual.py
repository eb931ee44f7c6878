"""A world without waiting: an event loop whose time jumps, and a token service that fails on request.

The async credential runs in it unchanged, with azure-core's pipeline and a transport of ours; hours pass in
milliseconds, and every run is the same.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import selectors
import ssl
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar
from urllib.parse import parse_qs

from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import AsyncHttpTransport

from azcert.credential.wanted import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

T = TypeVar("T")

START = 1_800_000_000.0


class _JumpingSelector(selectors.SelectSelector):
    """Waits for nothing: what should have been waited is added to the time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        ready = super().select(0)
        if not ready and timeout is not None:
            self.now += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def clock(self) -> Clock:
        return Clock(time=lambda: START + self.time(), monotonic=self.time)

    def run(self, job: Coroutine[Any, Any, T]) -> T:
        return self.run_until_complete(job)


class Timed(Protocol):
    """A loop that tells the seconds since the world began."""

    def time(self) -> float:
        """Return them."""


@dataclass
class Reply:
    """What the fake transport hands back, in the shape azure-core's pipeline reads."""

    status_code: int
    headers: dict[str, str]
    content: bytes
    reason: str = ""


@dataclass
class Service:
    """Entra ID as the credential sees it, in virtual time."""

    loop: Timed
    lifetime: int = 3600
    refresh_in: int | None = None
    latency: float = 0.1
    mode: str = "ok"
    retry_after: str | None = None
    skew: float = 0.0
    registered: Callable[[str], bool] = bool
    audience: str | None = None
    closed_hosts: dict[str, int] = field(default_factory=dict)
    metadata: Reply | None = None
    asked: list[tuple[float, str, str]] = field(default_factory=list)
    in_flight: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    worst_in_flight: int = 0
    issued: int = 0

    def now(self) -> float:
        return START + self.loop.time() + self.skew

    async def tell_region(self) -> Reply:
        """Answer for the metadata service of a virtual machine, or be none."""
        if self.metadata is None:
            raise ServiceRequestError("no route", error=OSError(113, "No route to host"))
        return self.metadata

    async def answer(self, url: str, form: dict[str, str]) -> Reply:
        self.arrive(url, form)
        try:
            await asyncio.sleep(self.latency)
            return self.decide(url, form)
        finally:
            self.leave(url, form)

    def arrive(self, url: str, form: dict[str, str]) -> None:
        key = (url, form["scope"] + form.get("claims", ""))
        self.asked.append((self.loop.time(), url, form["scope"]))
        self.in_flight[key] += 1
        self.worst_in_flight = max(self.worst_in_flight, self.in_flight[key])

    def leave(self, url: str, form: dict[str, str]) -> None:
        self.in_flight[url, form["scope"] + form.get("claims", "")] -= 1

    def decide(self, url: str, form: dict[str, str]) -> Reply:
        match self.mode:
            case "reset":
                raise ServiceResponseError(
                    "reset", error=ConnectionResetError(104, "Connection reset by peer")
                )
            case "dns":
                import socket

                raise ServiceRequestError("dns", error=socket.gaierror(-2, "Name or service not known"))
            case "tls":
                raise ServiceRequestError("tls", error=ssl.SSLCertVerificationError("self-signed"))
            case "half":
                return self._reply(200, b'{"access_token": "to')
            case "ok":
                return self._judge(url, form)
        headers = {} if self.retry_after is None else {"Retry-After": self.retry_after}
        return self._reply(int(self.mode), b"", headers)

    def _judge(self, url: str, form: dict[str, str]) -> Reply:
        header, claims = assertion_parts(form["client_assertion"])
        if not claims["nbf"] - 300 <= self.now() < claims["exp"]:
            return self._refuse(700024)
        if url.split("/")[2] in self.closed_hosts:
            return self._refuse(self.closed_hosts[url.split("/")[2]])
        if claims["aud"] != (self.audience or url):
            return self._refuse(700023)
        if not self.registered(header["x5t#S256"]):
            return self._refuse(700027)
        self.issued += 1
        # The token says for whom it is, so that a test can see whether it went to the right caller.
        token = json.dumps(
            [url.split("/")[3], form["client_id"], form["scope"], "claims" in form, self.issued]
        )
        body = {"token_type": "Bearer", "expires_in": self.lifetime, "access_token": token}
        if self.refresh_in is not None:
            body["refresh_in"] = self.refresh_in
        return self._reply(200, json.dumps(body).encode())

    def _refuse(self, code: int) -> Reply:
        body = {"error": "invalid_client", "error_description": f"AADSTS{code}: no.", "error_codes": [code]}
        return self._reply(401, json.dumps(body).encode())

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> Reply:
        date = email.utils.formatdate(self.now(), usegmt=True)
        return Reply(status, {"Date": date, **(headers or {})}, body)


def assertion_parts(assertion: str) -> tuple[dict[str, Any], dict[str, Any]]:
    import base64

    parts = assertion.split(".")[:2]
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts)
    return header, claims


class ServiceTransport(AsyncHttpTransport[Any, Any]):
    """azure-core's transport interface over `Service`."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def send(self, request: Any, **kwargs: Any) -> Any:
        del kwargs
        if request.url.startswith("http://169.254.169.254/"):
            assert request.headers["Metadata"] == "true"
            return await self._service.tell_region()
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        return await self._service.answer(request.url, form)

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *args: object) -> None:
        """Nothing to close."""
