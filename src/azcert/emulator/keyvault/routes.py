"""Every path of every vault: challenge first, then version, operation, role, and the operation's answer."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.routing import BaseRoute, Route

from azcert.emulator.keyvault import certificates, faults, issuers, keys, pending, secrets
from azcert.emulator.keyvault.call import Call, Operation
from azcert.emulator.keyvault.faults import VaultRefusal
from azcert.emulator.keyvault.roles import authorize
from azcert.emulator.keyvault.vaults import Vault, authenticate, find_vault

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from azcert.emulator.origin import Answer
    from azcert.emulator.world import World

__all__ = ["routes"]

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
OPERATIONS = (*secrets.OPERATIONS, *keys.OPERATIONS, *issuers.OPERATIONS, *certificates.OPERATIONS)
LATEST = "2026-04-01"
# Stable versions and the previews that SDKs were recorded with.
_VERSION = re.compile(
    r"2016-10-01|7\.[0-6](?:-preview(?:\.\d)?)?|2025-07-01|2025-06-01-preview|2026-03-01-preview|2026-04-01"
)
SERVICE_VERSION = "1.9.3070.1"


def routes(world: World) -> list[BaseRoute]:
    """Return the one route of all vaults; the Host header tells which vault is asked."""

    async def endpoint(request: Request) -> Response:
        return await _respond(world, request)

    return [Route("/{path:path}", endpoint, methods=METHODS)]


async def _respond(world: World, request: Request) -> Response:
    headers = _headers(request)
    try:
        vault = find_vault(world, request.headers.get("host", ""))
        headers["x-ms-keyvault-region"] = vault.region
        answer = await _answer(world, vault, request, headers)
    except VaultRefusal as refusal:
        answer = refusal.answer()
    return answer.response(headers)


async def _answer(world: World, vault: Vault, request: Request, headers: dict[str, str]) -> Answer:
    body = await request.body()
    caller = authenticate(world, vault, request.headers.get("authorization", ""))
    query = dict(request.query_params)
    version = query.get("api-version")
    if not version:
        raise VaultRefusal(faults.NO_API_VERSION)
    if not _VERSION.fullmatch(version):
        raise VaultRefusal(faults.API_VERSION, version=version, latest=LATEST)
    operation, name, number = _find(request.method, request.url.path)
    path = "/".join(part for part in (operation.action.partition("/")[0], name) if part)
    headers["x-ms-keyvault-rbac-assignment-id"] = authorize(world, vault, caller, operation.action, path)
    port = re.search(r":(\d+)$", request.headers.get("host", ""))
    call = Call(world, vault, query, body, version, port[1] if port else "443")
    with world.documents.transaction():
        pending.settle(call)
    if operation.slow:
        return await run_in_threadpool(operation.run, call, name, number)
    with world.documents.transaction():
        return operation.run(call, name, number)


def _find(method: str, path: str) -> tuple[Operation, str, str]:
    """Return the operation of a path, whose slashes may be doubled or trailing, with name and version."""
    parts = [part for part in path.split("/") if part]
    for operation in OPERATIONS:
        pattern = operation.path.split("/")
        if operation.method != method or len(pattern) != len(parts):
            continue
        if all(want.startswith("{") or want == part for want, part in zip(pattern, parts, strict=True)):
            named = dict(zip(pattern, parts, strict=True))
            return operation, named.get("{name}", ""), named.get("{version}", "")
    raise VaultRefusal(faults.METHOD, method=method)


def _headers(request: Request) -> dict[str, str]:
    """Return what every answer carries, 401 and 204 included."""
    client = request.client.host if request.client else "127.0.0.1"
    headers = {
        "Cache-Control": "no-cache",
        "Pragma": "no-cache",
        "Expires": "-1",
        "x-ms-keyvault-region": "eastus",
        "x-ms-request-id": str(uuid.uuid4()),
        "x-ms-keyvault-service-version": SERVICE_VERSION,
        "x-ms-keyvault-network-info": f"conn_type=Ipv4;addr={client};act_addr_fam=InterNetwork;",
        "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000;includeSubDomains",
    }
    echoed = request.headers.get("x-ms-client-request-id")
    if echoed:
        headers["x-ms-client-request-id"] = echoed
    return headers
