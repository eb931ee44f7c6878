"""The token endpoint apart from assertions: parameters, tenants, apps, secrets, scopes, and the token."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.emulated import ASSERTION_TYPE, CLIENT, DOMAIN, LOGIN, PRINCIPAL, SECRET, TENANT, Emulated

if TYPE_CHECKING:
    from httpx2 import Response

VAULT_SCOPE = "https://vault.azure.net/.default"
GRAPH_SCOPE = "https://graph.microsoft.com/.default"
CAPABLE = json.dumps({"access_token": {"xms_cc": {"values": ["CP1"]}}})


@pytest.fixture
def emulated() -> Emulated:
    return Emulated()


def code(answer: Response) -> tuple[int, str, int]:
    body = answer.json()
    return answer.status_code, body["error"], body["error_codes"][0]


def claims(emulated: Emulated, token: str) -> dict[str, Any]:
    """Verify a token with the published keys, as a service does."""
    keys = emulated.send("GET", LOGIN, f"/{TENANT}/discovery/v2.0/keys").json()["keys"]
    key = next(key for key in keys if key["kid"] == jwt.get_unverified_header(token)["kid"])
    options: Any = {"verify_aud": False}
    found: dict[str, Any] = jwt.decode(token, jwt.PyJWK(key), ["RS256"], options)
    return found


def test_an_app_gets_exactly_four_members_and_a_token_that_names_it(emulated: Emulated) -> None:
    answer = emulated.token_request(client_info="1")
    assert list(answer.json()) == ["token_type", "expires_in", "ext_expires_in", "access_token"]
    assert (answer.json()["token_type"], answer.json()["expires_in"]) == ("Bearer", 3599)
    token = answer.json()["access_token"]
    header = jwt.get_unverified_header(token)
    assert header["x5t"] == header["kid"]
    found = claims(emulated, token)
    assert found["exp"] - found["iat"] == 3900
    assert found["nbf"] == found["iat"]
    expected = {
        "aud": "https://vault.azure.net",
        "iss": f"https://sts.windows.net/{TENANT}/",
        "appid": CLIENT,
        "appidacr": "2",
        "idp": f"https://sts.windows.net/{TENANT}/",
        "idtyp": "app",
        "oid": PRINCIPAL,
        "sub": PRINCIPAL,
        "tid": TENANT,
        "ver": "1.0",
    }
    assert {name: found[name] for name in expected} == expected
    assert not {"scp", "azp", "xms_cc", "roles"} & set(found)


def test_a_secret_is_told_apart_from_a_certificate_in_the_token(emulated: Emulated) -> None:
    token = emulated.token_request(client_secret=SECRET).json()["access_token"]
    assert claims(emulated, token)["appidacr"] == "1"


def test_an_api_of_ones_own_may_ask_for_v2_tokens(emulated: Emulated) -> None:
    emulated.save_app(identifierUris=["api://orders"], api={"requestedAccessTokenVersion": 2})
    token = emulated.token_request(scope="api://orders/.default").json()["access_token"]
    found = claims(emulated, token)
    assert (found["aud"], found["azp"], found["ver"]) == (CLIENT, CLIENT, "2.0")
    assert found["iss"] == f"https://{LOGIN}/{TENANT}/v2.0"
    assert "x5t" not in jwt.get_unverified_header(token)


def test_a_client_that_understands_claims_challenges_is_marked_and_graphs_token_lives_a_day(
    emulated: Emulated,
) -> None:
    vault = emulated.token_request(claims=CAPABLE).json()
    assert vault["expires_in"] == 3599
    assert claims(emulated, vault["access_token"])["xms_cc"] == ["cp1"]
    graph = emulated.token_request(claims=CAPABLE, scope=GRAPH_SCOPE).json()
    assert (graph["expires_in"], graph["refresh_in"]) == (86399, 43199)
    assert "refresh_in" not in emulated.token_request(scope=GRAPH_SCOPE).json()


def test_the_lifetime_can_be_set(emulated: Emulated) -> None:
    emulated.world.token_lifetime = 7
    assert emulated.token_request(claims=CAPABLE, scope=GRAPH_SCOPE).json()["expires_in"] == 7


def test_the_v1_endpoint_takes_a_resource_and_answers_numbers_as_strings(emulated: Emulated) -> None:
    answer = emulated.token_request(v1=True, scope=None, resource="https://vault.azure.net").json()
    assert answer["expires_in"] == "3599"
    assert int(answer["expires_on"]) - int(answer["not_before"]) == 3900
    assert answer["resource"] == "https://vault.azure.net"


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        ({"grant_type": None}, (400, "invalid_request", 900144)),
        ({"client_id": None}, (400, "invalid_request", 900144)),
        ({"scope": None}, (400, "invalid_request", 900144)),
        ({"client_assertion_type": None}, (400, "invalid_request", 900144)),
        ({"client_assertion_type": "urn:ietf:params:oauth:saml2"}, (400, "invalid_request", 9002313)),
        ({"grant_type": "password"}, (400, "unsupported_grant_type", 70003)),
        ({"resource": "https://vault.azure.net"}, (400, "invalid_request", 901002)),
        ({"scope": "https://vault.azure.net"}, (400, "invalid_scope", 1002012)),
        ({"scope": "https://vault.azure.net/user_impersonation"}, (400, "invalid_scope", 1002012)),
        ({"scope": f"{VAULT_SCOPE} {GRAPH_SCOPE}"}, (400, "invalid_scope", 70011)),
        ({"scope": "openid profile"}, (400, "invalid_scope", 70011)),
        ({"scope": "https://nothing.contoso.com/.default"}, (400, "invalid_resource", 500011)),
        ({"client_id": "01234567-89ab-4cde-8f01-23456789abcd"}, (400, "unauthorized_client", 700016)),
        ({"client_assertion": None}, (401, "invalid_client", 7000216)),
        ({"client_assertion": None, "client_secret": "wrong"}, (401, "invalid_client", 7000215)),
        ({"client_assertion": "one.two"}, (400, "invalid_request", 50027)),
        ({"client_assertion": "a.b.c"}, (400, "invalid_request", 50027)),
        ({"claims": "{"}, (400, "invalid_request", 50027)),
        ({"claims": '{"access_token":{"nbf":{"value":"soon"}}}'}, (400, "invalid_request", 50027)),
    ],
)
def test_refuses_what_is_missing_or_wrong(
    emulated: Emulated, form: dict[str, Any], expected: tuple[int, str, int]
) -> None:
    assert code(emulated.token_request(**form)) == expected


@pytest.mark.parametrize(
    ("tenant", "number"),
    [
        ("common", 9001023),
        ("organizations", 9001023),
        ("01234567-89ab-4cde-8f01-23456789abcd", 90002),
        ("nowhere.onmicrosoft.com", 90002),
        ("00000000-0000-0000-0000-000000000000", 900021),
        ("{tenant}", 900023),
    ],
)
def test_refuses_tenants_that_are_none(emulated: Emulated, tenant: str, number: int) -> None:
    assert code(emulated.token_request(tenant=tenant)) == (400, "invalid_request", number)


def test_openid_scopes_beside_the_resource_are_ignored(emulated: Emulated) -> None:
    scope = f"openid profile offline_access {VAULT_SCOPE}"
    assert len(emulated.token_request(scope=scope).json()) == 4


def test_a_doubled_slash_stays_in_the_audience(emulated: Emulated) -> None:
    token = emulated.token_request(scope="https://vault.azure.net//.default").json()["access_token"]
    assert claims(emulated, token)["aud"] == "https://vault.azure.net/"


def test_a_disabled_and_a_public_app_are_refused(emulated: Emulated) -> None:
    emulated.save_app(accountEnabled=False)
    assert code(emulated.token_request()) == (400, "unauthorized_client", 7000112)
    emulated.save_app(accountEnabled=True, isFallbackPublicClient=True)
    assert code(emulated.token_request()) == (401, "invalid_client", 700025)


def test_an_app_without_service_principal_is_missing_it(emulated: Emulated) -> None:
    emulated.save_app(servicePrincipalId=None)
    assert code(emulated.token_request()) == (401, "invalid_client", 7000229)


def test_the_service_principals_own_credentials_sign_in_too(emulated: Emulated) -> None:
    principal = {"passwordCredentials": [{"secretText": "of the principal"}]}
    emulated.save_app(servicePrincipal={**principal, "keyCredentials": emulated.app["keyCredentials"]})
    emulated.save_app(keyCredentials=[], passwordCredentials=[])
    assert emulated.token_request().status_code == 200
    assert emulated.token_request(client_secret="of the principal").status_code == 200


def test_secrets_expire(emulated: Emulated) -> None:
    emulated.save_app(passwordCredentials=[{"secretText": SECRET, "endDateTime": "2020-01-01T00:00:00Z"}])
    assert code(emulated.token_request(client_secret=SECRET)) == (401, "invalid_client", 7000222)
    kept = [{"secretText": SECRET, "endDateTime": "2020-01-01T00:00:00Z"}, {"secretText": "newer"}]
    emulated.save_app(passwordCredentials=kept)
    assert code(emulated.token_request(client_secret=SECRET))[2] == 7000215
    assert emulated.token_request(client_secret="newer").status_code == 200


def test_a_secret_may_come_by_http_basic(emulated: Emulated) -> None:
    basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
    form = {"grant_type": "client_credentials", "scope": VAULT_SCOPE}
    headers = {"Authorization": f"Basic {basic}"}
    path = f"/{TENANT}/oauth2/v2.0/token"
    assert emulated.send("POST", LOGIN, path, data=form, headers=headers).status_code == 200
    headers = {"Authorization": "Basic %%%"}
    assert code(emulated.send("POST", LOGIN, path, data=form, headers=headers))[2] == 9002313


def test_only_post_is_taken(emulated: Emulated) -> None:
    assert code(emulated.send("GET", LOGIN, f"/{TENANT}/oauth2/v2.0/token"))[2] == 900561


def test_a_repeated_parameter_is_malformed(emulated: Emulated) -> None:
    body = b"grant_type=client_credentials&grant_type=client_credentials"
    assert code(emulated.send("POST", LOGIN, f"/{TENANT}/oauth2/v2.0/token", content=body))[2] == 9002313


def test_adfs_has_an_endpoint_of_its_own(emulated: Emulated) -> None:
    known = emulated.send("GET", LOGIN, "/adfs/.well-known/openid-configuration").json()
    assert known["token_endpoint"] == f"https://{LOGIN}/adfs/oauth2/token"
    form = {
        "client_id": CLIENT,
        "grant_type": "client_credentials",
        "resource": "https://vault.azure.net",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": emulated.assertion(aud=known["token_endpoint"]),
    }
    assert emulated.send("POST", LOGIN, "/adfs/oauth2/token", data=form).status_code == 200
    form["client_assertion"] = emulated.assertion()
    assert code(emulated.send("POST", LOGIN, "/adfs/oauth2/token", data=form))[2] == 700023


# Discovery


def test_instance_discovery_knows_the_clouds_and_no_other_host(emulated: Emulated) -> None:
    path = "/common/discovery/instance?api-version=1.1&authorization_endpoint="
    good = emulated.send("GET", LOGIN, f"{path}https://login.chinacloudapi.cn/anything/oauth2/v2.0/authorize")
    assert len(good.json()["metadata"]) == 5
    bad = emulated.send("GET", LOGIN, f"{path}https://login.contoso.com/x/oauth2/v2.0/authorize")
    assert code(bad) == (400, "invalid_instance", 50049)
    missing = emulated.send("GET", LOGIN, "/common/discovery/instance?api-version=1.1")
    assert code(missing)[2] == 900144
    assert bad.headers["cache-control"] == "private"


@pytest.mark.parametrize("name", [TENANT, DOMAIN, TENANT.upper()])
def test_a_tenants_configuration_is_found_by_id_and_domain(emulated: Emulated, name: str) -> None:
    found = emulated.send("GET", LOGIN, f"/{name}/v2.0/.well-known/openid-configuration").json()
    assert found["issuer"] == f"https://{LOGIN}/{TENANT}/v2.0"
    v1 = emulated.send("GET", LOGIN, f"/{name}/.well-known/openid-configuration").json()
    assert v1["issuer"] == f"https://sts.windows.net/{TENANT}/"
    assert v1["token_endpoint"] == f"https://{LOGIN}/{TENANT}/oauth2/token"


def test_each_cloud_names_its_own_hosts(emulated: Emulated) -> None:
    path = f"/{TENANT}/v2.0/.well-known/openid-configuration"
    found = emulated.send("GET", "login.microsoftonline.us", path).json()
    assert found["token_endpoint"].startswith("https://login.microsoftonline.us/")
    assert found["msgraph_host"] == "graph.microsoft.us"


def test_the_shared_endpoints_leave_the_tenant_open(emulated: Emulated) -> None:
    found = emulated.send("GET", LOGIN, "/common/v2.0/.well-known/openid-configuration").json()
    assert found["issuer"] == f"https://{LOGIN}/{{tenantid}}/v2.0"


def test_an_unknown_path_is_answered_in_json(emulated: Emulated) -> None:
    assert emulated.send("GET", LOGIN, "/favicon.ico").json()["error"] == "not_found"


# Anything at all

SHARED = Emulated()
FIELDS = [
    "client_id",
    "grant_type",
    "scope",
    "client_assertion",
    "client_assertion_type",
    "client_secret",
    "claims",
]
GOOD = {
    "client_id": CLIENT,
    "grant_type": "client_credentials",
    "scope": VAULT_SCOPE,
    "client_assertion_type": ASSERTION_TYPE,
}


def well_formed(answer: Response) -> bool:
    body = answer.json()
    return answer.status_code in {400, 401} and body["error"] != "" and body["error_codes"][0] > 0


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_get_a_well_formed_refusal(body: bytes) -> None:
    assert well_formed(SHARED.send("POST", LOGIN, f"/{TENANT}/oauth2/v2.0/token", content=body))


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(FIELDS), st.text(max_size=60)))
def test_any_parameters_get_a_well_formed_refusal(form: dict[str, str]) -> None:
    body = {"client_assertion": "a.b.c", **GOOD, **form}
    assert well_formed(SHARED.send("POST", LOGIN, f"/{TENANT}/oauth2/v2.0/token", data=body))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
HEADER_NAMES = st.sampled_from(["alg", "typ", "x5t", "x5t#S256", "x5c", "kid", "crit"])
CLAIM_NAMES = st.sampled_from(["aud", "iss", "sub", "nbf", "exp", "iat", "jti"])


@settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(HEADER_NAMES, JSON, max_size=5),
    st.dictionaries(CLAIM_NAMES, JSON, max_size=6),
    st.booleans(),
)
def test_any_assertion_gets_a_well_formed_refusal(
    header: dict[str, Any], changed: dict[str, Any], honest: bool
) -> None:
    base = json.loads(base64.urlsafe_b64decode(SHARED.assertion().split(".")[1] + "=="))
    head = {"alg": "PS256", **header} if honest else header
    parts = [head, {**base, **changed}]
    segments = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    assert well_formed(SHARED.token_request(client_assertion=".".join([*segments, "AAAA"])))


@settings(max_examples=100, deadline=None)
@given(
    st.text(max_size=60), st.sampled_from(["/oauth2/v2.0/token", "/v2.0/.well-known/openid-configuration"])
)
def test_any_tenant_gets_a_well_formed_answer(tenant: str, path: str) -> None:
    from urllib.parse import quote

    answer = SHARED.send("POST" if "token" in path else "GET", LOGIN, f"/{quote(tenant, safe='')}{path}")
    assert answer.status_code in {200, 400, 404, 405}
