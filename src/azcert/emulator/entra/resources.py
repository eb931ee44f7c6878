"""The resources a token can be for, and how a scope names one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azcert.emulator.entra import faults
from azcert.emulator.entra.faults import EntraRefusal

if TYPE_CHECKING:
    from azcert.emulator.world import World

__all__ = ["Resource", "find_resource", "resource_of_scope"]

DEFAULT = "/.default"
OPENID = {"openid", "profile", "offline_access", "email"}

# Microsoft's own resources: identifier -> application id.
# Source: https://learn.microsoft.com/troubleshoot/entra/entra-id/governance/verify-first-party-apps-sign-in
KEY_VAULT = "cfa8b339-82a2-471a-a3c9-0fc0be7a4093"
GRAPH = "00000003-0000-0000-c000-000000000000"
MANAGEMENT = "797f4846-ba00-4fd7-ba43-dac1f8f63013"
STORAGE = "e406a681-f3d4-42a8-90b6-c2b029497af1"
_WELL_KNOWN = {
    "https://vault.azure.net": KEY_VAULT,
    "https://vault.usgovcloudapi.net": KEY_VAULT,
    "https://vault.azure.cn": KEY_VAULT,
    "https://managedhsm.azure.net": "589d5083-6f11-4d30-a62a-a4b316a14abf",
    "https://graph.microsoft.com": GRAPH,
    "https://graph.microsoft.us": GRAPH,
    "https://dod-graph.microsoft.us": GRAPH,
    "https://microsoftgraph.chinacloudapi.cn": GRAPH,
    "https://management.azure.com": MANAGEMENT,
    "https://management.core.windows.net": MANAGEMENT,
    "https://management.usgovcloudapi.net": MANAGEMENT,
    "https://management.chinacloudapi.cn": MANAGEMENT,
    "https://storage.azure.com": STORAGE,
    "https://database.windows.net": "022907d3-0f1b-48f7-badc-1ba6abab6d66",
    "https://servicebus.azure.net": "80a10ef9-8168-493d-abf9-3297c4ef6e3c",
    "https://eventhubs.azure.net": "80369ed6-5f11-4dd9-bef3-692475845e77",
    "https://redis.azure.com": "acca5fbb-b7e4-4009-81f1-37e38fd66d78",
}


@dataclass(frozen=True)
class Resource:
    """What a token is for.

    :param audience: the token's ``aud``.
    :param version: 1 or 2: the kind of token, chosen by the resource, not by the endpoint.
    :param app_id: the resource's application id.
    """

    audience: str
    version: int
    app_id: str


def resource_of_scope(scope: str) -> str:
    """Return the resource that a client-credentials *scope* names.

    OpenID's own scopes beside it are ignored, as MSAL for Java sends them.

    :raises azcert.emulator.entra.faults.EntraRefusal: none or several resources (70011), no ``/.default``
        (1002012).
    """
    wanted = [part for part in scope.split() if part.lower() not in OPENID]
    if len(wanted) != 1:
        raise EntraRefusal(faults.SCOPE_INVALID, scope=scope)
    if not wanted[0].endswith(DEFAULT) or wanted[0] == DEFAULT:
        raise EntraRefusal(faults.SCOPE_NOT_DEFAULT, scope=scope)
    return wanted[0].removesuffix(DEFAULT)


def find_resource(world: World, name: str, tenant: dict[str, Any]) -> Resource:
    """Return the resource with this identifier or application id.

    :raises azcert.emulator.entra.faults.EntraRefusal: there is none in the tenant (500011).
    """
    # A doubled slash in the scope leaves one here; it stays in the audience, where Key Vault refuses it.
    bare = name.rstrip("/").lower()
    if bare in _WELL_KNOWN:
        return Resource(name, 1, _WELL_KNOWN[bare])
    if bare in _WELL_KNOWN.values():
        return Resource(name, 1, bare)
    for client_id, app in world.documents.items("app"):
        uris = {str(uri).rstrip("/").lower() for uri in app.get("identifierUris") or ()}
        if bare in uris | {client_id, f"api://{client_id}"} and app.get("tenant") == tenant["id"]:
            if (app.get("api") or {}).get("requestedAccessTokenVersion") == 2:  # noqa: PLR2004 - v2 tokens
                return Resource(client_id, 2, client_id)
            return Resource(name, 1, client_id)
    raise EntraRefusal(faults.RESOURCE_NOT_FOUND, resource=name, tenant=str(tenant["id"]))
