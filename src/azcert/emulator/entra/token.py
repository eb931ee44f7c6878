"""The token endpoint for applications: the client-credentials grant, from form to answer.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote_plus

from azcert.emulator.entra import assertion, device, faults, tokens
from azcert.emulator.entra.clouds import CLOUDS, cloud_of
from azcert.emulator.entra.directory import find_app, find_tenant, note_sign_in, secret_state
from azcert.emulator.entra.faults import EntraRefusal
from azcert.emulator.entra.resources import GRAPH, find_resource, resource_of_scope
from azcert.emulator.entra.tenants import check_tenant_name
from azcert.emulator.origin import Answer, Kind, assumed, recorded

if TYPE_CHECKING:
    from azcert.emulator.entra.clouds import Cloud
    from azcert.emulator.entra.resources import Resource
    from azcert.emulator.world import World

__all__ = ["TokenRequest", "answer", "device_code"]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
DEFAULT_LIFETIME, LONG_LIFETIME = 3599, 86_399
LARGEST_FORM = 1_048_576

ISSUED = Kind(
    "entra",
    "access token for an application",
    200,
    recorded("entra-cert-success.json", "entra-cert-x5c.json", "entra-assertion-callback.json"),
)
ISSUED_LONG = Kind(
    "entra",
    "access token for a client that understands claims challenges, with refresh_in",
    200,
    assumed("no recording; lifetime as the CAE pages say, refresh_in as for other long-lived tokens"),
)
ISSUED_V1 = Kind(
    "entra",
    "access token from the v1 endpoint: numbers as strings",
    200,
    assumed("no recording; members as the v1 pages list them"),
)


@dataclass
class TokenRequest:
    """One request to the token endpoint.

    :param tenant: as the path says it.
    :param host: the authority's host, lower case, without port.
    :param version: 1 or 2, by the path; 0 for AD FS.
    :param body: the form.
    """

    tenant: str
    host: str
    version: int
    method: str
    body: bytes
    authorization: str = ""
    form: dict[str, str] = field(default_factory=dict)
    assertion: assertion.Assertion | None = None


def answer(world: World, request: TokenRequest) -> Answer:
    """Answer *request*.

    :raises azcert.emulator.entra.faults.EntraRefusal: as Entra refuses it.
    """
    if request.method != "POST":
        raise EntraRefusal(faults.POST_ONLY, method=request.method)
    cloud = cloud_of(request.host) or CLOUDS[0]
    adfs = request.version == 0
    tenant = None if adfs else _tenant(world, request.tenant)
    request.form = _form(request.body)
    form = request.form
    grant = _need(form, "grant_type")
    if grant in device.GRANTS:
        return _device_answer(world, request, cloud)
    if grant != "client_credentials":
        raise EntraRefusal(faults.UNSUPPORTED_GRANT, grant=grant)
    if tenant is None and not adfs:
        raise EntraRefusal(faults.COMMON_TENANT, grant=grant)
    client_id, secret = _client(request)
    name = _resource_name(form, request.version)
    app = _app(world, client_id, tenant)
    if app is None:
        raise EntraRefusal(faults.APP_NOT_FOUND, client=client_id, tenant=request.tenant)
    if app.get("accountEnabled") is False or app.get("disabledByMicrosoftStatus"):
        raise EntraRefusal(faults.APP_DISABLED, client=client_id, name=str(app.get("displayName")))
    home = tenant or {"id": app["tenant"]}
    method = _authenticate(world, request, app, client_id, secret, home)
    if not app.get("servicePrincipalId"):
        raise EntraRefusal(faults.NO_PRINCIPAL, client=client_id, tenant=str(home["id"]))
    client = tokens.Client(app, str(home["id"]), method)
    return _issued(world, cloud, request, client, find_resource(world, name, home), name)


def _issued(
    world: World, cloud: Cloud, request: TokenRequest, client: tokens.Client, resource: Resource, name: str
) -> Answer:
    """Answer with an access token."""
    asked = _asked_claims(request.form)
    capable = "cp1" in {str(value).lower() for value in asked.get("xms_cc", ())}
    lifetime = world.token_lifetime
    # https://learn.microsoft.com/entra/identity/conditional-access/concept-continuous-access-evaluation-workload:
    # for applications only Graph takes part, and its tokens live a day. A lifetime that was set goes first.
    long = capable and resource.app_id == GRAPH and lifetime == DEFAULT_LIFETIME
    if long:
        lifetime = LONG_LIFETIME
    token = tokens.issue(
        world,
        cloud,
        client,
        resource,
        lifetime=lifetime,
        not_before=asked.get("nbf", 0),
        extra={"xms_cc": ["cp1"]} if capable else None,
    )
    if request.version == 1:
        return ISSUED_V1.answer(_v1_body(world, name, lifetime, token))
    body = {"token_type": "Bearer", "expires_in": lifetime, "ext_expires_in": lifetime}
    if long:
        return ISSUED_LONG.answer({**body, "refresh_in": lifetime // 2, "access_token": token})
    return ISSUED.answer({**body, "access_token": token})


def _app(world: World, client_id: str, tenant: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the application in the tenant, or anywhere where AD FS is asked."""
    if tenant is not None:
        return find_app(world, client_id, tenant["id"])
    app = world.documents.get("app", client_id.lower())
    return app if isinstance(app, dict) else None


def device_code(world: World, body: bytes) -> Answer:
    """Answer the request for a device code.

    :raises azcert.emulator.entra.faults.EntraRefusal: the form is not one, or lacks something.
    """
    return device.begin(world, _form(body))


def _device_answer(world: World, request: TokenRequest, cloud: Cloud) -> Answer:
    client_id = _need(request.form, "client_id")
    app = world.documents.get("app", client_id.lower())
    tenant = _tenant(world, request.tenant) or (find_tenant(world, app["tenant"]) if app else None)
    if app is None or tenant is None or app["tenant"] != tenant["id"]:
        raise EntraRefusal(faults.APP_NOT_FOUND, client=client_id, tenant=request.tenant)
    return device.poll(world, cloud, app, tenant, request.form)


def _tenant(world: World, name: str) -> dict[str, Any] | None:
    """Return the tenant, or None for the endpoints that stand for many."""
    if name.lower() in {"common", "consumers", "organizations"}:
        return None
    check_tenant_name(name)
    tenant = find_tenant(world, name)
    if tenant is None:
        raise EntraRefusal(faults.TENANT_NOT_FOUND_AT_TOKEN, tenant=name)
    return tenant


def _form(body: bytes) -> dict[str, str]:
    if len(body) > LARGEST_FORM:
        raise EntraRefusal(faults.MALFORMED)
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=False,
            errors="strict",
            max_num_fields=500,
        )
    except ValueError:
        raise EntraRefusal(faults.MALFORMED) from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise EntraRefusal(faults.MALFORMED)
    return form


def _need(form: dict[str, str], name: str) -> str:
    value = form.get(name)
    if not value:
        raise EntraRefusal(faults.MISSING_PARAMETER, name=name)
    return value


def _client(request: TokenRequest) -> tuple[str, str | None]:
    """Return client id and secret, from the form or from HTTP Basic (RFC 6749, 2.3.1)."""
    form = request.form
    scheme, _, encoded = request.authorization.partition(" ")
    if scheme.lower() == "basic" and "client_id" not in form:
        try:
            user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, ValueError):
            raise EntraRefusal(faults.MALFORMED) from None
        return unquote_plus(user), unquote_plus(password)
    return _need(form, "client_id"), form.get("client_secret")


def _resource_name(form: dict[str, str], version: int) -> str:
    if version == 2:  # noqa: PLR2004 - the v2 endpoint
        if "resource" in form:
            raise EntraRefusal(faults.RESOURCE_ON_V2)
        return resource_of_scope(_need(form, "scope"))
    return form["resource"] if form.get("resource") else resource_of_scope(_need(form, "scope"))


def _authenticate(
    world: World,
    request: TokenRequest,
    app: dict[str, Any],
    client_id: str,
    secret: str | None,
    tenant: dict[str, Any],
) -> str:
    """Check the client's proof and return ``appidacr``."""
    form = request.form
    text = form.get("client_assertion")
    if not text and not secret:
        raise EntraRefusal(faults.NO_CREDENTIAL)
    if app.get("isFallbackPublicClient"):
        raise EntraRefusal(faults.APP_IS_PUBLIC)
    if text:
        if _need(form, "client_assertion_type") != ASSERTION_TYPE:
            raise EntraRefusal(faults.ASSERTION_TYPE)
        request.assertion = assertion.parse(text)
        audiences = _audiences(request, tenant)
        note_sign_in(world, assertion.verify(world, request.assertion, app, client_id, audiences))
        return tokens.METHOD_CERTIFICATE
    state, key_id = secret_state(world, app, secret or "")
    if state == "expired":
        raise EntraRefusal(faults.SECRETS_EXPIRED, client=client_id)
    if state == "wrong":
        raise EntraRefusal(faults.WRONG_SECRET, client=client_id)
    note_sign_in(world, key_id)
    return tokens.METHOD_SECRET


def _audiences(request: TokenRequest, tenant: dict[str, Any]) -> frozenset[str]:
    """Return every name of this token endpoint: hosts x ways to name the tenant x versions."""
    if request.version == 0:
        base = f"https://{request.host}/adfs"
        return frozenset({base, f"{base}/", f"{base}/oauth2/token", f"{base}/services/trust"})
    cloud = cloud_of(request.host) or CLOUDS[0]
    names = {str(tenant["id"]).lower(), *(str(name).lower() for name in tenant.get("domains", ()))}
    found = set()
    for host in {request.host, *cloud.aliases, cloud.issuer}:
        for name in names:
            base = f"https://{host}/{name}"
            found |= {base, f"{base}/", f"{base}/v2.0", f"{base}/oauth2/token", f"{base}/oauth2/v2.0/token"}
    return frozenset(found)


def _asked_claims(form: dict[str, str]) -> dict[str, Any]:
    """Return the ``xms_cc`` values and the ``nbf`` of the claims parameter (OpenID Connect Core, 5.5)."""
    if not form.get("claims"):
        return {}
    try:
        wanted = json.loads(form["claims"])["access_token"]
        found: dict[str, Any] = {}
        if isinstance(wanted.get("xms_cc"), dict):
            found["xms_cc"] = list(wanted["xms_cc"].get("values") or ())
        if isinstance(wanted.get("nbf"), dict):
            found["nbf"] = float(int(wanted["nbf"]["value"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        raise EntraRefusal(faults.CLAIMS) from None
    if not 0 <= found.get("nbf", 0) <= 1e11:  # noqa: PLR2004 - no date lies further away
        raise EntraRefusal(faults.CLAIMS)
    return found


def _v1_body(world: World, resource: str, lifetime: int, token: str) -> dict[str, str]:
    now = int(world.clock.now())
    return {
        "token_type": "Bearer",
        "expires_in": str(lifetime),
        "ext_expires_in": str(lifetime),
        "expires_on": str(now + lifetime + 1),
        "not_before": str(now - tokens.BACKDATED),
        "resource": resource,
        "access_token": token,
    }
