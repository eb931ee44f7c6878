"""An inventory's questions to Microsoft Graph, as flows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple

from azcert.errors import RegistrationError, TransportError
from azcert.registration.applications import SELECT
from azcert.registration.graph import refusal
from azcert.registration.model import Application

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azcert.registration.graph import Graph
    from azcert.wire.message import Flow, Response

__all__ = ["Answers", "Use", "applications", "use_page", "uses_url"]

_OK = 200
_FORBIDDEN = 403
_GONE = 404
_LATER = {424, 429, 500, 502, 503, 504}


class Use(NamedTuple):
    """When a credential was last used to sign in."""

    key_id: str
    last: dt.datetime


class Answers(NamedTuple):
    """What a batch brought.

    :param found: applications by their object ids; None where somebody deleted it since it was listed.
    :param later: object ids that Graph had no answer for yet.
    :param retry_after: seconds until these may be asked for again, where Graph says so.
    :param refused: why Graph refused one of the others; None where it refused none.
    """

    found: dict[str, Application | None]
    later: list[str]
    retry_after: float | None = None
    refused: RegistrationError | None = None


def applications(graph: Graph, object_ids: Sequence[str]) -> Flow[Answers]:
    """Read a batch of applications with the bytes of their certificates.

    Graph gives 150 of these a minute in a tenant, in batches or not
    (https://learn.microsoft.com/graph/api/application-get).
    """
    paths = [f"/applications/{each}?$select={SELECT}" for each in object_ids]
    try:
        replies = yield from graph.batch(paths)
    except TransportError as error:
        if not error.details.get("retryable"):
            raise
        return Answers({}, list(object_ids))
    answers, waits = Answers({}, []), []
    for object_id, path, reply in zip(object_ids, paths, replies, strict=True):
        if reply is None or reply.status in _LATER:
            answers.later.append(object_id)
            waits.append(_retry_after(reply))
        elif reply.status in {_OK, _GONE}:
            answers.found[object_id] = Application.read(reply.json()) if reply.status == _OK else None
        else:
            answers = answers._replace(refused=refusal("GET", graph.base + path, reply))
    return answers._replace(retry_after=max(waits, default=0.0) or None)


def _retry_after(reply: Response | None) -> float:
    text = "" if reply is None else reply.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else 0.0


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
