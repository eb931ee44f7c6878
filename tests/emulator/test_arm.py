"""Role assignments at a vault through Resource Manager."""

from __future__ import annotations

import uuid
from typing import Any

from azcert.emulator.arm.definitions import DEFINITIONS
from azcert.emulator.arm.routes import subscription_of
from azcert.emulator.keyvault.roles import ROLES
from azcert.emulator.ready_made import SERVICE_PRINCIPAL_ID, TENANT_ID
from support.graph import Graph

HOST = "management.azure.com"
SUBSCRIPTION = f"/subscriptions/{subscription_of(TENANT_ID)}"
VERSION = "api-version=2022-04-01"
READER = "4633458b-17de-408a-b874-0445c86b69e6"
PRINCIPAL = "bbbbbbbb-1111-2222-3333-444444444444"


def vault(graph: Graph) -> str:
    query = "$filter=resourceType eq 'Microsoft.KeyVault/vaults' and name eq 'kv-demo'"
    (found,) = graph.ok("GET", f"{SUBSCRIPTION}/resources?{query}&{VERSION}", host=HOST)["value"]
    return str(found["id"])


def assignment(scope: str, name: str) -> str:
    return f"{scope}/providers/Microsoft.Authorization/roleAssignments/{name}?{VERSION}"


def body(role: str = READER) -> dict[str, Any]:
    definition = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{role}"
    return {"properties": {"roleDefinitionId": definition, "principalId": PRINCIPAL}}


def test_every_role_that_vaults_know_has_its_definition() -> None:
    assert set(ROLES) <= set(DEFINITIONS.values())


def test_a_role_is_assigned_once_takes_time_and_is_taken_back() -> None:
    graph = Graph()
    scope, name = vault(graph), str(uuid.uuid4())
    graph.ok("PUT", assignment(scope, name), body(), host=HOST)
    (role,) = graph.world.documents.get("role", f"kv-demo/{PRINCIPAL}") or [{}]
    assert role["name"] == "Key Vault Secrets User"
    assert role["addedAt"] <= graph.world.clock.now()
    again = graph.refused("PUT", assignment(scope, str(uuid.uuid4())), body(), host=HOST)
    assert again == (409, "RoleAssignmentExists")
    listed = graph.ok(
        "GET", assignment(scope, "").replace("/?", f"?$filter=principalId eq '{PRINCIPAL}'&"), host=HOST
    )
    assert [each["name"] for each in listed["value"]] == [name]
    assert graph.ok("GET", assignment(scope, name), host=HOST)["properties"]["principalId"] == PRINCIPAL
    graph.ok("DELETE", assignment(scope, name), host=HOST)
    assert graph.world.documents.get("role", f"kv-demo/{PRINCIPAL}") == []
    assert graph.send("DELETE", assignment(scope, name), host=HOST).status_code == 204


def test_who_may_not_assign_is_told_what_is_missing() -> None:
    graph = Graph()
    scope = vault(graph)
    graph.world.documents.put("role", f"kv-demo/{SERVICE_PRINCIPAL_ID}", ["Key Vault Secrets Officer"])
    answer = graph.send("PUT", assignment(scope, str(uuid.uuid4())), body(), host=HOST)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "AuthorizationFailed")
    assert "Microsoft.Authorization/roleAssignments/write" in answer.json()["error"]["message"]


def test_what_is_not_there_or_not_understood_is_refused() -> None:
    graph = Graph()
    scope = vault(graph)
    path = assignment(scope, str(uuid.uuid4()))
    assert graph.refused("GET", path, host=HOST) == (404, "RoleAssignmentNotFound")
    assert graph.refused("PUT", path.replace("kv-demo", "kv-none"), body(), host=HOST)[0] == 404
    assert graph.refused("PUT", path, body("no-such-role"), host=HOST) == (400, "InvalidRoleAssignment")
    assert graph.refused("PUT", path, [], host=HOST) == (400, "InvalidRequestContent")
    assert graph.refused("GET", f"{SUBSCRIPTION}/resources", host=HOST) == (400, "MissingApiVersionParameter")
    assert graph.refused("GET", f"/subscriptions/x/resources?{VERSION}", host=HOST)[0] == 404
    assert graph.refused("GET", path, host=HOST, Authorization="Bearer x")[0] == 401
    wrong = graph.token("graph.microsoft.com")
    assert graph.refused("GET", path, host=HOST, Authorization=f"Bearer {wrong}")[0] == 401
