"""The endpoints of managed identities, on plain http: those of a virtual machine (IMDS) and of App Service.

The identity is an app of the seed, as system-assigned its first one; it has that app's roles.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Route

from azcert.emulator.entra import tokens
from azcert.emulator.entra.clouds import CLOUDS
from azcert.emulator.entra.faults import EntraRefusal
from azcert.emulator.entra.resources import find_resource
from azcert.emulator.hosts import APP_SERVICE_PATH, IMDS_PATH
from azcert.emulator.origin import Kind, assumed, documented

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from azcert.emulator.origin import Answer
    from azcert.emulator.world import World

__all__ = ["routes"]

# Tokens of managed identities last a day; a shorter lifetime asked of the emulator wins.
LIFETIME = 86_399
_SHORT = 3000

_IMDS = "https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token"
_APP_SERVICE = "https://learn.microsoft.com/azure/app-service/overview-managed-identity"


def _kind(name: str, status: int, page: str) -> Kind:
    return Kind("managed-identity", name, status, documented(page))


IMDS_TOKEN = _kind("IMDS: token", 200, _IMDS)
IMDS_REFUSED = _kind("IMDS: the request is refused", 400, _IMDS)
IMDS_METHOD = Kind("managed-identity", "IMDS: not a GET", 405, assumed("IMDS is documented for GET alone"))
APP_SERVICE_TOKEN = _kind("App Service: token", 200, _APP_SERVICE)
APP_SERVICE_REFUSED = Kind(
    "managed-identity",
    "App Service: the request is refused",
    400,
    documented("https://github.com/Azure/azure-sdk-for-net/issues/19167", _APP_SERVICE),
)
APP_SERVICE_SECRET = Kind(
    "managed-identity",
    "App Service: wrong secret header",
    401,
    assumed("the page names the header, no status"),
)


class _RefusedError(Exception):
    """The request ends with *answer*."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.kind.name)
        self.answer = answer


@dataclass(frozen=True)
class _Asked:
    """Whose token, and for what."""

    app: dict[str, Any]
    resource: str
    token: str
    now: int
    lifetime: int


def routes(world: World, client_id: str, secret: str) -> list[BaseRoute]:
    """Return the routes of both forms.

    :param client_id: the app that is the system-assigned identity.
    :param secret: what ``X-IDENTITY-HEADER`` must carry in App Service's form.
    """
    endpoints = _Endpoints(world, client_id, secret)
    methods = ["GET", "POST", "PUT", "DELETE", "HEAD"]
    return [
        Route(IMDS_PATH, _answered(endpoints.imds), methods=methods),
        Route(f"{IMDS_PATH}/", _answered(endpoints.imds), methods=methods),
        Route(APP_SERVICE_PATH, _answered(endpoints.app_service), methods=methods),
    ]


def _answered(answer: Callable[[Request], Answer]) -> Callable[[Request], Any]:
    async def endpoint(request: Request) -> Response:
        try:
            found = answer(request)
        except _RefusedError as refused:
            found = refused.answer
        return found.response({})

    return endpoint


class _Endpoints:
    """Both endpoints over one world."""

    def __init__(self, world: World, client_id: str, secret: str) -> None:
        self._world = world
        self._client_id = client_id
        self._secret = secret

    def imds(self, request: Request) -> Answer:
        if request.method != "GET":
            return _imds_refusal("Method not allowed.", kind=IMDS_METHOD).answer
        # Both keep a web server that was tricked into fetching this address from getting a token.
        if request.headers.get("metadata") != "true" or "x-forwarded-for" in request.headers:
            raise _imds_refusal("Required metadata header not specified")
        query = request.query_params
        for name in ("api-version", "resource"):
            if not query.get(name):
                raise _imds_refusal(f"Required query variable '{name}' is missing")
        app = self._app(query, ("msi_res_id", "mi_res_id"))
        if app is None:
            raise _imds_refusal("Identity not found")
        try:
            asked = self._issue(app, query["resource"])
        except EntraRefusal as refusal:
            text = f"AADSTS{refusal.fault.code}: {refusal.text}"
            raise _imds_refusal(text, error="invalid_resource") from refusal
        return IMDS_TOKEN.answer(
            {
                "access_token": asked.token,
                "client_id": asked.app["appId"],
                "expires_in": str(asked.lifetime),
                "expires_on": str(asked.now + asked.lifetime),
                "ext_expires_in": str(asked.lifetime),
                "not_before": str(asked.now - tokens.BACKDATED),
                "refresh_token": "",
                "resource": asked.resource,
                "token_type": "Bearer",
            }
        )

    def app_service(self, request: Request) -> Answer:
        given = request.headers.get("x-identity-header", "")
        if not hmac.compare_digest(given.encode(), self._secret.encode()):
            return APP_SERVICE_SECRET.answer({"statusCode": 401, "message": "Unauthorized"})
        query = request.query_params
        for name in ("api-version", "resource"):
            if not query.get(name):
                raise _app_service_refusal(f"The parameter {name} is required.")
        app = self._app(query, ("mi_res_id",))
        if app is None:
            raise _app_service_refusal(
                "No User Assigned or Delegated Managed Identity found for specified "
                "ClientId/ResourceId/PrincipalId."
            )
        try:
            asked = self._issue(app, query["resource"])
        except EntraRefusal as refusal:
            raise _app_service_refusal(f"AADSTS{refusal.fault.code}: {refusal.text}") from refusal
        return APP_SERVICE_TOKEN.answer(
            {
                "access_token": asked.token,
                "expires_on": str(asked.now + asked.lifetime),
                "resource": asked.resource,
                "token_type": "Bearer",
                "client_id": asked.app["appId"],
            }
        )

    def _app(self, query: Mapping[str, str], resource_ids: tuple[str, ...]) -> dict[str, Any] | None:
        """Return the app a request means: by client, object or resource id, else the system-assigned one."""
        wanted = [
            ("appId", query.get("client_id")),
            ("servicePrincipalId", query.get("object_id") or query.get("principal_id")),
            *(("displayName", (query.get(name) or "").rpartition("/")[2]) for name in resource_ids),
        ]
        given = [(member, value.lower()) for member, value in wanted if value]
        for member, value in given or [("appId", self._client_id)]:
            for _, app in self._world.documents.items("app"):
                if str(app.get(member, "")).lower() == value:
                    return dict(app)
        return None

    def _issue(self, app: dict[str, Any], resource: str) -> _Asked:
        tenant = {"id": app["tenant"]}
        found = find_resource(self._world, resource, tenant)
        lifetime = LIFETIME if self._world.token_lifetime > _SHORT else self._world.token_lifetime
        client = tokens.Client(app, app["tenant"], tokens.METHOD_CERTIFICATE)
        token = tokens.issue(self._world, CLOUDS[0], client, found, lifetime=lifetime)
        return _Asked(app, resource, token, int(self._world.clock.now()), lifetime)


def _imds_refusal(text: str, *, error: str = "invalid_request", kind: Kind = IMDS_REFUSED) -> _RefusedError:
    return _RefusedError(kind.answer({"error": error, "error_description": text}))


def _app_service_refusal(text: str) -> _RefusedError:
    return _RefusedError(APP_SERVICE_REFUSED.answer({"statusCode": 400, "message": text}))
