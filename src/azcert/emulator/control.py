"""The emulator's own endpoint: its clock, delays and faults, what clients sent, and how to stop it."""

from __future__ import annotations

import datetime as dt
import hmac
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from azcert.emulator.world import World

    Handler = Callable[[Any], Any]

__all__ = ["routes"]


def routes(world: World, secret: str, stop: Callable[[], None]) -> list[BaseRoute]:
    """Return the routes of the control host.

    :param secret: what ``Authorization: Bearer`` must carry: any program of the machine reaches loopback.
    :param stop: called, soon, by ``POST /stop``.
    """
    control = _Control(world, stop)
    table: dict[tuple[str, str], Handler] = {
        ("GET", "/status"): control.status,
        ("POST", "/clock"): control.clock,
        ("POST", "/delays"): control.delays,
        ("POST", "/faults"): control.add_fault,
        ("DELETE", "/faults"): control.clear_faults,
        ("GET", "/record"): control.record,
        ("POST", "/stop"): control.stop,
    }
    return [
        Route(path, _endpoint(handler, secret), methods=[method]) for (method, path), handler in table.items()
    ]


def _endpoint(handler: Handler, secret: str) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), secret.encode()):
            return JSONResponse({"error": "The control secret is missing or wrong."}, 401)
        try:
            return JSONResponse(handler(await request.json() if await request.body() else {}))
        except (ValueError, TypeError, OverflowError) as error:
            return JSONResponse({"error": str(error)}, 400)

    return endpoint


class _Control:
    """What the routes do; each takes the request's JSON and returns the answer's."""

    def __init__(self, world: World, stop: Callable[[], None]) -> None:
        self._world = world
        self._stop = stop

    def status(self, _: Any) -> dict[str, Any]:
        documents = self._world.documents
        now = self._world.clock.now()
        return {
            "pid": os.getpid(),
            "clock": {
                "now": dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="seconds"),
                "offset": self._world.clock.offset,
            },
            "delays": asdict(self._world.delays),
            "faults": [fault.as_dict() for fault in self._world.faults.waiting()],
            "requests": len(self._world.requests),
            "tenants": [tenant for tenant, _ in documents.items("tenant")],
            "apps": [
                {"clientId": client, "name": app.get("displayName"), "tenant": app.get("tenant")}
                for client, app in documents.items("app")
            ],
            "vaults": [name for name, _ in documents.items("vault")],
        }

    def clock(self, body: dict[str, Any]) -> dict[str, Any]:
        clock = self._world.clock
        if "set" in body:
            moment = dt.datetime.fromisoformat(body["set"])
            clock.set((moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp())
        clock.advance(float(body.get("advance", 0)))
        if body.get("reset"):
            clock.offset = 0.0
        found: dict[str, Any] = self.status(None)["clock"]
        return found

    def delays(self, body: dict[str, Any]) -> dict[str, Any]:
        known = asdict(self._world.delays)
        for name, value in body.items():
            if name not in known:
                raise ValueError(f"no delay {name!r}; there are {', '.join(known)}")
            if float(value) < 0:
                raise ValueError(f"{name} is a number of seconds, not {value}")
        for name, value in body.items():
            setattr(self._world.delays, name, float(value))
        return asdict(self._world.delays)

    def add_fault(self, body: dict[str, Any]) -> dict[str, Any]:
        return self._world.faults.add(**body).as_dict()

    def clear_faults(self, _: Any) -> dict[str, Any]:
        self._world.faults.clear()
        return {}

    def record(self, _: Any) -> dict[str, Any]:
        return {"requests": list(self._world.requests), "record": list(self._world.record)}

    def stop(self, _: Any) -> dict[str, Any]:
        self._stop()
        return {"stopping": True}
