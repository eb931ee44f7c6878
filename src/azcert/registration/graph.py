"""Microsoft Graph calls as flows: addresses, pages, and what its errors mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from azcert.errors import RegistrationError
from azcert.wire.message import Request, Response, answer_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azcert.wire.message import Flow

__all__ = ["BATCH", "DEFAULT_AUTHORITY", "RETRIES", "Graph", "graph_host", "refusal"]

DEFAULT_AUTHORITY = "login.microsoftonline.com"
BATCH = 20
"""Requests that fit into one batch: https://learn.microsoft.com/graph/json-batching"""
RETRIES = {"retry_status": 8}
"""Keywords of azure-core's retry policy, which obeys Retry-After; a busy Graph throttles again and again."""

# Microsoft Graph's national deployments: https://learn.microsoft.com/graph/deployments
_HOSTS = {
    "login.microsoftonline.us": "graph.microsoft.us",
    "login.chinacloudapi.cn": "microsoftgraph.chinacloudapi.cn",
    "login.partner.microsoftonline.cn": "microsoftgraph.chinacloudapi.cn",
}
_REMEDIES = {
    "Authorization_RequestDenied": (
        "The signed-in identity needs Application.ReadWrite.OwnedBy (its own applications) or "
        "Application.ReadWrite.All, or must own the application."
    ),
    "Authentication_MissingOrMalformed": "Check that a certificate of this application signed the proof.",
    "InvalidAuthenticationToken": "Sign in again; the token is not for Microsoft Graph or has expired.",
    "Request_ResourceNotFound": "Check the id and the tenant; something just created may take a minute.",
    "Directory_ResourceSizeExceeded": "Remove expired credentials first: `azcert app credentials APP`.",
    "CredentialInvalidLifetimeAsPerAppPolicy": "Make a certificate that ends sooner: `azcert new --days`.",
    "TooManyRequests": "Others ask much of this tenant's Graph as well: try again in some minutes.",
}
_READING = "The signed-in identity needs the permission Application.Read.All, or must own the application."
_FIRST_REFUSAL = 400
_FAILED_DEPENDENCY = 424


def graph_host(authority: str) -> str:
    """Return Graph's host in the cloud of an authority's host."""
    return _HOSTS.get(authority, "graph.microsoft.com")


class Graph:
    """Builds the flows of one Graph deployment; has no state and does no I/O."""

    def __init__(self, host: str = "graph.microsoft.com") -> None:
        self.base = f"https://{host}/v1.0"

    @property
    def scope(self) -> str:
        """The scope tokens for this deployment are asked for."""
        return self.base.removesuffix("/v1.0") + "/.default"

    def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, **query: str
    ) -> Flow[dict[str, Any]]:
        """Do one call; *query* names are OData's, without the dollar sign.

        :raises RegistrationError: Graph refused; its code and request id are in the details.
        """
        url = path if path.startswith("https://") else self.base + path
        if query:
            url += "?" + urlencode({f"${name}": value for name, value in query.items()})
        content = None if body is None else json.dumps(body).encode()
        sent = {"Accept": "application/json", **(headers or {})}
        if content is not None:
            sent["Content-Type"] = "application/json"
        reply = yield from answer_to(Request(method, url, sent, content))
        if reply.status >= _FIRST_REFUSAL:
            raise refusal(method, url, reply)
        return reply.json()

    def batch(self, paths: Sequence[str]) -> Flow[list[Response | None]]:
        """GET at most `BATCH` *paths* at once; return their answers in this order, None where one lacks.

        Graph throttles each by itself: an answer of 429 is the caller's to wait for, no policy sees it.

        :raises RegistrationError: Graph refused the batch.
        """
        url = f"{self.base}/$batch"
        asked = [{"id": str(number), "method": "GET", "url": path} for number, path in enumerate(paths)]
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        content = json.dumps({"requests": asked}).encode()
        reply = yield from answer_to(Request("POST", url, headers, content))
        # Where one was throttled, the batch itself may say that what depends on it failed.
        if reply.status >= _FIRST_REFUSAL and reply.status != _FAILED_DEPENDENCY:
            raise refusal("POST", url, reply)
        found = {str(each.get("id")): _answer(each) for each in reply.json().get("responses") or ()}
        return [found.get(each["id"]) for each in asked]


def _answer(part: dict[str, Any]) -> Response:
    headers = {name.lower(): str(value) for name, value in (part.get("headers") or {}).items()}
    return Response(int(part.get("status") or 0), headers, json.dumps(part.get("body")).encode())


def refusal(method: str, url: str, reply: Response) -> RegistrationError:
    """Say what Graph refused and what to do."""
    error = reply.json().get("error") or {}
    code = str(error.get("code") or f"HTTP {reply.status}")
    text = str(error.get("message") or "no message")
    return RegistrationError(
        f"{method} {url.partition('?')[0]}: Microsoft Graph answered {reply.status} {code}: {text}",
        code="graph-refused",
        remedy=_READING if method == "GET" and code == "Authorization_RequestDenied" else _REMEDIES.get(code),
        status=reply.status,
        graph_code=code,
        request_id=reply.headers.get("request-id"),
    )
