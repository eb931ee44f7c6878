"""The operations on service principals, which are kept in their application's document.

https://learn.microsoft.com/graph/api/resources/serviceprincipal
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from azcert.emulator.graph import credentials, faults, objects
from azcert.emulator.graph.calls import Operation
from azcert.emulator.graph.collection import DELETED, UPDATED, Collection, by_client_id
from azcert.emulator.graph.faults import GraphRefusal

if TYPE_CHECKING:
    from azcert.emulator.graph.calls import Call
    from azcert.emulator.graph.directory import App
    from azcert.emulator.origin import Answer

__all__ = ["Principals"]


class Principals(Collection):
    """``/servicePrincipals``."""

    name = "servicePrincipals"
    kind = "ServicePrincipal"
    show = staticmethod(objects.principal)

    def find(self, call: Call, identifier: str) -> App:
        """Return the application's document behind an identifier.

        :raises GraphRefusal: there is none.
        """
        app = by_client_id(call, identifier)
        if app is None:
            return call.directory.holder_of_principal(identifier)
        if not self.has(app):
            raise GraphRefusal(faults.NOT_FOUND, id=str(app["appId"]))
        return app

    def has(self, app: App) -> bool:
        """Tell whether the application has a service principal."""
        return bool(app.get("servicePrincipalId"))

    def holder(self, app: App) -> dict[str, Any]:
        """Return the part of the document that is the service principal's."""
        found: dict[str, Any] = app.setdefault("servicePrincipal", {})
        return found

    def object_id(self, app: App) -> str:
        """Return the service principal's object id."""
        return str(app["servicePrincipalId"])

    def operations(self) -> list[Operation]:
        """Return the rows of the table."""
        return [
            *super().operations(),
            Operation("POST", self.name, self._create),
            Operation("PATCH", f"{self.name}/{{id}}", self._update),
            Operation("DELETE", f"{self.name}/{{id}}", self._delete),
        ]

    def _create(self, call: Call, _: str) -> Answer:
        call.caller.check_may_create()
        body = call.json()
        client_id = str(body.get("appId"))
        app = call.directory.by_client_id(client_id)
        if app is None:
            raise GraphRefusal(faults.NO_APP, id=client_id)
        call.caller.check_may_write(app)
        if self.has(app):
            raise GraphRefusal(faults.PRINCIPAL_EXISTS, id=client_id)
        members = {name: value for name, value in body.items() if name != "appId"}
        app["servicePrincipalId"] = str(uuid.uuid4())
        app["servicePrincipal"] = {"createdDateTime": credentials.graph_time(call.moment)}
        self._set(call, app, members)
        shown = self.show(app)
        # The answer's order is the other way round than that of later ones (recorded).
        shown["servicePrincipalNames"] = shown["servicePrincipalNames"][::-1]
        return self.created(call, app, shown)

    def _update(self, call: Call, identifier: str) -> Answer:
        app = self.find(call, identifier)
        call.caller.check_may_write(app)
        self._set(call, app, call.json())
        return UPDATED.answer()

    def _delete(self, call: Call, identifier: str) -> Answer:
        app = self.find(call, identifier)
        call.caller.check_may_write(app)
        call.directory.delete_principal(app)
        return DELETED.answer()

    def _set(self, call: Call, app: App, body: dict[str, Any]) -> None:
        holder = self.holder(app)
        holder |= self.check_members(objects.PRINCIPAL, body)
        self.change_credentials(call, holder, body)
        # The token endpoint looks at the application.
        app["accountEnabled"] = holder.get("accountEnabled", True)
        call.directory.keep(app)
