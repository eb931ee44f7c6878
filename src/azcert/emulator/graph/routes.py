"""Every path of Graph: token first, then the operation's answer."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import TYPE_CHECKING

from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from azcert.emulator.entra.clouds import authority_host
from azcert.emulator.faults import Action
from azcert.emulator.graph import batch, deleted, faults, reports
from azcert.emulator.graph.access import authenticate
from azcert.emulator.graph.applications import Applications
from azcert.emulator.graph.calls import Asked, Call, Operation
from azcert.emulator.graph.directory import Directory
from azcert.emulator.graph.faults import GraphRefusal
from azcert.emulator.graph.principals import Principals

if TYPE_CHECKING:
    from starlette.requests import Request

    from azcert.emulator.origin import Answer
    from azcert.emulator.world import World

__all__ = ["routes"]

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
CONTENT = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
_QUERY = {"$filter", "$select", "$top", "$count", "$skiptoken"}
_KEYED = re.compile(r"(applications|servicePrincipals)(\(appId='[^'/]*'\))")


def routes(world: World) -> list[BaseRoute]:
    """Return the one route of Graph's hosts."""
    service = _Service(world)

    async def endpoint(request: Request) -> Response:
        asked = Asked(
            request.method,
            authority_host(request.headers.get("host", "")),
            request.url.path,
            dict(request.query_params),
            await request.body(),
            request.headers.get("authorization", ""),
            request.headers.get("client-request-id"),
        )
        return service.respond(asked)

    return [Route("/{path:path}", endpoint, methods=METHODS)]


class _Service:
    """The operations over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._table = [
            *Applications().operations(),
            *Principals().operations(),
            *deleted.operations(),
            *reports.operations(),
        ]

    def respond(self, asked: Asked) -> Response:
        """Answer one request."""
        request_id = str(uuid.uuid4())
        client_id = asked.client_request_id or request_id
        headers = {
            "request-id": request_id,
            "client-request-id": client_id,
            "Cache-Control": "no-cache",
            "Strict-Transport-Security": "max-age=31536000",
        }
        try:
            answer = self._answer(asked)
        except GraphRefusal as refusal:
            moment = dt.datetime.fromtimestamp(self._world.clock.now(), dt.UTC)
            error = {
                "code": refusal.fault.code,
                "message": refusal.text,
                "innerError": {
                    "date": moment.strftime("%Y-%m-%dT%H:%M:%S"),
                    "request-id": request_id,
                    "client-request-id": client_id,
                },
            }
            if refusal.fault.status == 401:  # noqa: PLR2004 - RFC 9110, 15.5.2
                headers["WWW-Authenticate"] = (
                    'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
                )
            response = refusal.fault.answer({"error": error}).response(headers)
            response.headers["Content-Type"] = "application/json"
            return response
        response = answer.response(headers)
        if answer.body is not None:
            response.headers["Content-Type"] = CONTENT
            response.headers["odata-version"] = "4.0"
        return response

    def _answer(self, asked: Asked) -> Answer:
        caller = authenticate(self._world, asked.host, asked.authorization)
        # Microsoft's own SDKs double a slash.
        version, _, path = re.sub("/+", "/", asked.path).strip("/").partition("/")
        unknown = [name for name in asked.query if name.startswith("$") and name not in _QUERY]
        if unknown:
            raise GraphRefusal(faults.QUERY, name=unknown[0], value=asked.query[unknown[0]])
        known = version in {"v1.0", "beta"}
        base = f"https://{asked.host}/{version}"
        call = Call(Directory(self._world, caller.tenant), caller, base, asked.query, asked.body)
        if known and path == batch.PATH and asked.method == "POST":
            return batch.run(asked, call.json(), self._within_batch)
        operation, identifier = _find(self._table, asked.method, path if known else "")
        with self._world.documents.transaction():
            return operation.run(call, identifier)

    def _within_batch(self, asked: Asked) -> Response:
        """Answer one request of a batch: noted and struck by answers asked for as if it had come alone."""
        entry = {"at": self._world.clock.now(), "method": asked.method, "host": asked.host}
        entry |= {"path": asked.path, "status": None, "batch": True}
        self._world.requests.append(entry)
        fault = self._world.faults.take(asked.host, asked.path, asked.method, action=Action.ANSWER)
        if fault is None:
            response = self.respond(asked)
        else:
            content, kind = fault.content()
            response = Response(content, fault.status, fault.headers, kind or None)
        entry["status"] = response.status_code
        return response


def _find(table: list[Operation], method: str, path: str) -> tuple[Operation, str]:
    parts = _KEYED.sub(r"\1/\2", path).split("/")
    fitting = []
    for operation in table:
        pattern = operation.path.split("/")
        if len(pattern) != len(parts):
            continue
        if all(want in ("{id}", part) for want, part in zip(pattern, parts, strict=True)):
            fitting.append((operation, dict(zip(pattern, parts, strict=True)).get("{id}", "")))
    for operation, identifier in fitting:
        if operation.method == method:
            return operation, identifier
    if fitting:
        raise GraphRefusal(faults.METHOD)
    raise GraphRefusal(faults.NO_PATH, path=path.partition("/")[0])
