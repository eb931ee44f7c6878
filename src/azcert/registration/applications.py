"""App registrations: find, create, and change their certificates without losing one, as flows.

A PATCH of ``keyCredentials`` replaces the whole list and knows no ETag
(https://learn.microsoft.com/graph/api/application-update), so a change is: read, write all back with the
change, read again; once more after a settling pause, for a writer who had read before us and wrote after.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from azcert.errors import RegistrationError
from azcert.registration.model import Application, Created, KeyCredential
from azcert.wire.message import Pause

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.certificate.model import Certificate
    from azcert.registration.graph import Graph
    from azcert.wire.message import Flow

    Keys = tuple[dict[str, Any], ...]

__all__ = ["SELECT", "SETTLE", "Applications", "Page"]

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
SELECT = "id,appId,displayName,keyCredentials,passwordCredentials"
"""The members that `Application.read` reads."""
_PAGE = 999  # the most Graph gives: fewer pages are fewer requests to be throttled
_TRIES = 8
SETTLE = 2.0
"""Seconds after which a writer who had read an older list has certainly written it."""


class Page(NamedTuple):
    """Some applications, and the address of the next page or None."""

    applications: tuple[Application, ...]
    following: str | None


class Applications:
    """The flows on app registrations of one Graph deployment."""

    def __init__(self, graph: Graph, *, settle: float = SETTLE) -> None:
        self._graph = graph
        self._settle = settle

    def find(self, name: str) -> Flow[Application]:
        """Find an application by client id, object id or unique display name.

        :raises RegistrationError: none (``not-found``) or several (``ambiguous``) have that name.
        """
        found: list[dict[str, Any]]
        if _GUID.fullmatch(name):
            found = yield from self._filter(f"appId eq '{name}'")
            if not found:
                found = yield from self._filter(f"id eq '{name}'")
        else:
            quoted = name.replace("'", "''")
            found = yield from self._filter(f"displayName eq '{quoted}'")
        if not found:
            raise RegistrationError(
                f"No app registration has the client id, object id or display name {name!r}.",
                code="not-found",
                remedy="`azcert app list` shows those this identity can see.",
            )
        if len(found) > 1:
            ids = ", ".join(each["appId"] for each in found)
            raise RegistrationError(
                f"{len(found)} app registrations have the display name {name!r}: {ids}.",
                code="ambiguous",
                remedy="Name one by its client id.",
            )
        return (yield from self.get(found[0]["id"]))

    def get(self, object_id: str) -> Flow[Application]:
        """Read one application with the bytes of its certificates, which only a ``$select`` brings."""
        body = yield from self._graph.call("GET", f"/applications/{object_id}", select=SELECT)
        return Application.read(body)

    def first_page(self, condition: str | None = None) -> str:
        """Return the address of the first page of all applications, or of those *condition* (OData) picks."""
        query = {"$select": SELECT, "$top": str(_PAGE)} | ({"$filter": condition} if condition else {})
        return f"{self._graph.base}/applications?{urlencode(query)}"

    def page(self, url: str) -> Flow[Page]:
        """Read one page; Graph leaves the certificates' bytes out of lists."""
        body = yield from self._graph.call("GET", url)
        found = tuple(Application.read(each) for each in body.get("value", ()))
        return Page(found, body.get("@odata.nextLink"))

    def create(self, display_name: str, certificate: Certificate | None = None) -> Flow[Created]:
        """Make an application with its service principal.

        :raises RegistrationError: ``no-principal``: the application was made, its service principal was not.
        """
        body: dict[str, Any] = {"displayName": display_name, "signInAudience": "AzureADMyOrg"}
        if certificate is not None:
            body["keyCredentials"] = [KeyCredential.of(certificate).as_graph()]
        created = yield from self._graph.call("POST", "/applications", body)
        application = Application.read(created)
        try:
            principal = yield from self._patiently("/servicePrincipals", {"appId": application.app_id})
        except RegistrationError as error:
            raise RegistrationError(
                f"The application {display_name} was made (client id {application.app_id}), its service "
                f"principal was not: {error.message}",
                code="no-principal",
                remedy=f"Make it: az ad sp create --id {application.app_id}",
                app_id=application.app_id,
            ) from error
        return Created(application, str(principal["id"]), str(principal.get("appOwnerOrganizationId") or ""))

    def principal_id(self, app_id: str) -> Flow[str]:
        """Return the object id of an application's service principal: who it is where roles are given.

        :raises RegistrationError: ``not-found``: it has none, or this identity may not see it.
        """
        found = yield from self._graph.call(
            "GET", "/servicePrincipals", filter=f"appId eq '{app_id}'", select="id"
        )
        if not found.get("value"):
            raise RegistrationError(
                f"The application {app_id} has no service principal in this tenant.",
                code="not-found",
                remedy=f"Make it: az ad sp create --id {app_id}",
            )
        return str(found["value"][0]["id"])

    def add_certificate(self, object_id: str, certificate: Certificate) -> Flow[KeyCredential]:
        """Put *certificate* on the application beside all it has; one already there stays as it is."""
        new = KeyCredential.of(certificate)

        def change(application: Application) -> list[Any] | None:
            if any(key.is_for(certificate) for key in application.keys):
                return None
            return [*application.raw_keys, new.as_graph()]

        application = yield from self._change(object_id, change)
        return next(key for key in application.keys if key.is_for(certificate))

    def remove_certificate(self, object_id: str, key_id: str) -> Flow[Application]:
        """Take the credential *key_id* off the application; nothing happens where it is gone already."""

        def change(application: Application) -> list[Any] | None:
            kept = [key for key in application.raw_keys if key["keyId"] != key_id]
            return None if len(kept) == len(application.raw_keys) else kept

        return (yield from self._change(object_id, change))

    def add_key(self, object_id: str, certificate: Certificate, proof: str) -> Flow[KeyCredential]:
        """Let the application add a certificate to itself, proving that it holds one it has (``addKey``).

        :param proof: see `azcert.registration.proof`.
        """
        body = KeyCredential.of(certificate).as_graph()
        answer = yield from self._graph.call(
            "POST",
            f"/applications/{object_id}/addKey",
            {
                "keyCredential": {name: body[name] for name in ("type", "usage", "key")},
                "passwordCredential": None,
                "proof": proof,
            },
        )
        return KeyCredential.read(answer)

    def remove_key(self, object_id: str, key_id: str, proof: str) -> Flow[None]:
        """Let the application remove one of its own certificates (``removeKey``)."""
        yield from self._graph.call(
            "POST", f"/applications/{object_id}/removeKey", {"keyId": key_id, "proof": proof}
        )

    def remove_password(self, object_id: str, key_id: str) -> Flow[None]:
        """Remove a client secret."""
        yield from self._graph.call("POST", f"/applications/{object_id}/removePassword", {"keyId": key_id})

    def _filter(self, condition: str) -> Flow[list[dict[str, Any]]]:
        body = yield from self._graph.call(
            "GET", "/applications", filter=condition, select="id,appId,displayName"
        )
        return list(body.get("value", []))

    def _change(self, object_id: str, change: Callable[[Application], list[Any] | None]) -> Flow[Application]:
        """Apply *change* until two readings, a settling pause apart, say that nothing is left to change."""
        settled = True
        for _ in range(_TRIES):
            application = yield from self.get(object_id)
            keys = change(application)
            if keys is not None:
                settled = False
                yield from self._graph.call("PATCH", f"/applications/{object_id}", {"keyCredentials": keys})
            elif settled:
                return application
            else:
                settled = True
            yield Pause(self._settle)
        raise RegistrationError(
            f"The certificates of application {object_id} kept changing under {_TRIES} attempts of ours.",
            code="conflict",
            remedy="Another program writes them as well; try again when it has finished.",
        )

    def _patiently(self, path: str, body: dict[str, Any]) -> Flow[dict[str, Any]]:
        """POST to something that may need an object just made to be known everywhere first."""
        wait = 1.0
        while True:
            try:
                return (yield from self._graph.call("POST", path, body))
            except RegistrationError as error:
                if error.details["status"] not in {400, 404} or wait > 16:  # noqa: PLR2004
                    raise
            yield Pause(wait)
            wait *= 2
