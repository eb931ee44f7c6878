"""An inventory's questions to Microsoft Graph, as flows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from azcert.errors import RegistrationError
from azcert.registration.model import Application

if TYPE_CHECKING:
    from azcert.registration.graph import Graph
    from azcert.wire.message import Flow

__all__ = ["Page", "Use", "application", "applications_url", "page", "use_page", "uses_url"]

LARGEST_PAGE = 999
"""https://learn.microsoft.com/graph/api/application-list; fewer pages are fewer requests to be throttled."""

_SELECT = "id,appId,displayName,keyCredentials,passwordCredentials"
_FORBIDDEN = 403


class Page(NamedTuple):
    """Some applications, and the address of the next page or None."""

    applications: tuple[Application, ...]
    following: str | None


class Use(NamedTuple):
    """When a credential was last used to sign in."""

    key_id: str
    last: dt.datetime


def applications_url(graph: Graph) -> str:
    """Return the address of the first page of all applications."""
    return (
        f"{graph.base}/applications?{urlencode({'$select': _SELECT, '$top': str(LARGEST_PAGE)}, safe='$,')}"
    )


def page(graph: Graph, url: str) -> Flow[Page]:
    """Read one page; Graph leaves the certificates' bytes out of lists."""
    body = yield from graph.call("GET", url)
    found = tuple(Application.read(each) for each in body.get("value", ()))
    return Page(found, body.get("@odata.nextLink"))


def application(graph: Graph, object_id: str) -> Flow[Application]:
    """Read one application with the bytes of its certificates; Graph gives about 150 of these a minute."""
    body = yield from graph.call("GET", f"/applications/{object_id}", select=_SELECT)
    return Application.read(body)


def uses_url(graph: Graph) -> str:
    """Return the first page of the report on credentials' sign-ins.

    https://learn.microsoft.com/graph/api/reportroot-list-appcredentialsigninactivities (beta)
    """
    return f"{graph.base.removesuffix('/v1.0')}/beta/reports/appCredentialSignInActivities"


def use_page(graph: Graph, url: str) -> Flow[tuple[tuple[Use, ...], str | None]]:
    """Read one page of that report.

    :raises RegistrationError: this identity may not read it, or the tenant does not have it.
    """
    try:
        body = yield from graph.call("GET", url)
    except RegistrationError as error:
        if error.details.get("status") != _FORBIDDEN:
            raise
        raise RegistrationError(
            error.message,
            code=error.code,
            remedy="The report on sign-ins needs the permission AuditLog.Read.All and a tenant with Entra ID "
            "P1 or P2; without --activity the inventory needs neither.",
            **error.details,
        ) from error
    found = (_use(each) for each in body.get("value", ()))
    return tuple(each for each in found if each is not None), body.get("@odata.nextLink")


def _use(body: dict[str, Any]) -> Use | None:
    last = (body.get("signInActivity") or {}).get("lastSignInDateTime")
    if not last or not body.get("keyId"):
        return None
    return Use(body["keyId"], dt.datetime.fromisoformat(last))
