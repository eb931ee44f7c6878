"""Graph's registrations, as its documentation and recordings say."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from azcert.emulator.entra.directory import registered_keys
from azcert.emulator.graph.faults import GraphRefusal
from azcert.emulator.graph.odata import parse_filter
from azcert.emulator.ready_made import CLIENT_ID, OBJECT_ID, SERVICE_PRINCIPAL_ID
from support import replay
from support.graph import OTHER_PEM, PEM, Graph, key, proof, thumbprint

if TYPE_CHECKING:
    from pathlib import Path

APPS = "/v1.0/applications"
PRINCIPALS = "/v1.0/servicePrincipals"
NEWER = {
    "samlMetadataUrl",
    "servicePrincipalLockConfiguration",
    "requestSignatureVerification",
    "redirectUriSettings",
}


def create(graph: Graph, name: str = "made here", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = graph.ok("POST", APPS, {"displayName": name, **more})
    return made


def with_key(pem: bytes, **more: Any) -> dict[str, Any]:
    return {"type": "AsymmetricX509Cert", "usage": "Verify", "key": key(pem), **more}


# Applications and service principals


def test_an_application_is_found_by_object_id_client_id_and_name() -> None:
    graph = Graph()
    made = create(graph, "it's mine")
    for path in (
        f"{APPS}/{made['id']}",
        f"{APPS}(appId='{made['appId']}')",
    ):
        assert graph.ok("GET", path)["displayName"] == "it's mine"
    for text in (
        f"appId eq '{made['appId']}'",
        f"id eq '{made['id'].upper()}'",
        "displayName eq 'It''s mine'",
        "startswith(displayName,'it''s')",
        f"appId in ('{made['appId']}', 'x') and not (displayName eq 'y' or displayName eq null)",
    ):
        (found,) = graph.ok("GET", f"{APPS}?$filter={text}")["value"]
        assert found["id"] == made["id"]
    assert graph.refused("GET", f"{APPS}/{made['appId']}") == (404, "Request_ResourceNotFound")


def test_a_service_principal_is_made_once_and_lets_the_app_sign_in_under_its_id() -> None:
    graph = Graph()
    made = create(graph)
    principal = graph.ok("POST", PRINCIPALS, {"appId": made["appId"]})
    assert graph.ok("GET", f"{PRINCIPALS}(appId='{made['appId']}')")["id"] == principal["id"]
    assert graph.app(made["appId"])["servicePrincipalId"] == principal["id"]
    assert graph.refused("POST", PRINCIPALS, {"appId": made["appId"]})[0] == 409
    assert graph.refused("POST", PRINCIPALS, {"appId": SERVICE_PRINCIPAL_ID})[0] == 400


def test_the_seed_s_app_is_there_with_its_principal() -> None:
    graph = Graph()
    assert graph.ok("GET", f"{APPS}/{OBJECT_ID}")["appId"] == CLIENT_ID
    assert graph.ok("GET", f"{PRINCIPALS}/{SERVICE_PRINCIPAL_ID}")["appId"] == CLIENT_ID


def test_what_was_deleted_can_be_restored_until_it_is_purged() -> None:
    graph = Graph()
    made = create(graph)
    graph.ok("POST", PRINCIPALS, {"appId": made["appId"]})
    graph.ok("DELETE", f"{APPS}/{made['id']}")
    assert graph.refused("GET", f"{APPS}/{made['id']}")[0] == 404
    listed = graph.ok("GET", "/v1.0/directory/deletedItems/microsoft.graph.application")
    assert [each["id"] for each in listed["value"]] == [made["id"]]
    graph.ok("POST", f"/v1.0/directory/deletedItems/{made['id']}/restore")
    assert graph.ok("GET", f"{APPS}/{made['id']}")["appId"] == made["appId"]
    graph.ok("DELETE", f"{APPS}/{made['id']}")
    graph.ok("DELETE", f"/v1.0/directory/deletedItems/{made['id']}")
    assert graph.refused("POST", f"/v1.0/directory/deletedItems/{made['id']}/restore")[0] == 404


def test_lists_come_in_pages_of_the_size_asked() -> None:
    graph = Graph()
    for number in range(25):
        create(graph, f"app {number}")
    seen: list[str] = []
    url = (
        f"{APPS}?$top=10&$select=displayName,keyCredentials&$filter=startswith(displayName,'app')&$count=true"
    )
    sizes = []
    while url:
        page = graph.ok("GET", url)
        assert page["@odata.count"] == 25
        assert all(set(each) == {"displayName", "keyCredentials"} for each in page["value"])
        sizes.append(len(page["value"]))
        seen += [each["displayName"] for each in page["value"]]
        url = page.get("@odata.nextLink", "").removeprefix("https://graph.microsoft.com")
    assert sizes == [10, 10, 5]
    assert sorted(seen) == sorted(f"app {number}" for number in range(25))


@pytest.mark.parametrize(
    "query",
    [
        "$top=0",
        "$top=1000",
        "$top=x",
        "$orderby=displayName",
        "$filter=appId",
        "$filter=(a eq 'b'",
        "$filter=a ~ b",
    ],
)
def test_a_query_that_is_not_understood_is_refused(query: str) -> None:
    assert Graph().refused("GET", f"{APPS}?{query}")[0] == 400


@given(st.text(alphabet="ab'()/:, eqandornotinstartswith0", max_size=60))
@settings(max_examples=300, deadline=None)
def test_any_filter_is_understood_or_refused(text: str) -> None:
    try:
        condition = parse_filter(text)
    except GraphRefusal:
        return
    assert condition({"a": "b"}) in {True, False}


# Certificates by PATCH


def test_patch_replaces_all_certificates() -> None:
    graph = Graph()
    made = create(graph, keyCredentials=[with_key(PEM)])
    graph.ok("PATCH", f"{APPS}/{made['id']}", {"keyCredentials": [with_key(OTHER_PEM)]})
    (left,) = graph.ok("GET", f"{APPS}/{made['id']}")["keyCredentials"]
    assert left["customKeyIdentifier"] == thumbprint(OTHER_PEM)
    assert left["key"] is None


def test_the_bytes_are_shown_by_select_on_one_object_alone() -> None:
    graph = Graph()
    made = create(graph, keyCredentials=[with_key(PEM)])
    one = graph.ok("GET", f"{APPS}/{made['id']}?$select=id,keyCredentials")
    assert one["keyCredentials"][0]["key"] == key(PEM)
    assert set(one) == {"@odata.context", "id", "keyCredentials"}
    listed = graph.ok("GET", f"{APPS}?$select=keyCredentials&$filter=id eq '{made['id']}'")
    assert listed["value"][0]["keyCredentials"][0]["key"] is None


def test_an_entry_written_back_with_or_without_its_bytes_is_kept() -> None:
    graph = Graph()
    made = create(graph, keyCredentials=[with_key(PEM)])
    for path in (f"{APPS}/{made['id']}", f"{APPS}/{made['id']}?$select=keyCredentials"):
        kept = graph.ok("GET", path)["keyCredentials"]
        graph.ok("PATCH", f"{APPS}/{made['id']}", {"keyCredentials": kept})
    graph.ok("PATCH", f"{APPS}/{made['id']}", {"keyCredentials": [*kept, with_key(OTHER_PEM)]})
    keys = registered_keys(graph.world, graph.app(made["appId"]))
    assert [found.thumbprint for found in keys] == [thumbprint(PEM), thumbprint(OTHER_PEM)]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ("x", "keyCredentials"),
        ([with_key(PEM, key="AAAA")], "invalid certificate"),
        ([with_key(PEM, endDateTime="2999-01-01T00:00:00Z")], "end date"),
        ([with_key(PEM, type="Symmetric")], "not supported"),
        ([{"keyId": "88888888-0000-0000-0000-000000000001", "key": None}], "does not exist"),
        ([with_key(PEM, keyId=OBJECT_ID), with_key(OTHER_PEM, keyId=OBJECT_ID)], "keyCredentials"),
    ],
)
def test_certificates_that_are_not_acceptable_change_nothing(keys: Any, words: str) -> None:
    graph = Graph()
    made = create(graph, keyCredentials=[with_key(PEM)])
    answer = graph.send("PATCH", f"{APPS}/{made['id']}", {"keyCredentials": keys})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "Request_BadRequest")
    assert words in answer.json()["error"]["message"]
    assert len(graph.ok("GET", f"{APPS}/{made['id']}")["keyCredentials"]) == 1


def test_an_existing_certificate_is_not_changed() -> None:
    graph = Graph()
    made = create(graph, keyCredentials=[with_key(PEM)])
    changed = {**made["keyCredentials"][0], "endDateTime": "2026-12-24T00:00:00Z"}
    answer = graph.send("PATCH", f"{APPS}/{made['id']}", {"keyCredentials": [changed]})
    assert "is not allowed" in answer.json()["error"]["message"]


def test_a_new_certificate_takes_time_to_be_known() -> None:
    graph = Graph()
    graph.world.delays.propagation = 30
    made = create(graph, keyCredentials=[with_key(PEM)])
    assert registered_keys(graph.world, graph.app(made["appId"])) == []
    graph.world.clock.advance(31)
    assert len(registered_keys(graph.world, graph.app(made["appId"]))) == 1


@pytest.mark.parametrize(
    "body",
    [
        {"nosuch": 1},
        {"appId": CLIENT_ID},
        {"tags": "x"},
        {"passwordCredentials": [{"secretText": "mine"}]},
    ],
)
def test_members_that_cannot_be_set_are_refused(body: dict[str, Any]) -> None:
    graph = Graph()
    made = create(graph)
    assert graph.refused("PATCH", f"{APPS}/{made['id']}", body) == (400, "Request_BadRequest")


# The app's own keys


def rolling() -> tuple[Graph, dict[str, Any]]:
    graph = Graph()
    made = create(graph, keyCredentials=[with_key(PEM)])
    graph.ok("POST", PRINCIPALS, {"appId": made["appId"]})
    return graph, made


def test_an_app_rolls_its_own_keys_without_any_permission() -> None:
    graph, made = rolling()
    path, now = f"{APPS}/{made['id']}", graph.world.clock.now()
    assert graph.refused("GET", path, caller=made["appId"])[0] == 403
    body = {
        "keyCredential": with_key(OTHER_PEM),
        "passwordCredential": None,
        "proof": proof(PEM, made["id"], now),
    }
    added = graph.ok("POST", f"{path}/addKey", body, caller=made["appId"])
    assert added["customKeyIdentifier"] == thumbprint(OTHER_PEM)
    old = made["keyCredentials"][0]["keyId"]
    body = {"keyId": old, "proof": proof(OTHER_PEM, made["id"], now)}
    graph.ok("POST", f"{path}/removeKey", body, caller=made["appId"])
    (left,) = graph.ok("GET", path)["keyCredentials"]
    assert left["keyId"] == added["keyId"]
    assert graph.refused("POST", f"{path}/removeKey", body, caller=made["appId"])[0] == 400


def test_another_app_does_not_roll_them() -> None:
    graph, made = rolling()
    graph.permit("Application.Read.All")
    body = {"keyCredential": with_key(OTHER_PEM), "proof": proof(PEM, made["id"], graph.world.clock.now())}
    assert graph.refused("POST", f"{APPS}/{made['id']}/addKey", body) == (403, "Authorization_RequestDenied")


def test_a_proof_that_does_not_hold_is_refused() -> None:
    graph, made = rolling()
    now, object_id = graph.world.clock.now(), made["id"]
    wrong = {
        "no proof": None,
        "not a JWT": "abc",
        "padding": proof(PEM, object_id, now) + "=",
        "stranger": proof(OTHER_PEM, object_id, now),
        "audience": proof(PEM, object_id, now, aud="https://graph.microsoft.com"),
        "client id as issuer": proof(PEM, made["appId"], now),
        "too long": proof(PEM, object_id, now, exp=int(now) + 700),
        "old": proof(PEM, object_id, now - 2000),
        "future": proof(PEM, object_id, now + 2000),
        "no times": proof(PEM, object_id, now, nbf="x"),
    }
    for name, text in wrong.items():
        body = {"keyCredential": with_key(OTHER_PEM), "proof": text}
        refused = graph.refused("POST", f"{APPS}/{object_id}/addKey", body)
        assert refused == (401, "Authentication_MissingOrMalformed"), name


# Passwords


def test_a_password_is_shown_once_and_removed_by_its_id() -> None:
    graph = Graph()
    made = create(graph)
    added = graph.ok("POST", f"{APPS}/{made['id']}/addPassword", {"passwordCredential": {"displayName": "p"}})
    assert added["secretText"].startswith(added["hint"])
    (shown,) = graph.ok("GET", f"{APPS}/{made['id']}")["passwordCredentials"]
    assert shown["secretText"] is None
    graph.ok("POST", f"{APPS}/{made['id']}/removePassword", {"keyId": added["keyId"]})
    assert graph.ok("GET", f"{APPS}/{made['id']}")["passwordCredentials"] == []
    assert graph.refused("POST", f"{APPS}/{made['id']}/removePassword", {"keyId": added["keyId"]})[0] == 400


# Permissions


def test_permissions_decide() -> None:
    graph = Graph()
    made = create(graph)
    other = graph.ok("GET", f"{APPS}/{OBJECT_ID}")
    graph.permit("Application.ReadWrite.OwnedBy")
    graph.ok("PATCH", f"{APPS}/{made['id']}", {"tags": ["mine"]})
    assert graph.refused("PATCH", f"{APPS}/{other['id']}", {"tags": []})[0] == 403
    graph.permit("Application.Read.All")
    graph.ok("GET", f"{APPS}/{made['id']}")
    assert graph.refused("PATCH", f"{APPS}/{made['id']}", {})[0] == 403
    assert graph.refused("POST", APPS, {"displayName": "x"})[0] == 403
    graph.permit("User.Read")
    assert graph.refused("GET", APPS) == (403, "Authorization_RequestDenied")
    graph.permit("Application.Read.All")
    owners = graph.ok("GET", f"{APPS}/{made['id']}/owners")["value"]
    assert [owner["id"] for owner in owners] == [SERVICE_PRINCIPAL_ID]


def test_a_token_for_another_service_is_refused() -> None:
    graph = Graph()
    for value in ("", "Bearer x", f"Bearer {graph.token('vault.azure.net')}"):
        assert graph.refused("GET", APPS, Authorization=value) == (401, "InvalidAuthenticationToken")


def test_unknown_paths_and_methods_and_bodies_are_refused() -> None:
    graph = Graph()
    assert graph.refused("GET", "/v1.0/users")[0] == 404
    assert graph.refused("PUT", APPS)[0] == 405
    assert graph.refused("POST", APPS, [])[0] == 400


# Recordings

FILES = replay.recordings("graph")


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_answers_as_the_real_service_did(path: Path) -> None:
    exchanges = json.loads(path.read_text(encoding="utf-8"))["exchanges"]
    graph = Graph("User.Read" if "denied" in path.stem else "Application.ReadWrite.All")
    graph.world.documents.put(
        "tenant", graph.app(CLIENT_ID)["tenant"], {"domains": ["AzureSDKTeam.onmicrosoft.com"]}
    )
    graph.world.clock.set(1651906586.0 if "2022" in json.dumps(exchanges[0]["response"]) else 1676361300.0)
    learned: dict[str, str] = {}
    pems = [PEM, OTHER_PEM]
    for exchange in exchanges:
        request, expected = exchange["request"], exchange["response"]
        text = json.dumps(request["body"])
        for theirs, ours in learned.items():
            text = text.replace(theirs, ours)
            request["path"] = request["path"].replace(theirs, ours)
        body = json.loads(text)
        for entry in (body or {}).get("keyCredentials", ()):
            entry["key"] = key(pems[0])
            pems.reverse()
        answer = graph.send(request["method"], request["path"], body)
        assert answer.status_code == expected["status"], answer.text
        for name, value in expected["headers"].items():
            assert name in answer.headers
            if name in {"Content-Type", "odata-version"}:
                assert answer.headers[name] == value
        if expected["body"] is None:
            assert not answer.content
        else:
            compare(expected["body"], answer.json(), "", learned)


def compare(theirs: Any, ours: Any, where: str, learned: dict[str, str]) -> None:
    """Compare members and values; ids are learned, members younger than the recording are let be."""
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), where
        assert set(theirs) - set(ours) == set(), where
        assert set(ours) - set(theirs) <= NEWER, where
        for name, value in theirs.items():
            compare(value, ours[name], f"{where}.{name}", learned)
    elif isinstance(theirs, list):
        assert len(theirs) == len(ours), f"{where}: {ours}"
        for their, our in zip(theirs, ours, strict=True):
            compare(their, our, where, learned)
    elif isinstance(theirs, str) and theirs != ours:
        assert isinstance(ours, str), where
        name = where.rpartition(".")[2]
        if re.fullmatch(r"[0-9a-f-]{36}", theirs):
            assert learned.setdefault(theirs, ours) == ours, where
        elif name in {"createdDateTime", "date"}:
            # To the form: a fraction, of up to seven digits, where there was one.
            shape = re.sub(r"\.\d+", ".#", theirs)
            assert re.sub(r"\d", "0", shape) == re.sub(r"\d", "0", re.sub(r"\.\d+", ".#", ours)), where
        elif name == "message":
            for known, value in learned.items():
                theirs = theirs.replace(known, value)
            assert theirs == ours
        else:
            assert name in {"customKeyIdentifier", "hint", "secretText", "displayName"}, f"{where}: {ours}"
            assert name != "customKeyIdentifier" or re.fullmatch(r"[0-9A-F]{40}", ours)
    else:
        assert theirs == ours, where


# Batches


def batched(graph: Graph, *requests: dict[str, Any]) -> dict[str, dict[str, Any]]:
    answer = graph.ok("POST", "/v1.0/$batch", {"requests": list(requests)})
    return {each["id"]: each for each in answer["responses"]}


def asking(name: str, url: str, method: str = "GET", **more: Any) -> dict[str, Any]:
    return {"id": name, "method": method, "url": url, **more}


JSON_BODY = {"headers": {"Content-Type": "application/json"}}


def test_a_batch_is_answered_request_by_request() -> None:
    graph = Graph()
    graph.ok("PATCH", f"{APPS}/{OBJECT_ID}", {"keyCredentials": [with_key(PEM)]})
    found = batched(
        graph,
        asking("keys", f"/applications/{OBJECT_ID}?$select=id,keyCredentials"),
        asking("gone", "applications/00000000-0000-0000-0000-000000000001"),
        asking("made", "/applications", "POST", body={"displayName": "by a batch"}, **JSON_BODY),
        asking("then", "/applications?$filter=displayName eq 'by a batch'", dependsOn=["made"]),
        asking("never", "/applications", dependsOn=["gone"]),
    )
    assert {name: each["status"] for name, each in found.items()} == {
        "keys": 200,
        "gone": 404,
        "made": 201,
        "then": 200,
        "never": 424,
    }
    assert found["keys"]["body"]["keyCredentials"][0]["key"] == key(PEM)
    assert found["gone"]["body"]["error"]["code"] == "Request_ResourceNotFound"
    assert len(found["then"]["body"]["value"]) == 1
    paths = [each["path"] for each in graph.world.requests if each.get("batch")]
    assert len(paths) == 4, "the one that depends on a failure was not asked"


def test_a_request_of_a_batch_is_throttled_by_itself() -> None:
    graph = Graph()
    graph.world.faults.add("answer", path="/v1.0/applications/*", status=429, headers={"Retry-After": "3"})
    found = batched(graph, *(asking(name, f"/applications/{OBJECT_ID}") for name in "ab"))
    assert (found["a"]["status"], found["b"]["status"]) == (429, 200)
    assert {name.lower(): value for name, value in found["a"]["headers"].items()}["retry-after"] == "3"


@pytest.mark.parametrize(
    "requests",
    [
        [],
        [asking("a", "/applications")] * 2,
        [asking(str(number), "/applications") for number in range(21)],
        [asking("a", "/applications", "POST", body={"displayName": "no content type"})],
        [asking("a", "/applications", dependsOn=["a"])],
        [asking("a", "/applications", dependsOn=["nobody"])],
        [{"id": "a", "url": "/applications"}],
        [asking("a", "/$batch", "POST", body={"requests": []}, **JSON_BODY)],
        ["/applications"],
    ],
)
def test_what_is_no_batch_is_refused(requests: list[Any]) -> None:
    assert Graph().refused("POST", "/v1.0/$batch", {"requests": requests}) == (400, "BadRequest")
