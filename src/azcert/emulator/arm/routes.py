"""Resource Manager's paths: vaults are found as resources, and roles are assigned at them.

https://learn.microsoft.com/rest/api/authorization/role-assignments

Assignments are kept as documents of kind ``assignment`` (key ``vault/name``); the roles they give are in the
world's ``role`` documents, where the vaults look.
"""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Route

from azcert.emulator.arm.definitions import DEFINITIONS, MANAGING_ROLES
from azcert.emulator.entra import tokens
from azcert.emulator.entra.resources import MANAGEMENT
from azcert.emulator.origin import Kind, assumed, documented

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from azcert.emulator.origin import Answer
    from azcert.emulator.world import World

__all__ = ["routes"]

_API = "https://learn.microsoft.com/rest/api/authorization/role-assignments"
_RBAC = "https://learn.microsoft.com/azure/role-based-access-control/troubleshooting"
_RESOURCES = "https://learn.microsoft.com/rest/api/resources/resources/list"

SUBSCRIPTIONS = Kind(
    "arm",
    "list subscriptions",
    200,
    documented("https://learn.microsoft.com/rest/api/resources/subscriptions/list"),
)
FOUND = Kind("arm", "list resources", 200, documented(_RESOURCES))
ASSIGNED = Kind("arm", "create a role assignment", 201, documented(f"{_API}/create"))
GOT = Kind("arm", "get a role assignment", 200, documented(f"{_API}/get"))
LISTED = Kind("arm", "list role assignments", 200, documented(f"{_API}/list-for-scope"))
REMOVED = Kind("arm", "delete a role assignment", 200, documented(f"{_API}/delete"))
NOTHING = Kind("arm", "delete a role assignment that is not there", 204, documented(f"{_API}/delete"))
NO_TOKEN = Kind("arm", "no token, or not for it", 401, documented(_RBAC))
DENIED = Kind("arm", "permission missing", 403, documented(_RBAC))
EXISTS = Kind("arm", "the role is assigned already", 409, documented(_RBAC))
UNKNOWN = Kind("arm", "no such resource or assignment", 404, documented(_RBAC))
WRONG = Kind(
    "arm",
    "a request that is not understood",
    400,
    assumed("ARM has a code for each; here one stands for all"),
)

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
_VAULT = (
    r"(?P<scope>/subscriptions/(?P<subscription>[^/]+)/resourcegroups/[^/]+/providers/microsoft\.keyvault"
    r"/vaults/(?P<vault>[^/]+))"
)
_ASSIGNMENTS = re.compile(
    rf"{_VAULT}/providers/microsoft\.authorization/roleassignments(?:/(?P<name>[^/]+))?/?", re.IGNORECASE
)
_FILTER = re.compile(
    r"resourceType eq 'Microsoft\.KeyVault/vaults'(?: and name eq '(?P<name>[^']*)')?", re.IGNORECASE
)


class _RefusedError(Exception):
    """The request ends with an error."""

    def __init__(self, kind: Kind, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = kind.answer({"error": {"code": code, "message": message}})


@dataclass(frozen=True)
class _Caller:
    principal: str
    app_id: str
    tenant: str


def routes(world: World) -> list[BaseRoute]:
    """Return the routes of Resource Manager's hosts."""
    manager = _Manager(world)

    async def endpoint(request: Request) -> Response:
        body = await request.body()
        headers = {"x-ms-request-id": str(uuid.uuid4()), "Cache-Control": "no-cache"}
        try:
            with world.documents.transaction():
                answer = manager.answer(request, body)
        except _RefusedError as refused:
            answer = refused.answer
        return answer.response(headers)

    return [Route("/{path:path}", endpoint, methods=METHODS)]


class _Manager:
    """The operations over one world."""

    def __init__(self, world: World) -> None:
        self._world = world

    def answer(self, request: Request, body: bytes) -> Answer:
        caller = self._caller(request)
        if not request.query_params.get("api-version"):
            raise _RefusedError(
                WRONG,
                "MissingApiVersionParameter",
                "The api-version query parameter (?api-version=) is required.",
            )
        path, method = request.url.path, request.method
        resources = re.fullmatch(r"/subscriptions/([^/]+)/resources/?", path, re.IGNORECASE)
        if resources and method == "GET":
            return self._resources(caller, resources[1], request.query_params.get("$filter", ""))
        if path.rstrip("/").lower() == "/subscriptions" and method == "GET":
            return self._subscriptions(caller)
        found = _ASSIGNMENTS.fullmatch(path)
        if found is None:
            raise _RefusedError(UNKNOWN, "ResourceNotFound", f"The Resource '{path}' was not found.")
        vault = self._vault(caller, found)
        name = (found["name"] or "").lower()
        if method == "GET":
            return (
                self._get(vault, name) if name else self._list(vault, request.query_params.get("$filter", ""))
            )
        if method in {"PUT", "DELETE"} and name:
            self._check_may_assign(caller, vault, found["scope"], method)
            if method == "DELETE":
                return self._delete(vault, name)
            return self._assign(vault, name, found["scope"], _json(body))
        raise _RefusedError(WRONG, "MethodNotAllowed", f"{method} is not allowed here.")

    def _caller(self, request: Request) -> _Caller:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            claims = tokens.check(self._world, token.strip() if scheme.lower() == "bearer" else "")
        except tokens.InvalidTokenError as error:
            raise _RefusedError(
                NO_TOKEN,
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing "
                "or holds no valid access token.",
            ) from error
        audience = str(claims["aud"]).rstrip("/")
        if audience != MANAGEMENT and not re.match(r"https://management\.", audience):
            raise _RefusedError(
                NO_TOKEN,
                "InvalidAuthenticationTokenAudience",
                f"The access token's audience is '{audience}'.",
            )
        return _Caller(str(claims["oid"]).lower(), str(claims.get("appid")), str(claims["tid"]).lower())

    def _vault(self, caller: _Caller, found: re.Match[str]) -> dict[str, Any]:
        vault = self._world.documents.get("vault", found["vault"].lower())
        here = vault is not None and vault["tenant"].lower() == caller.tenant
        if vault is None or not here or found["subscription"].lower() != subscription_of(caller.tenant):
            raise _RefusedError(
                UNKNOWN, "ResourceNotFound", f"The Resource '{found['scope']}' was not found."
            )
        return dict(vault)

    def _subscriptions(self, caller: _Caller) -> Answer:
        identifier = subscription_of(caller.tenant)
        shown = {
            "id": f"/subscriptions/{identifier}",
            "subscriptionId": identifier,
            "tenantId": caller.tenant,
            "displayName": "emulator",
            "state": "Enabled",
        }
        return SUBSCRIPTIONS.answer({"value": [shown], "count": {"type": "Total", "value": 1}})

    def _resources(self, caller: _Caller, subscription: str, text: str) -> Answer:
        wanted = _FILTER.fullmatch(text)
        if text and wanted is None:
            raise _RefusedError(WRONG, "InvalidFilterInQueryString", f"Invalid $filter '{text}'.")
        name = wanted["name"] if wanted else None
        if subscription.lower() != subscription_of(caller.tenant):
            raise _RefusedError(
                UNKNOWN, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found."
            )
        found = [
            {
                "id": vault_id(vault),
                "name": vault["name"],
                "type": "Microsoft.KeyVault/vaults",
                "location": vault.get("location", "eastus"),
            }
            for _, vault in self._world.documents.items("vault")
            if vault["tenant"].lower() == caller.tenant and (name is None or vault["name"] == name.lower())
        ]
        return FOUND.answer({"value": found})

    def _check_may_assign(self, caller: _Caller, vault: dict[str, Any], scope: str, method: str) -> None:
        roles = self._world.documents.get("role", f"{vault['name']}/{caller.principal}") or ()
        names = {role["name"] if isinstance(role, dict) else role for role in roles}
        if not names & set(MANAGING_ROLES):
            action = "write" if method == "PUT" else "delete"
            raise _RefusedError(
                DENIED,
                "AuthorizationFailed",
                f"The client '{caller.app_id}' with object id '{caller.principal}' does not have "
                f"authorization to perform action 'Microsoft.Authorization/roleAssignments/{action}' over "
                f"scope '{scope}' or the scope is invalid. If access was recently granted, please refresh "
                "your credentials.",
            )

    def _assign(self, vault: dict[str, Any], name: str, scope: str, body: dict[str, Any]) -> Answer:
        properties = body.get("properties")
        given = properties if isinstance(properties, dict) else {}
        role = DEFINITIONS.get(str(given.get("roleDefinitionId")).lower().rpartition("/")[2])
        principal = str(given.get("principalId") or "").lower()
        if role is None or not principal:
            raise _RefusedError(
                WRONG, "InvalidRoleAssignment", "A known roleDefinitionId and a principalId are required."
            )
        key = f"{vault['name']}/{principal}"
        roles = self._world.documents.get("role", key) or []
        present = {each["name"] if isinstance(each, dict) else each for each in roles}
        if role in present:
            raise _RefusedError(EXISTS, "RoleAssignmentExists", "The role assignment already exists.")
        self._world.documents.put("role", key, [*roles, {"name": role, "addedAt": self._world.clock.now()}])
        kept = {
            "properties": {
                "roleDefinitionId": given["roleDefinitionId"],
                "principalId": principal,
                "principalType": given.get("principalType", "ServicePrincipal"),
                "scope": scope,
            },
            "id": f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}",
            "type": "Microsoft.Authorization/roleAssignments",
            "name": name,
        }
        self._world.documents.put("assignment", f"{vault['name']}/{name}", kept)
        return ASSIGNED.answer(kept)

    def _get(self, vault: dict[str, Any], name: str) -> Answer:
        kept = self._world.documents.get("assignment", f"{vault['name']}/{name}")
        if kept is None:
            raise _RefusedError(
                UNKNOWN, "RoleAssignmentNotFound", f"The role assignment '{name}' is not found."
            )
        return GOT.answer(kept)

    def _list(self, vault: dict[str, Any], text: str) -> Answer:
        principal = re.search(r"principalId eq '([^']*)'", text, re.IGNORECASE)
        found = [each for _, each in self._world.documents.items("assignment", f"{vault['name']}/")]
        if principal:
            wanted = principal[1].lower()
            found = [each for each in found if each["properties"]["principalId"] == wanted]
        return LISTED.answer({"value": found})

    def _delete(self, vault: dict[str, Any], name: str) -> Answer:
        kept = self._world.documents.get("assignment", f"{vault['name']}/{name}")
        if kept is None:
            return NOTHING.answer()
        role = DEFINITIONS[kept["properties"]["roleDefinitionId"].lower().rpartition("/")[2]]
        key = f"{vault['name']}/{kept['properties']['principalId']}"
        rest = [
            each
            for each in self._world.documents.get("role", key) or ()
            if (each["name"] if isinstance(each, dict) else each) != role
        ]
        self._world.documents.put("role", key, rest)
        self._world.documents.delete("assignment", f"{vault['name']}/{name}")
        return REMOVED.answer(kept)


def subscription_of(tenant: str) -> str:
    """Return the id of the one subscription of a tenant, as Key Vault's errors name it too."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, tenant))


def vault_id(vault: dict[str, Any]) -> str:
    """Return a vault's resource id."""
    return (
        f"/subscriptions/{subscription_of(vault['tenant'])}/resourceGroups/emulator"
        f"/providers/Microsoft.KeyVault/vaults/{vault['name']}"
    )


def _json(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise _RefusedError(WRONG, "InvalidRequestContent", "The request content was invalid.")
    return value
