"""It takes the place of azure-identity's class of the same name: arguments, protocols, errors, keywords."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import SupportsTokenInfo, TokenCredential
from azure.core.credentials_async import AsyncSupportsTokenInfo, AsyncTokenCredential
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import CertificateCredential as Official
from azure.identity.aio import CertificateCredential as AsyncOfficial

from azcert import CertificateCredential
from azcert.aio import CertificateCredential as AsyncCredential
from azcert.errors import AuthenticationError, AzcertError, ConfigurationError
from azcert.wire.keywords import KEYWORDS
from support.shells import BOTH, Face, run_sync
from support.token_endpoint import CLIENT, SCOPE, TENANT, Answer, make_certificate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.shells import Stand

Runner = Any


async def once(credential: Face) -> str:
    return str((await credential.get_token(SCOPE)).token)


def test_both_are_credentials_by_azure_cores_protocols(stand: Stand) -> None:
    assert isinstance(stand.sync(), TokenCredential)
    assert isinstance(stand.sync(), SupportsTokenInfo)
    assert isinstance(stand.aio(), AsyncTokenCredential)
    assert isinstance(stand.aio(), AsyncSupportsTokenInfo)


@pytest.mark.parametrize(
    ("mine", "theirs"), [(CertificateCredential, Official), (AsyncCredential, AsyncOfficial)]
)
def test_calls_written_for_azure_identity_fit(mine: type, theirs: type) -> None:
    for method in ("get_token", "get_token_info", "__init__"):
        ours = inspect.signature(getattr(mine, method)).parameters
        official = inspect.signature(getattr(theirs, method)).parameters
        positional = [name for name, one in official.items() if one.kind is one.POSITIONAL_OR_KEYWORD]
        assert [name for name, one in ours.items() if one.kind is one.POSITIONAL_OR_KEYWORD] == positional
        assert set(official) - {"kwargs"} <= set(ours)
    documented = set(inspect.signature(mine).parameters)
    assert {
        "authority",
        "certificate_data",
        "password",
        "send_certificate_chain",
        "cache_persistence_options",
        "disable_instance_discovery",
        "additionally_allowed_tenants",
    } <= documented


@pytest.mark.parametrize("run", BOTH)
def test_certificate_data_and_sources_work_like_paths(stand: Stand, run: Runner) -> None:
    data = stand.certificate.read_bytes()
    assert run(stand, once, certificate_path=None, certificate_data=data)
    assert run(stand, once, certificate_path=None, certificate=str(stand.certificate))
    assert run(stand, once, certificate_path=None, certificate=stand.certificate.as_uri())


@pytest.mark.parametrize("password", ["pässword", "pässword".encode()])
def test_a_password_may_be_text_or_bytes(stand: Stand, tmp_path: Path, password: str | bytes) -> None:
    from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, pkcs12

    leaf, key = make_certificate(tmp_path / "other.pem")
    path = tmp_path / "app.pfx"
    path.touch(mode=0o600)
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(
            None, key, leaf, None, BestAvailableEncryption("pässword".encode())
        )
    )
    assert run_sync(stand, once, certificate_path=path, password=password)
    with pytest.raises(ValueError, match="password"):
        stand.sync(certificate_path=path, password="wrong")


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"certificate_path": "a", "certificate_data": b"b"},
        {"certificate_path": "a", "certificate": "b"},
        {"certificate_path": ""},
    ],
)
@pytest.mark.parametrize("kind", [CertificateCredential, AsyncCredential])
def test_exactly_one_certificate_is_wanted(kind: Callable[..., Any], arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="exactly one") as caught:
        kind(TENANT, CLIENT, **arguments)
    assert isinstance(caught.value, ConfigurationError)


@pytest.mark.parametrize("kind", [CertificateCredential, AsyncCredential])
@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("send_certficate_chain", "send_certificate_chain"),
        ("conection_verify", "connection_verify"),
        ("tenants", "additionally_allowed_tenants"),
        ("retry_totals", "retry_total"),
    ],
)
def test_a_misspelt_keyword_is_refused_with_the_nearest_one(
    stand: Stand, kind: Callable[..., Any], wrong: str, right: str
) -> None:
    with pytest.raises(ConfigurationError, match=wrong) as caught:
        kind(TENANT, CLIENT, stand.certificate, **{wrong: True})
    assert caught.value.details["nearest"] in {right, None}


def test_every_pipeline_keyword_is_accepted(stand: Stand) -> None:
    values: dict[str, Any] = {
        "transport": RequestsTransport(connection_verify=stand.ca),
        "policies": None,
        "per_call_policies": [],
        "per_retry_policies": [],
        "headers": {"x": "y"},
        "proxies": {},
        "retry_on_status_codes": [418],
        "session": None,
        "session_owner": True,
        "tracing_attributes": {},
        "timeout": 20,
    }
    for name in sorted(KEYWORDS):
        stand.sync(**{name: values.get(name, 1)}).close()


def test_keywords_reach_the_wire(stand: Stand) -> None:
    seen: list[str] = []

    class Policy(SansIOHTTPPolicy[Any, Any]):
        def on_request(self, request: Any) -> None:
            request.http_request.headers["x-policy"] = "called"

    run_sync(
        stand,
        once,
        per_call_policies=[Policy()],
        user_agent="orders/1.0",
        headers={"x-team": "orders"},
        raw_response_hook=lambda response: seen.append(str(response.http_response.status_code)),
        request_id="my-id",
    )
    headers = stand.endpoint.seen[0].headers
    assert headers["x-policy"] == "called"
    assert headers["user-agent"].startswith("orders/1.0 azsdk-python-azcert/")
    assert headers["x-team"] == "orders"
    assert headers["x-ms-client-request-id"] == "my-id"
    assert seen == ["200"]


@pytest.mark.parametrize("run", BOTH)
def test_read_timeouts_of_the_caller_are_kept(stand: Stand, run: Runner) -> None:
    stand.endpoint.always = Answer(delay=0.3)

    async def script(credential: Face) -> None:
        with pytest.raises(AuthenticationError, match="did not answer in time"):
            await credential.get_token(SCOPE)
        # asyncio lets go of a TLS connection only when the other end has said goodbye.
        await asyncio.sleep(0.5)

    run(stand, script, read_timeout=0.05, retry_total=0)


@pytest.mark.parametrize("run", BOTH)
@pytest.mark.parametrize("tenant", ["", "a/b", "https://contoso", "a b"])
def test_a_tenant_that_is_none_is_a_value_error(stand: Stand, run: Runner, tenant: str) -> None:
    with pytest.raises(ValueError, match="tenant"):
        run(stand, once, tenant=tenant)


@pytest.mark.parametrize("run", BOTH)
def test_a_call_without_scope_is_a_value_error(stand: Stand, run: Runner) -> None:
    async def script(credential: Face) -> None:
        with pytest.raises(ValueError, match='"get_token" requires at least one scope'):
            await credential.get_token()
        with pytest.raises(ValueError, match='"get_token_info" requires at least one scope'):
            await credential.get_token_info()

    run(stand, script)


@pytest.mark.parametrize("run", BOTH)
def test_another_tenant_needs_permission(stand: Stand, run: Runner) -> None:
    async def script(credential: Face) -> None:
        with pytest.raises(ClientAuthenticationError, match="additionally_allowed_tenants"):
            await credential.get_token(SCOPE, tenant_id="contoso.com")

    run(stand, script)
    assert stand.endpoint.seen == []


@pytest.mark.parametrize("run", BOTH)
def test_an_unknown_authority_is_asked_about_unless_told_otherwise(stand: Stand, run: Runner) -> None:
    # login.microsoftonline.com cannot be reached here, so nobody vouches for localhost.
    with pytest.raises(ClientAuthenticationError, match="disable_instance_discovery=True"):
        run(stand, once, disable_instance_discovery=None, retry_total=0)
    assert stand.endpoint.seen == []


class _NoRoute(SansIOHTTPPolicy[Any, Any]):
    """Notes how long each request may take to connect, and lets none pass."""

    def __init__(self) -> None:
        self.limits: list[float] = []

    def on_request(self, request: Any) -> None:
        self.limits.append(request.context.options["connection_timeout"])
        raise ServiceRequestError("no route")


def test_asking_about_an_authority_keeps_to_the_callers_time(stand: Stand) -> None:
    policy = _NoRoute()
    with (
        stand.sync(disable_instance_discovery=None, per_call_policies=[policy]) as credential,
        pytest.raises(AuthenticationError) as caught,
    ):
        credential.get_token(SCOPE, timeout=2)
    assert caught.value.code == "authority-not-checked"
    assert len(policy.limits) == 1
    assert 0 < policy.limits[0] <= 2


@pytest.mark.parametrize("run", BOTH)
@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n"])
def test_a_certificate_that_cannot_be_used_is_a_value_error_at_construction(
    stand: Stand, run: Runner, content: bytes
) -> None:
    stand.certificate.write_bytes(content)
    with pytest.raises(AzcertError) as caught:
        run(stand, once)
    assert isinstance(caught.value, ValueError)


def test_objects_do_not_print_secrets(stand: Stand, tmp_path: Path) -> None:
    with stand.sync(password="hunter2-hunter2") as credential:
        token = credential.get_token(SCOPE)
        for shown in (repr(credential), str(credential), repr(vars(credential)), repr(credential._engine)):
            assert "hunter2" not in shown
            assert token.token not in shown
