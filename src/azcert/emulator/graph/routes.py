"""Every path of Graph: token first, then the operation's answer."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from typing import TYPE_CHECKING

from starlette.routing import BaseRoute, Route

from azcert.emulator.entra.clouds import authority_host
from azcert.emulator.graph import deleted, faults, reports
from azcert.emulator.graph.access import authenticate
from azcert.emulator.graph.applications import Applications
from azcert.emulator.graph.calls import Call, Operation
from azcert.emulator.graph.directory import Directory
from azcert.emulator.graph.faults import GraphRefusal
from azcert.emulator.graph.principals import Principals

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from azcert.emulator.origin import Answer
    from azcert.emulator.world import World

__all__ = ["routes"]

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
CONTENT = "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8"
_QUERY = {"$filter", "$select", "$top", "$count", "$skiptoken"}
_KEYED = re.compile(r"(applications|servicePrincipals)(\(appId='[^'/]*'\))")


def routes(world: World) -> list[BaseRoute]:
    """Return the one route of Graph's hosts."""
    table = [
        *Applications().operations(),
        *Principals().operations(),
        *deleted.operations(),
        *reports.operations(),
    ]

    async def endpoint(request: Request) -> Response:
        body = await request.body()
        request_id = str(uuid.uuid4())
        client_id = request.headers.get("client-request-id") or request_id
        headers = {
            "request-id": request_id,
            "client-request-id": client_id,
            "Cache-Control": "no-cache",
            "Strict-Transport-Security": "max-age=31536000",
        }
        try:
            with world.documents.transaction():
                answer = _answer(world, table, request, body)
        except GraphRefusal as refusal:
            error = {
                "code": refusal.fault.code,
                "message": refusal.text,
                "innerError": {
                    "date": dt.datetime.fromtimestamp(world.clock.now(), dt.UTC).strftime(
                        "%Y-%m-%dT%H:%M:%S"
                    ),
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

    return [Route("/{path:path}", endpoint, methods=METHODS)]


def _answer(world: World, table: list[Operation], request: Request, body: bytes) -> Answer:
    host = authority_host(request.headers.get("host", ""))
    caller = authenticate(world, host, request.headers.get("authorization", ""))
    # Microsoft's own SDKs double a slash.
    version, _, path = re.sub("/+", "/", request.url.path).strip("/").partition("/")
    unknown = [name for name in request.query_params if name.startswith("$") and name not in _QUERY]
    if unknown:
        raise GraphRefusal(faults.QUERY, name=unknown[0], value=request.query_params[unknown[0]])
    operation, identifier = _find(table, request.method, path if version in {"v1.0", "beta"} else "")
    call = Call(
        Directory(world, caller.tenant), caller, f"https://{host}/{version}", dict(request.query_params), body
    )
    return operation.run(call, identifier)


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
