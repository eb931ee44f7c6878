"""Instance discovery: Microsoft vouches for an authority that is not one of its well-known hosts.

The assertion proves the client's identity to whoever gets it within ten minutes, so an authority that nobody
vouches for is not asked (MSAL's rule, which ``disable_instance_discovery`` switches off).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

from azcert.entra.authority import PUBLIC
from azcert.errors import AuthenticationError, TransportError
from azcert.wire.message import Request, answer_to

if TYPE_CHECKING:
    from azcert.entra.authority import Authority
    from azcert.wire.message import Flow

__all__ = ["discovery_flow"]

_OK = 200


def discovery_flow(authority: Authority, tenant_id: str, *, timeout: float | None = None) -> Flow[None]:
    """Ask whether the authority's host is a known instance.

    :param timeout: seconds to connect, and to wait for each part of the answer.
    :raises AuthenticationError: it is not (``unknown-authority``), or nobody can be asked.
    """
    endpoint = f"https://{authority.host}{authority.path}/{tenant_id}/oauth2/v2.0/authorize"
    query = urlencode({"api-version": "1.1", "authorization_endpoint": endpoint})
    request = Request("GET", f"https://{PUBLIC}/common/discovery/instance?{query}", timeout=timeout)
    remedy = (
        "If it is valid and trustworthy, such as a private cloud or a local stand-in, pass "
        "disable_instance_discovery=True."
    )
    try:
        response = yield from answer_to(request)
    except TransportError as error:
        raise AuthenticationError(
            f"Authentication failed: the authority {authority.host} is not well-known, and {PUBLIC} could "
            f"not be asked about it: {error.message}",
            code="authority-not-checked",
            remedy=remedy,
            authority=authority.host,
        ) from error
    if response.status != _OK:
        raise AuthenticationError(
            f"Authentication failed: the authority {authority.host} is not well-known: {PUBLIC} answered "
            f"{response.json().get('error') or f'HTTP {response.status}'}.",
            code="unknown-authority",
            remedy=remedy,
            response=response.raw,
            authority=authority.host,
        )
