"""The emulated vault's secrets: who may, what is refused, and what is on every answer."""

from __future__ import annotations

import base64
import json
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from azure.identity import EnvironmentCredential
from azure.keyvault.secrets import SecretClient
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from azcert.emulator.ready_made import SECRET as DEMO_SECRET
from support.emulated import CLIENT, PRINCIPAL, SECRET, TENANT, VAULT, Emulated

if TYPE_CHECKING:
    from httpx2 import Response

    from azcert.emulator.fixture import AzcertEmulator

HOST = f"{VAULT}.vault.azure.net"
API = "api-version=2025-07-01"


@pytest.fixture
def emulated() -> Emulated:
    return Emulated()


def code(answer: Response) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], (error.get("innererror") or {}).get("code")


# Who may


def test_no_token_is_challenged_before_anything_else_is_looked_at(emulated: Emulated) -> None:
    for method, path in (
        ("PUT", "/secrets/a"),
        ("GET", "/nothing"),
        ("POST", "/secrets//"),
        ("GET", "/secrets/a"),
    ):
        answer = emulated.send(method, HOST, path)
        assert code(answer) == (401, "Unauthorized", None)
        assert answer.headers["www-authenticate"] == (
            f'Bearer authorization="https://login.microsoftonline.com/{TENANT}", resource="https://vault.azure.net"'
        )


def test_a_vault_of_another_cloud_names_that_clouds_authority(emulated: Emulated) -> None:
    vault = {"name": "kv-gov", "tenant": TENANT, "suffix": "vault.usgovcloudapi.net"}
    emulated.world.documents.put("vault", "kv-gov", vault)
    answer = emulated.send("GET", "kv-gov.vault.usgovcloudapi.net", f"/secrets?{API}")
    assert answer.headers["www-authenticate"] == (
        f'Bearer authorization="https://login.microsoftonline.us/{TENANT}", '
        'resource="https://vault.usgovcloudapi.net"'
    )


def test_an_unknown_vault_is_told_with_those_there_are(emulated: Emulated) -> None:
    answer = emulated.send("GET", "kv-other.vault.azure.net", f"/secrets?{API}")
    assert code(answer)[:2] == (404, "VaultNotFound")
    assert HOST in answer.text


def bearer(emulated: Emulated, token: str) -> Response:
    headers = {"Authorization": f"Bearer {token}"}
    return emulated.send("GET", HOST, f"/secrets?{API}", headers=headers)


def test_a_token_that_was_changed_is_refused(emulated: Emulated) -> None:
    head, body, signature = emulated.token().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["oid"] = "someone-else"
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    for token in (f"{head}.{forged}.{signature}", "x", "x.y.z", f"{head}.{body}."):
        answer = bearer(emulated, token)
        assert code(answer) == (401, "Unauthorized", None)
        assert "www-authenticate" in answer.headers


def test_a_token_for_another_resource_names_both(emulated: Emulated) -> None:
    answer = bearer(emulated, emulated.token("https://graph.microsoft.com/.default"))
    assert answer.json()["error"]["message"] == (
        "AKV10022: Invalid audience. Expected https://vault.azure.net, found: https://graph.microsoft.com."
    )
    answer = bearer(emulated, emulated.token("https://vault.azure.net//.default"))
    assert "found: https://vault.azure.net/." in answer.text
    assert (
        bearer(emulated, emulated.token("cfa8b339-82a2-471a-a3c9-0fc0be7a4093/.default")).status_code == 200
    )


def test_a_token_of_another_tenant_names_the_issuers(emulated: Emulated) -> None:
    token = emulated.token()
    other = {"name": VAULT, "tenant": "99999999-0000-0000-0000-000000000000", "suffix": "vault.azure.net"}
    emulated.world.documents.put("vault", VAULT, other)
    message = bearer(emulated, token).json()["error"]["message"]
    assert message.startswith("AKV10032: Invalid issuer. Expected one of https://sts.windows.net/99999999-")
    assert message.endswith(f"found https://sts.windows.net/{TENANT}/.")


def test_a_token_ends_by_the_emulators_clock(emulated: Emulated) -> None:
    token = emulated.token()
    assert bearer(emulated, token).status_code == 200
    emulated.world.clock.advance(3700)
    assert bearer(emulated, token).status_code == 401


def test_a_revoked_token_gets_a_claims_challenge_that_a_new_token_meets(emulated: Emulated) -> None:
    old = emulated.token()
    emulated.world.tokens_revoked_before = emulated.world.clock.now() + 1
    answer = bearer(emulated, old)
    challenge = answer.headers["www-authenticate"]
    found = re.search(r'error="insufficient_claims", claims="([^"]+)"', challenge)
    assert answer.status_code == 401
    assert found
    wanted = base64.b64decode(found[1]).decode()
    new = emulated.token_request(claims=wanted, client_secret=SECRET).json()["access_token"]
    assert bearer(emulated, new).status_code == 200


def test_microsofts_client_meets_the_claims_challenge_by_itself(azcert_environment: AzcertEmulator) -> None:
    world = azcert_environment.world
    with (
        EnvironmentCredential() as credential,
        SecretClient(azcert_environment.vault_url, credential) as client,
    ):
        before = client.get_secret(DEMO_SECRET).value
        asked = len(world.record)
        world.tokens_revoked_before = world.clock.now() + 1
        assert client.get_secret(DEMO_SECRET).value == before
    assert len(world.record) == asked + 1


ROLES = {
    # role: read value, list, set, delete, purge
    "Key Vault Administrator": "rlsdp",
    "Key Vault Secrets Officer": "rlsdp",
    "Key Vault Secrets User": "rl",
    "Key Vault Reader": "l",
    "Key Vault Certificate User": "rl",
    "Key Vault Crypto Officer": "",
    "No such role": "",
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_what_it_is_for(role: str) -> None:
    emulated = Emulated()
    emulated.vault("PUT", "/secrets/kept", {"value": "v"})
    emulated.vault("PUT", "/secrets/gone", {"value": "v"})
    emulated.vault("DELETE", "/secrets/gone")
    emulated.grant(role)
    calls: dict[str, tuple[str, str, Any]] = {
        "r": ("GET", "/secrets/kept", None),
        "l": ("GET", "/secrets", None),
        "s": ("PUT", "/secrets/more", {"value": "v"}),
        "d": ("DELETE", "/secrets/kept", None),
        "p": ("DELETE", "/deletedsecrets/gone", None),
    }
    for letter, (method, path, body) in calls.items():
        answer = emulated.vault(method, path, body)
        if letter in ROLES[role]:
            assert answer.is_success, (letter, answer.text)
            assert "x-ms-keyvault-rbac-assignment-id" in answer.headers
        else:
            assert code(answer) == (403, "Forbidden", "ForbiddenByRbac"), letter


def test_a_refusal_by_role_names_caller_action_and_resource(emulated: Emulated) -> None:
    emulated.grant("Key Vault Reader")
    lines = emulated.vault("GET", "/secrets/mine").json()["error"]["message"].split("\r\n")
    assert lines[0] == "Caller is not authorized to perform action on resource."
    assert lines[2] == f"Caller: appid={CLIENT};oid={PRINCIPAL};iss=https://sts.windows.net/{TENANT}/"
    assert lines[3] == "Action: 'Microsoft.KeyVault/vaults/secrets/getSecret/action'"
    assert lines[4].endswith(f"/providers/microsoft.keyvault/vaults/{VAULT}/secrets/mine'")
    assert lines[5] == "Assignment: (not found)"


def test_a_role_counts_once_it_has_propagated(emulated: Emulated) -> None:
    emulated.world.delays.propagation = 60
    entry = {"name": "Key Vault Reader", "addedAt": emulated.world.clock.now()}
    emulated.world.documents.put("role", f"{VAULT}/{PRINCIPAL}", [entry])
    assert emulated.vault("GET", "/secrets").status_code == 403
    emulated.world.clock.advance(61)
    assert emulated.vault("GET", "/secrets").status_code == 200


# What is refused


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("GET", "/secrets?api-version=1.0", None, (400, "BadParameter", None)),
        ("GET", "/secrets?api-version=", None, (400, "BadParameter", None)),
        ("PUT", "/secrets/not_a_name", {"value": "v"}, (400, "BadParameter", None)),
        ("PUT", f"/secrets/{'n' * 128}", {"value": "v"}, (400, "BadParameter", None)),
        ("PUT", "/secrets/n", None, (400, "BadParameter", None)),
        ("PUT", "/secrets/n", [], (400, "BadParameter", None)),
        ("PUT", "/secrets/n", {}, (400, "BadParameter", None)),
        ("PUT", "/secrets/n", {"value": 7}, (400, "BadParameter", None)),
        ("PUT", "/secrets/n", {"value": "v" * 25_601}, (400, "BadParameter", None)),
        ("PUT", "/secrets/n", {"value": "v", "contentType": "c" * 256}, (400, "BadParameter", None)),
        (
            "PUT",
            "/secrets/n",
            {"value": "v", "tags": {str(i): "" for i in range(16)}},
            (400, "BadParameter", None),
        ),
        ("PUT", "/secrets/n", {"value": "v", "tags": {"t": "x" * 257}}, (400, "BadParameter", None)),
        ("PUT", "/secrets/n", {"value": "v", "tags": {"t": 1}}, (400, "BadParameter", None)),
        ("PUT", "/secrets/n", {"value": "v", "attributes": {"enabled": "no"}}, (400, "BadParameter", None)),
        ("PUT", "/secrets/n", {"value": "v", "attributes": {"exp": "soon"}}, (400, "BadParameter", None)),
        (
            "PUT",
            "/secrets/n",
            {"value": "v", "attributes": {"nbf": 9, "exp": 9}},
            (400, "BadParameter", None),
        ),
        ("PUT", "/secrets/n", {"value": "v", "attributes": []}, (400, "BadParameter", None)),
        ("GET", "/secrets?maxresults=26", None, (400, "BadParameter", None)),
        ("GET", "/secrets?maxresults=0", None, (400, "BadParameter", None)),
        ("GET", "/secrets?$skiptoken=!", None, (400, "BadParameter", None)),
        ("GET", "/secrets/none", None, (404, "SecretNotFound", None)),
        ("GET", f"/secrets/there/{'0' * 32}", None, (404, "SecretNotFound", None)),
        ("PATCH", "/secrets/none", {}, (404, "SecretNotFound", None)),
        ("DELETE", "/secrets/none", None, (404, "SecretNotFound", None)),
        ("POST", "/secrets/none/backup", None, (404, "SecretNotFound", None)),
        ("DELETE", "/deletedsecrets/there", None, (404, "SecretNotFound", None)),
        ("POST", "/secrets/restore", {"value": "AAAA"}, (400, "Malformed backup blob", None)),
        ("POST", "/secrets/restore", {"value": "%%%"}, (400, "Malformed backup blob", None)),
        ("POST", "/secrets/restore", {}, (400, "Malformed backup blob", None)),
        ("POST", "/secrets/there", {}, (405, "MethodNotAllowed", None)),
        ("PUT", "/secrets//", {"value": "v"}, (405, "MethodNotAllowed", None)),
    ],
)
def test_refuses_what_is_missing_or_wrong(
    emulated: Emulated, method: str, path: str, body: Any, expected: tuple[int, str, str | None]
) -> None:
    emulated.vault("PUT", "/secrets/there", {"value": "v"})
    assert code(emulated.vault(method, path, body)) == expected


def test_the_largest_allowed_values_are_taken(emulated: Emulated) -> None:
    tags = {f"{i:>0256}": "t" * 256 for i in range(15)}
    body = {"value": "ä" * 12_800, "contentType": "c" * 255, "tags": tags}
    path = f"/secrets/{'n' * 127}"
    assert emulated.vault("PUT", path, body).status_code == 200
    assert emulated.vault("GET", path).json()["tags"] == tags


def test_a_body_that_is_no_json_is_refused(emulated: Emulated) -> None:
    for content in (b"{", b'"text"', b"\xff", b"[" * 100_000, b'{"value": "\ud800"}'):
        answer = emulated.vault("PUT", "/secrets/n", content=content)
        assert code(answer) == (400, "BadParameter", None)


# What is answered


def test_every_answer_carries_the_services_headers(emulated: Emulated) -> None:
    emulated.vault("PUT", "/secrets/n", {"value": "v"})
    emulated.vault("DELETE", "/secrets/n")
    headers = {"x-ms-client-request-id": "mine"}
    for answer in (
        emulated.send("GET", HOST, "/secrets", headers=headers),
        emulated.send("GET", HOST, "/", headers={**headers, "Authorization": f"Bearer {emulated.token()}"}),
    ):
        assert answer.headers["x-ms-client-request-id"] == "mine"
    for answer in (emulated.send("GET", HOST, "/x"), emulated.vault("DELETE", "/deletedsecrets/n")):
        assert {
            "x-ms-request-id",
            "x-ms-keyvault-region",
            "x-ms-keyvault-service-version",
            "x-ms-keyvault-network-info",
        } <= set(answer.headers)
    assert (answer.status_code, answer.content) == (204, b"")
    assert "content-type" not in answer.headers


def test_names_ignore_case_and_paths_their_slashes(emulated: Emulated) -> None:
    made = emulated.vault("PUT", "/secrets/MySecret", {"value": "v"}).json()
    version = made["id"].rpartition("/")[2]
    for path in (
        "/secrets/mysecret",
        "/secrets/MYSECRET/",
        "/secrets//MySecret//",
        f"/secrets/MySecret//{version}/",
    ):
        assert emulated.vault("GET", path).json() == made


def test_a_new_value_is_a_new_version_and_the_old_one_stays(emulated: Emulated) -> None:
    ids = [emulated.vault("PUT", "/secrets/n", {"value": str(i)}).json()["id"] for i in range(3)]
    assert emulated.vault("GET", "/secrets/n").json()["value"] == "2"
    assert emulated.vault("GET", ids[0].partition("azure.net")[2]).json()["value"] == "0"
    listed = emulated.vault("GET", "/secrets/n/versions").json()["value"]
    assert [item["id"] for item in listed] == ids
    assert all("value" not in item for item in listed)


def test_lists_come_in_pages_of_25_whose_links_name_the_port(emulated: Emulated) -> None:
    names = [f"s{number:03d}" for number in range(60)]
    for name in reversed(names):
        emulated.vault("PUT", f"/secrets/{name}", {"value": "v"})
    emulated.world.empty_pages = 2
    found, sizes, link = [], [], "/secrets"
    while link:
        page = emulated.vault("GET", link).json()
        sizes.append(len(page["value"]))
        found += [item["id"].rpartition("/")[2] for item in page["value"]]
        link = (page["nextLink"] or "").removeprefix(f"https://{HOST}:443")
        assert page["nextLink"] is None or link.startswith(f"/secrets?{API}&$skiptoken=")
    assert found == names
    assert sizes == [25, 25, 10, 0, 0]
    assert len(emulated.vault("GET", "/secrets?maxresults=3").json()["value"]) == 3


def test_expiry_is_information_only(emulated: Emulated) -> None:
    emulated.vault(
        "PUT", "/secrets/n", {"value": "v", "attributes": {"nbf": 4_000_000_000, "exp": 4_000_000_001}}
    )
    assert emulated.vault("GET", "/secrets/n").json()["value"] == "v"


def test_a_deleted_secret_is_gone_when_its_retention_ends(emulated: Emulated) -> None:
    emulated.retain(7)
    emulated.vault("PUT", "/secrets/n", {"value": "v"})
    emulated.vault("DELETE", "/secrets/n")
    emulated.world.clock.advance(7 * 86400 + 1)
    assert emulated.vault("GET", "/deletedsecrets/n").status_code == 404
    assert emulated.vault("PUT", "/secrets/n", {"value": "w"}).status_code == 200


def test_the_lists_of_one_vault_show_nothing_of_another(emulated: Emulated) -> None:
    emulated.world.documents.put(
        "vault", "kv-test-2", {"name": "kv-test-2", "tenant": TENANT, "suffix": "vault.azure.net"}
    )
    emulated.world.documents.put("role", f"kv-test-2/{PRINCIPAL}", ["Key Vault Administrator"])
    headers = {"Authorization": f"Bearer {emulated.token()}"}
    emulated.send(
        "PUT", "kv-test-2.vault.azure.net", f"/secrets/n?{API}", headers=headers, json={"value": "v"}
    )
    assert emulated.vault("GET", "/secrets").json()["value"] == []


def test_a_backup_is_opaque_and_brings_every_version_back(emulated: Emulated) -> None:
    for value in ("one", "two"):
        emulated.vault("PUT", "/secrets/n", {"value": value})
    blob = emulated.vault("POST", "/secrets/n/backup").json()["value"]
    data = base64.urlsafe_b64decode(blob + "==")
    assert data[1 : 1 + data[0]] == b"AzureKeyVaultSecretBackupV1.microsoft.com"
    assert b"two" not in data
    assert code(emulated.vault("POST", "/secrets/restore", {"value": blob}))[:2] == (409, "Conflict")
    emulated.vault("DELETE", "/secrets/n")
    emulated.vault("DELETE", "/deletedsecrets/n")
    assert "value" not in emulated.vault("POST", "/secrets/restore", {"value": blob}).json()
    assert emulated.vault("GET", "/secrets/n").json()["value"] == "two"
    assert len(emulated.vault("GET", "/secrets/n/versions").json()["value"]) == 2


def test_writers_at_once_lose_nothing(emulated: Emulated) -> None:
    emulated.token()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda i: emulated.vault("PUT", "/secrets/n", {"value": str(i)}), range(40)))
    assert [answer.json()["value"] for answer in answers] == [str(i) for i in range(40)]
    found, link = [], "/secrets/n/versions"
    while link:
        page = emulated.vault("GET", link).json()
        found += [item["id"] for item in page["value"]]
        link = (page["nextLink"] or "").removeprefix(f"https://{HOST}:443")
    assert sorted(found) == sorted(answer.json()["id"] for answer in answers)


# Against a model


class Lifecycle(RuleBasedStateMachine):
    """A vault's secrets do what three dictionaries do."""

    names = Bundle("names")

    def __init__(self) -> None:
        super().__init__()
        self.emulated = Emulated()
        self.live: dict[str, list[str]] = {}
        self.deleted: dict[str, list[str]] = {}
        self.backups: dict[str, tuple[str, list[str]]] = {}

    @rule(target=names, name=st.sampled_from(["a", "B", "c-1", "a-b"]))
    def name(self, name: str) -> str:
        return name

    @rule(name=names, value=st.text(max_size=10))
    def put(self, name: str, value: str) -> None:
        answer = self.emulated.vault("PUT", f"/secrets/{name}", {"value": value})
        if name in self.deleted:
            assert code(answer) == (409, "Conflict", "ObjectIsDeletedButRecoverable")
        else:
            assert answer.json()["value"] == value
            self.live.setdefault(name, []).append(value)

    @rule(name=names)
    def get(self, name: str) -> None:
        answer = self.emulated.vault("GET", f"/secrets/{name}/")
        if name in self.live:
            assert answer.json()["value"] == self.live[name][-1]
        else:
            assert code(answer)[:2] == (404, "SecretNotFound")

    @rule(name=names)
    def delete(self, name: str) -> None:
        answer = self.emulated.vault("DELETE", f"/secrets/{name}")
        assert answer.status_code == (200 if name in self.live else 404)
        if name in self.live:
            self.deleted[name] = self.live.pop(name)

    @rule(name=names)
    def recover(self, name: str) -> None:
        answer = self.emulated.vault("POST", f"/deletedsecrets/{name}/recover")
        assert answer.status_code == (200 if name in self.deleted else 404)
        if name in self.deleted:
            self.live[name] = self.deleted.pop(name)

    @rule(name=names)
    def purge(self, name: str) -> None:
        answer = self.emulated.vault("DELETE", f"/deletedsecrets/{name}")
        assert answer.status_code == (204 if name in self.deleted else 404)
        self.deleted.pop(name, None)

    @rule(name=names)
    def back_up(self, name: str) -> None:
        answer = self.emulated.vault("POST", f"/secrets/{name}/backup")
        assert answer.status_code == (200 if name in self.live else 404)
        if name in self.live:
            self.backups[name] = (answer.json()["value"], list(self.live[name]))

    @rule(name=names)
    def restore(self, name: str) -> None:
        if name not in self.backups:
            return
        blob, values = self.backups[name]
        answer = self.emulated.vault("POST", "/secrets/restore", {"value": blob})
        if name in self.live or name in self.deleted:
            assert code(answer)[:2] == (409, "Conflict")
        else:
            assert answer.status_code == 200
            self.live[name] = list(values)

    @invariant()
    def lists_agree(self) -> None:
        for path, expected in (("/secrets", self.live), ("/deletedsecrets", self.deleted)):
            listed = self.emulated.vault("GET", path).json()["value"]
            assert {item["id"].rpartition("/")[2] for item in listed} == set(expected)


Lifecycle.TestCase.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)
TestLifecycle = Lifecycle.TestCase
