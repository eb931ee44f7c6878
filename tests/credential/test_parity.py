"""One script for both credentials: what they send is compared byte by byte, what they raise word by word."""

from __future__ import annotations

import base64
import hashlib
import inspect
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from azcert import CertificateCredential
from azcert.aio import CertificateCredential as AsyncCredential
from azcert.errors import AuthenticationError
from support.shells import BOTH, Face, Script, Stand, run_async
from support.token_endpoint import CLIENT, SCOPE, TENANT, Answer, Seen, error

GRAPH = "https://graph.microsoft.com/.default"
Runner = Callable[..., Any]


def header_and_claims(seen: Seen) -> tuple[dict[str, Any], dict[str, Any]]:
    parts = seen.form["client_assertion"].split(".")
    header, claims = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in parts[:2])
    return header, claims


def comparable(seen: Seen) -> dict[str, Any]:
    """Everything a request says, except what differs between any two: ids, times, signatures, host, order."""
    header, claims = header_and_claims(seen)
    own = {"host", "client-request-id", "x-ms-client-request-id", "content-length", "connection"}
    return {
        "method": seen.method,
        "path": seen.path,
        "headers": {name: value for name, value in seen.headers.items() if name not in own},
        "form": {name: value for name, value in seen.form.items() if name != "client_assertion"},
        "header": header,
        "claims": {name: value for name, value in claims.items() if name not in {"jti", "iat", "nbf", "exp"}},
    }


async def several(credential: Face) -> None:
    await credential.get_token(SCOPE)
    await credential.get_token(SCOPE)
    await credential.get_token_info(SCOPE, options={"enable_cae": True})
    await credential.get_token(GRAPH, SCOPE)
    await credential.get_token(GRAPH, tenant_id="contoso.onmicrosoft.com")
    await credential.get_token(SCOPE, claims='{"access_token":{"nbf":{"essential":true}}}', enable_cae=True)


@pytest.mark.parametrize(
    "arguments", [{}, {"send_certificate_chain": True}, {"headers": {"x-team": "orders"}}]
)
def test_both_credentials_send_the_same(stand: Stand, arguments: dict[str, Any]) -> None:
    said = []
    for run in BOTH:
        stand.endpoint.seen.clear()
        run(stand, several, additionally_allowed_tenants=["*"], **arguments)
        said.append([comparable(seen) for seen in stand.endpoint.seen])
    assert said[0] == said[1]
    assert len(said[0]) == 5


@pytest.mark.parametrize("run", BOTH)
def test_the_request_names_the_certificate_and_sends_the_chain_on_request(stand: Stand, run: Runner) -> None:
    run(stand, several, additionally_allowed_tenants=["*"], send_certificate_chain=True)
    certificates = x509.load_pem_x509_certificates(stand.certificate.read_bytes())
    leaf = next(one for one in certificates if one.subject.rfc4514_string() == "CN=app")
    der = leaf.public_bytes(Encoding.DER)
    seen = stand.endpoint.seen[0]
    header, claims = header_and_claims(seen)
    assert header["alg"] == "PS256"
    assert header["x5t#S256"] == base64.urlsafe_b64encode(hashlib.sha256(der).digest()).decode().rstrip("=")
    assert base64.b64decode(header["x5c"][0]) == der
    assert len(header["x5c"]) == 2
    assert claims["aud"] == f"{stand.endpoint.authority}/{TENANT}/oauth2/v2.0/token"
    assert claims["iss"] == claims["sub"] == CLIENT
    assert claims["exp"] - claims["nbf"] == 600
    assert {type(claims[name]) for name in ("exp", "nbf", "iat")} == {int}
    assert json.loads(stand.endpoint.seen[1].form["claims"]) == {
        "access_token": {"xms_cc": {"values": ["CP1"]}}
    }


@pytest.mark.parametrize("run", BOTH)
def test_adfs_gets_rs256_sha1_and_its_own_endpoint(stand: Stand, run: Runner) -> None:
    async def script(credential: Face) -> None:
        await credential.get_token("api://orders/.default")
        await credential.get_token("api://bills/.default")

    run(stand, script, tenant="adfs")
    first, second = stand.endpoint.seen
    header, claims = header_and_claims(first)
    assert first.path == "/adfs/oauth2/token"
    assert claims["aud"] == f"{stand.endpoint.authority}/adfs/oauth2/token"
    assert header["alg"] == "RS256"
    assert "x5t" in header
    assert claims["jti"] != header_and_claims(second)[1]["jti"], "AD FS may detect replays"


def outcome(run: Runner, stand: Stand, script: Script, **arguments: Any) -> Any:
    try:
        return run(stand, script, **arguments)
    except Exception as caught:  # noqa: BLE001  (whatever it is, it is compared)
        return type(caught), str(caught), getattr(caught, "as_dict", dict)()


async def once(credential: Face) -> Any:
    return (await credential.get_token(SCOPE)).token


@pytest.mark.parametrize(
    "answers",
    [
        [error(700016, "Application not found.", error="unauthorized_client", status=400)],
        [error(700027, "[Reason - The key was not found.]")],
        [Answer(200, b"{}")] * 9,
        [Answer(403, b"<html>", {"Content-Type": "text/html"})],
        [Answer(429, headers={"Retry-After": "100000"})],
        [Answer(503)] * 9,
        [Answer(broken="reset")] * 9,
        [Answer(200, {"access_token": "x" * 5000, "expires_in": 10}, broken="half")] * 9,
        [Answer(503), Answer(broken="reset"), Answer(429, headers={"Retry-After": "0"})],
        [Answer(500), Answer(200, {"access_token": "late", "expires_in": 60})],
    ],
    ids=lambda answers: "+".join(f"{one.broken or one.status}" for one in answers[:3]),
)
def test_both_credentials_end_alike(stand: Stand, answers: list[Answer]) -> None:
    ends, tries = [], []
    for run in BOTH:
        stand.endpoint.seen.clear()
        stand.endpoint.script.clear()
        stand.endpoint.script.extend(
            Answer(one.status, one.body, dict(one.headers), broken=one.broken) for one in answers
        )
        ends.append(outcome(run, stand, once))
        tries.append(len(stand.endpoint.seen))
    assert tries[0] == tries[1]
    assert _settled(ends[0]) == _settled(ends[1])


def _settled(end: Any) -> Any:
    if isinstance(end, str):
        # The endpoint numbers its tokens.
        return end.partition(".")[2]
    kind, text, facts = end
    ids = {"correlation_id", "retry_at", "message"}
    # Transports have their own words for a broken connection, and times differ.
    return kind, text.partition("): ")[0], {name: value for name, value in facts.items() if name not in ids}


@pytest.mark.parametrize("run", BOTH)
def test_an_unreachable_endpoint_is_a_client_authentication_error_that_says_what_was_tried(
    stand: Stand, run: Runner
) -> None:
    stand.endpoint.always = Answer(503)
    with pytest.raises(
        AuthenticationError, match=r"tried 4 times\).*HTTP 503.*tried again from .* UTC on"
    ) as caught:
        run(stand, once)
    assert caught.value.code == "endpoint-unavailable"
    assert caught.value.details["tries"] == 4
    assert len(stand.endpoint.seen) == 4


@pytest.mark.parametrize("run", BOTH)
def test_a_name_that_is_not_resolved_is_tried_again_and_told(stand: Stand, run: Runner) -> None:
    with pytest.raises(
        AuthenticationError, match=r"tried 4 times\): The name no-such-host.invalid could not be resolved"
    ) as caught:
        run(stand, once, authority="https://no-such-host.invalid")
    assert caught.value.code == "endpoint-unavailable"


@pytest.mark.parametrize("run", BOTH)
def test_an_untrusted_tls_certificate_is_not_tried_again(stand: Stand, run: Runner) -> None:
    with pytest.raises(AuthenticationError, match=r"tried once.*could not be verified") as caught:
        run(stand, once, connection_verify=None)
    assert caught.value.code == "tls-untrusted"
    assert stand.endpoint.seen == []


@pytest.mark.parametrize("run", BOTH)
def test_tokens_do_not_show_in_their_repr_but_are_azure_cores_types(stand: Stand, run: Runner) -> None:
    from azure.core.credentials import AccessToken, AccessTokenInfo

    async def script(credential: Face) -> tuple[Any, Any]:
        return await credential.get_token(SCOPE), await credential.get_token_info(SCOPE)

    token, info = run(stand, script)
    assert isinstance(token, AccessToken)
    assert isinstance(info, AccessTokenInfo)
    text, expires_on = token
    assert text == info.token
    assert text.startswith("token-1")
    for shown in (repr(token), str(token), f"{token}", repr(info), str(info)):
        assert text not in shown
        assert str(expires_on) in shown
    assert info.token_type == "Bearer"
    assert info.refresh_on is not None
    assert info.refresh_on < info.expires_on


def test_both_classes_take_the_same_arguments() -> None:
    for name in ("__init__", "get_token", "get_token_info"):
        mine, other = (
            inspect.signature(getattr(kind, name)) for kind in (CertificateCredential, AsyncCredential)
        )
        assert mine == other


def test_the_async_runner_uses_the_async_credential(stand: Stand) -> None:
    async def script(credential: Face) -> str:
        return type(credential).__module__

    assert run_async(stand, script) == "azcert.credential.async_"
