"""Role assignments of Azure Resource Manager, as far as an application needs them for a vault, as flows.

https://learn.microsoft.com/rest/api/authorization/role-assignments
"""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from azcert.errors import RegistrationError
from azcert.wire.message import Request, answer_to

if TYPE_CHECKING:
    from azcert.wire.message import Flow

__all__ = ["ROLES", "Roles", "arm_host"]

ROLES = {
    "secrets-reader": ("Key Vault Secrets User", "4633458b-17de-408a-b874-0445c86b69e6"),
    "secrets-officer": ("Key Vault Secrets Officer", "b86a8fe4-44ce-4948-aee5-eccb2c155cd7"),
    "certificate-user": ("Key Vault Certificate User", "db79e9a7-68ee-4b58-9aeb-b90e7c24fcba"),
    "crypto-user": ("Key Vault Crypto User", "12338af0-0e69-4776-bea7-57ae8d297424"),
}
"""What azcert grants, least first: our name -> (Azure's name, role definition id).

https://learn.microsoft.com/azure/key-vault/general/rbac-guide
"""

# Azure Resource Manager's national endpoints, by authority.
_HOSTS = {
    "login.microsoftonline.us": "management.usgovcloudapi.net",
    "login.chinacloudapi.cn": "management.chinacloudapi.cn",
    "login.partner.microsoftonline.cn": "management.chinacloudapi.cn",
}
_ASSIGNMENTS = "2022-04-01"
_RESOURCES = "2021-04-01"
_SUBSCRIPTIONS = "2022-12-01"
_CONFLICT = 409
_FIRST_REFUSAL = 400


def arm_host(authority: str) -> str:
    """Return Resource Manager's host in the cloud of an authority's host."""
    return _HOSTS.get(authority, "management.azure.com")


class Roles:
    """The flows on role assignments of one Resource Manager deployment."""

    def __init__(self, host: str = "management.azure.com") -> None:
        self._base = f"https://{host}"

    @property
    def scope(self) -> str:
        """The scope tokens for this deployment are asked for."""
        return self._base + "/.default"

    def vault(self, name: str, *, subscription: str | None = None) -> Flow[str]:
        """Return the resource id of a vault; its name is unique in the world.

        :param subscription: looked through alone; all that this identity can see without it.
        :raises RegistrationError: there is none of that name.
        """
        quoted = name.replace("'", "''")
        condition = quote(f"resourceType eq 'Microsoft.KeyVault/vaults' and name eq '{quoted}'")
        subscriptions = [subscription] if subscription else (yield from self._subscriptions())
        for each in subscriptions:
            query = f"?$filter={condition}&api-version={_RESOURCES}"
            body = yield from self._call("GET", f"{self._base}/subscriptions/{each}/resources{query}")
            for found in body.get("value", ()):
                return str(found["id"])
        where = (
            f"Subscription {subscription} has no"
            if subscription
            else f"None of this identity's subscriptions ({len(subscriptions)}) has a"
        )
        raise RegistrationError(
            f"{where} Key Vault {name!r} that this identity can see.",
            code="not-found",
            remedy="Check the name and the subscription, or sign in as someone with Reader on the vault.",
        )

    def _subscriptions(self) -> Flow[list[str]]:
        found: list[str] = []
        url: str | None = f"{self._base}/subscriptions?api-version={_SUBSCRIPTIONS}"
        while url:
            body = yield from self._call("GET", url)
            found += [str(each["subscriptionId"]) for each in body.get("value", ())]
            url = body.get("nextLink")
        return found

    def assign(self, resource: str, role: str, principal_id: str) -> Flow[bool]:
        """Give the service principal a role on *resource*; return False where it had it already.

        :param role: a name of `ROLES`.
        :raises RegistrationError: refused; the message names the permission that is missing.
        """
        subscription = resource.split("/")[2]
        authorization = "providers/Microsoft.Authorization"
        definition = f"/subscriptions/{subscription}/{authorization}/roleDefinitions/{ROLES[role][1]}"
        # The name is derived, so that a second run asks for the same assignment instead of another one.
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{resource.lower()}|{ROLES[role][1]}|{principal_id.lower()}")
        url = f"{self._base}{resource}/{authorization}/roleAssignments/{name}?api-version={_ASSIGNMENTS}"
        properties = {
            "roleDefinitionId": definition,
            "principalId": principal_id,
            "principalType": "ServicePrincipal",
        }
        try:
            yield from self._call("PUT", url, {"properties": properties})
        except RegistrationError as error:
            if error.details["status"] == _CONFLICT:
                return False
            raise
        return True

    def _call(self, method: str, url: str, body: Any = None) -> Flow[dict[str, Any]]:
        content = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        reply = yield from answer_to(Request(method, url, headers, content))
        if reply.status < _FIRST_REFUSAL:
            return reply.json()
        error = reply.json().get("error") or {}
        code = str(error.get("code") or f"HTTP {reply.status}")
        raise RegistrationError(
            f"{method} {url.partition('?')[0]}: Azure Resource Manager answered {reply.status} {code}: "
            f"{error.get('message') or 'no message'}",
            code="arm-refused",
            remedy=(
                "The signed-in identity needs Microsoft.Authorization/roleAssignments/write on the vault: "
                "Key Vault Data Access Administrator, Role Based Access Control Administrator or Owner."
                if code == "AuthorizationFailed"
                else None
            ),
            status=reply.status,
            arm_code=code,
            request_id=reply.headers.get("x-ms-request-id"),
        )
