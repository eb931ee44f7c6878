"""What applications and service principals have in common: listing, reading, keys, passwords, owners."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from azcert.emulator.graph import credentials, faults
from azcert.emulator.graph.calls import Operation
from azcert.emulator.graph.faults import GraphRefusal
from azcert.emulator.graph.odata import parse_filter, parse_top, selected
from azcert.emulator.graph.proof import check_proof
from azcert.emulator.origin import Kind, documented, recorded

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.emulator.graph.calls import Call
    from azcert.emulator.graph.directory import App
    from azcert.emulator.origin import Answer

__all__ = ["CREATED", "DELETED", "GOT", "UPDATED", "Collection", "by_client_id"]

_API = "https://learn.microsoft.com/graph/api"
_CREATE, _PRINCIPAL = "graph-app-create-cert.json", "graph-sp-create-delete.json"
_PASSWORDS = ("graph-app-password-2023.json", "graph-sp-password.json")

LISTED = Kind("graph", "list, filtered", 200, recorded("graph-app-lookup-404.json", _PRINCIPAL))
GOT = Kind("graph", "get", 200, recorded(_CREATE, _PRINCIPAL))
CREATED = Kind("graph", "create", 201, recorded(_CREATE, _PRINCIPAL))
UPDATED = Kind("graph", "update", 204, recorded(_CREATE))
DELETED = Kind("graph", "delete", 204, recorded(_CREATE, _PRINCIPAL))
PASSWORD_ADDED = Kind("graph", "addPassword", 200, recorded(*_PASSWORDS))
PASSWORD_REMOVED = Kind("graph", "removePassword", 204, documented(f"{_API}/application-removepassword"))
KEY_ADDED = Kind("graph", "addKey", 200, documented(f"{_API}/application-addkey"))
KEY_REMOVED = Kind("graph", "removeKey", 204, documented(f"{_API}/application-removekey"))
OWNERS = Kind("graph", "owners", 200, documented(f"{_API}/application-list-owners"))

# What a client cannot set.
_READ_ONLY = {
    "id",
    "appId",
    "createdDateTime",
    "deletedDateTime",
    "publisherDomain",
    "disabledByMicrosoftStatus",
    "certification",
    "applicationTemplateId",
}


class Collection:
    """Applications or service principals: what they share, in terms of the application's document."""

    name: str
    kind: str
    show: Callable[..., dict[str, Any]]

    def find(self, call: Call, identifier: str) -> App:
        """Return the application's document behind an identifier.

        :raises GraphRefusal: there is none.
        """
        raise NotImplementedError

    def has(self, app: App) -> bool:
        """Tell whether the application's document has such an object."""
        raise NotImplementedError

    def holder(self, app: App) -> dict[str, Any]:
        """Return the part of the document that holds the object's credentials, to read and change."""
        raise NotImplementedError

    def object_id(self, app: App) -> str:
        """Return the object's id."""
        raise NotImplementedError

    def operations(self) -> list[Operation]:
        """Return the rows of the table that both have."""
        name = self.name
        return [
            Operation("GET", name, self._list),
            Operation("GET", f"{name}/{{id}}", self._get),
            Operation("POST", f"{name}/{{id}}/addPassword", self._add_password),
            Operation("POST", f"{name}/{{id}}/removePassword", self._remove_password),
            Operation("POST", f"{name}/{{id}}/addKey", self._add_key),
            Operation("POST", f"{name}/{{id}}/removeKey", self._remove_key),
            Operation("GET", f"{name}/{{id}}/owners", self._owners),
        ]

    def _list(self, call: Call, _: str) -> Answer:
        call.caller.check_may_read()
        top, select = parse_top(call.query.get("$top")), call.query.get("$select")
        text = call.query.get("$filter")
        condition = parse_filter(text) if text else None

        def accept(app: App) -> bool:
            return self.has(app) and (condition is None or condition(self.show(app)))

        found, following = call.directory.page(call.query.get("$skiptoken", ""), top, accept)
        body = call.context(f"{self.name}({select})" if select else self.name)
        if call.query.get("$count") == "true":
            body["@odata.count"] = sum(1 for app in call.directory.after("") if accept(app))
        if following:
            query = {**call.query, "$skiptoken": following}
            body["@odata.nextLink"] = f"{call.base}/{self.name}?{urlencode(query, safe='$')}"
        return LISTED.answer({**body, "value": [selected(self.show(app), select) for app in found]})

    def _get(self, call: Call, identifier: str) -> Answer:
        call.caller.check_may_read()
        app = self.find(call, identifier)
        select = call.query.get("$select")
        shown = selected(self.show(app, keys="keyCredentials" in (select or "").split(",")), select)
        context = f"{self.name}({select})/$entity" if select else f"{self.name}/$entity"
        return GOT.answer({**call.context(context), **shown})

    def _add_password(self, call: Call, identifier: str) -> Answer:
        app = self.find(call, identifier)
        call.caller.check_may_write(app)
        given = (call.json() if call.body else {}).get("passwordCredential")
        added = credentials.new_password(call.directory.world, given, hinted=self.kind == "Application")
        self.holder(app).setdefault("passwordCredentials", []).append(added)
        call.directory.keep(app)
        shown = {name: value for name, value in added.items() if name != "addedAt"}
        headers = {"Location": call.base.rpartition("/")[0]}
        return PASSWORD_ADDED.answer({**call.context("microsoft.graph.passwordCredential"), **shown}, headers)

    def _remove_password(self, call: Call, identifier: str) -> Answer:
        app = self.find(call, identifier)
        call.caller.check_may_write(app)
        holder = self.holder(app)
        kept = holder.get("passwordCredentials") or []
        holder["passwordCredentials"] = credentials.without(kept, call.json().get("keyId"))
        call.directory.keep(app)
        return PASSWORD_REMOVED.answer()

    def _add_key(self, call: Call, identifier: str) -> Answer:
        app, body = self._proved(call, identifier)
        given = body.get("keyCredential")
        if not isinstance(given, dict):
            raise GraphRefusal(faults.PROPERTY, name="keyCredential", resource=self.kind)
        added = credentials.new_key(call.directory.world, given)
        self.holder(app).setdefault("keyCredentials", []).append(added)
        call.directory.keep(app)
        shown = {**added, "key": None}
        del shown["addedAt"]
        return KEY_ADDED.answer({**call.context("microsoft.graph.keyCredential"), **shown})

    def _remove_key(self, call: Call, identifier: str) -> Answer:
        app, body = self._proved(call, identifier)
        holder = self.holder(app)
        holder["keyCredentials"] = credentials.without(holder.get("keyCredentials") or [], body.get("keyId"))
        call.directory.keep(app)
        return KEY_REMOVED.answer()

    def _proved(self, call: Call, identifier: str) -> tuple[App, dict[str, Any]]:
        app = self.find(call, identifier)
        call.caller.check_may_roll_keys(app)
        body = call.json()
        check_proof(call.directory.world, self.holder(app), self.object_id(app), body.get("proof"))
        return app, body

    def _owners(self, call: Call, identifier: str) -> Answer:
        call.caller.check_may_read()
        app = self.find(call, identifier)
        owners = [
            {"@odata.type": "#microsoft.graph.servicePrincipal", "id": each} for each in app.get("owners", ())
        ]
        return OWNERS.answer({**call.context("directoryObjects"), "value": owners})

    def change_credentials(self, call: Call, holder: dict[str, Any], body: dict[str, Any]) -> None:
        """Change the credentials in *holder* as a POST's or PATCH's *body* says."""
        if body.get("passwordCredentials"):
            raise GraphRefusal(faults.PASSWORDS)
        if "keyCredentials" in body:
            kept = holder.get("keyCredentials") or []
            given = body["keyCredentials"]
            holder["keyCredentials"] = credentials.replaced_keys(call.directory.world, kept, given)

    def check_members(self, template: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
        """Return the members of *body* to be kept as they are."""
        found = {}
        for name, value in body.items():
            if name.startswith("@") or name in {"keyCredentials", "passwordCredentials"}:
                continue
            if name not in template:
                raise GraphRefusal(faults.PROPERTY, name=name, resource=self.kind)
            if name in _READ_ONLY:
                raise GraphRefusal(faults.READ_ONLY, name=name)
            if template[name] is not None and not isinstance(value, type(template[name])):
                raise GraphRefusal(faults.PROPERTY, name=name, resource=self.kind)
            found[name] = copy.deepcopy(value)
        return found

    def created(self, call: Call, app: App, shown: dict[str, Any]) -> Answer:
        """Return the answer to a POST that made the object *shown*."""
        graph = call.base.rpartition("/")[0]
        place = f"{graph}/v2/{app['tenant']}/directoryObjects/{shown['id']}"
        headers = {"Location": f"{place}/Microsoft.DirectoryServices.{self.kind}"}
        return CREATED.answer({**call.context(f"{self.name}/$entity"), **shown}, headers)


def by_client_id(call: Call, identifier: str) -> App | None:
    """Return the application of ``(appId='...')``; None where the identifier is an object id.

    :raises GraphRefusal: no application has that client id.
    """
    if not identifier.startswith("(appId='"):
        return None
    client_id = identifier.removeprefix("(appId='").removesuffix("')")
    app = call.directory.by_client_id(client_id)
    if app is None:
        raise GraphRefusal(faults.NOT_FOUND, id=client_id)
    return app
