"""Microsoft Graph calls as flows: addresses, pages, and what its errors mean."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from azcert.errors import RegistrationError
from azcert.wire.message import Request, answer_to

if TYPE_CHECKING:
    from azcert.wire.message import Flow, Response

__all__ = ["DEFAULT_AUTHORITY", "Graph", "graph_host"]

DEFAULT_AUTHORITY = "login.microsoftonline.com"

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
}
_FIRST_REFUSAL = 400


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
            raise _refused(method, url, reply)
        return reply.json()


def _refused(method: str, url: str, reply: Response) -> RegistrationError:
    error = reply.json().get("error") or {}
    code = str(error.get("code") or f"HTTP {reply.status}")
    text = str(error.get("message") or "no message")
    return RegistrationError(
        f"{method} {url.partition('?')[0]}: Microsoft Graph answered {reply.status} {code}: {text}",
        code="graph-refused",
        remedy=_REMEDIES.get(code),
        status=reply.status,
        graph_code=code,
        request_id=reply.headers.get("request-id"),
    )
