"""Entra ID's paths, each to its answer."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.routing import BaseRoute, Route

from azcert.emulator.entra import assertion, discovery
from azcert.emulator.entra.border import DISCOVERY, DISCOVERY_ERROR, TOKEN, Ids, error_answer
from azcert.emulator.entra.clouds import authority_host
from azcert.emulator.entra.faults import EntraRefusal
from azcert.emulator.entra.token import TokenRequest, answer, device_code
from azcert.emulator.origin import Answer, Kind, assumed

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from azcert.emulator.world import World

__all__ = ["routes"]

NO_SUCH_PAGE = Kind(
    "entra",
    "a path that is no endpoint of the emulator",
    404,
    assumed("the real service shows a page to people there"),
)
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]


def routes(world: World) -> list[BaseRoute]:
    """Return the routes of every authority host; the Host header tells which cloud is asked."""
    entra = _Entra(world)
    v2, v1 = "/{tenant}/oauth2/v2.0/token", "/{tenant}/oauth2/token"
    return [
        Route("/{tenant}/discovery/instance", entra.instance, methods=["GET"]),
        Route("/adfs/.well-known/openid-configuration", entra.adfs, methods=["GET"]),
        Route("/adfs/oauth2/token", entra.token(0), methods=METHODS),
        Route(v2, entra.token(2), methods=METHODS),
        Route("/{tenant}/oauth2/v2.0/devicecode", entra.device_code, methods=["POST"]),
        Route(v1, entra.token(1), methods=METHODS),
        Route("/{tenant}/v2.0/.well-known/openid-configuration", entra.configuration(legacy=False)),
        Route("/{tenant}/.well-known/openid-configuration", entra.configuration(legacy=True)),
        Route("/{tenant}/discovery/v2.0/keys", entra.keys(legacy=False)),
        Route("/{tenant}/discovery/keys", entra.keys(legacy=True)),
        Route("/{path:path}", entra.nothing, methods=METHODS),
    ]


class _Entra:
    """The endpoints over one world."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def instance(self, request: Request) -> Response:
        return self._discover(request, lambda: discovery.instance(dict(request.query_params)))

    async def adfs(self, request: Request) -> Response:
        return self._discover(request, lambda: discovery.adfs_configuration(_host(request)))

    async def nothing(self, request: Request) -> Response:
        found = NO_SUCH_PAGE.answer({"error": "not_found", "error_description": "No such endpoint."})
        return found.response({**DISCOVERY_ERROR, **Ids.of(request).headers()})

    async def device_code(self, request: Request) -> Response:
        body = await request.body()
        found = self._attempt(request, lambda: device_code(self.world, body))
        return found[0].response({**TOKEN, **found[1].headers()})

    def configuration(self, *, legacy: bool) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            name = request.path_params["tenant"]
            return self._discover(
                request,
                lambda: discovery.configuration(self.world, _host(request), name, legacy=legacy),
            )

        return endpoint

    def keys(self, *, legacy: bool) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            name = request.path_params["tenant"]
            return self._discover(
                request, lambda: discovery.keys(self.world, _host(request), name, legacy=legacy)
            )

        return endpoint

    def token(self, version: int) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            asked = TokenRequest(
                request.path_params.get("tenant", "adfs"),
                _host(request),
                version,
                request.method,
                await request.body(),
                request.headers.get("authorization", ""),
            )
            ids = Ids.of(request)
            code = 0
            try:
                found = answer(self.world, asked)
            except EntraRefusal as refusal:
                found = error_answer(refusal, ids, self.world.clock.now())
                code = refusal.fault.code
            self._remember(request, asked, found, code)
            headers = {**TOKEN, **ids.headers(), "x-ms-clitelem": f"1,{code},0,,"}
            response = found.response(headers)
            response.set_cookie("fpc", ids.trace, path="/", secure=True, httponly=True, samesite="none")
            response.set_cookie("x-ms-gateway-slice", "estsfd", path="/", secure=True, httponly=True)
            response.set_cookie("stsservicecookie", "estsfd", path="/", secure=True, httponly=True)
            return response

        return endpoint

    def _discover(self, request: Request, find: Callable[[], Answer]) -> Response:
        found, ids = self._attempt(request, find)
        headers = DISCOVERY if found.kind.status < HTTPStatus.BAD_REQUEST else DISCOVERY_ERROR
        return found.response({**headers, **ids.headers()})

    def _attempt(self, request: Request, find: Callable[[], Answer]) -> tuple[Answer, Ids]:
        ids = Ids.of(request)
        try:
            return find(), ids
        except EntraRefusal as refusal:
            return error_answer(refusal, ids, self.world.clock.now()), ids

    def _remember(self, request: Request, asked: TokenRequest, found: Answer, code: int) -> None:
        """Keep what was sent, for people: never a signature, a secret or a token."""
        form = asked.form
        entry: dict[str, Any] = {
            "service": "entra",
            "at": self.world.clock.now(),
            "method": request.method,
            "url": f"https://{asked.host}{request.url.path}",
            "client_id": form.get("client_id"),
            "grant_type": form.get("grant_type"),
            "scope": form.get("scope") or form.get("resource"),
            "proof": "assertion" if form.get("client_assertion") else "secret",
            "status": found.kind.status,
            "aadsts": code or None,
        }
        sent: assertion.Assertion | None = asked.assertion
        if sent is not None:
            seen = {past.get("jti") for past in self.world.record}
            entry |= {
                "assertion": {"header": sent.header, "claims": sent.claims},
                "jti": sent.jti,
                "jti_repeated": sent.jti is not None and sent.jti in seen,
            }
        self.world.record.append(entry)


def _host(request: Request) -> str:
    return authority_host(request.headers.get("host", ""))
