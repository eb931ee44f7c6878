"""The operations on applications.

https://learn.microsoft.com/graph/api/resources/application
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

__all__ = ["Applications"]

_PERSONAL = ("AzureADandPersonalMicrosoftAccount", "PersonalMicrosoftAccount")


class Applications(Collection):
    """``/applications``."""

    name = "applications"
    kind = "Application"
    show = staticmethod(objects.application)

    def find(self, call: Call, identifier: str) -> App:
        """Return the application's document behind an identifier.

        :raises GraphRefusal: there is none.
        """
        return by_client_id(call, identifier) or call.directory.application(identifier)

    def has(self, app: App) -> bool:
        """Return True: the document is the application's."""
        return bool(app)

    def holder(self, app: App) -> dict[str, Any]:
        """Return the document itself."""
        return app

    def object_id(self, app: App) -> str:
        """Return the application's object id."""
        return str(app["id"])

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
        members = self.check_members(objects.APPLICATION, body)
        if not isinstance(members.get("displayName"), str) or not members["displayName"]:
            raise GraphRefusal(faults.PROPERTY, name="displayName", resource=self.kind)
        app: App = {
            "id": str(uuid.uuid4()),
            "appId": str(uuid.uuid4()),
            "createdDateTime": credentials.graph_time(call.moment),
            "publisherDomain": call.directory.domain(),
            "tenant": call.directory.tenant,
            "owners": [call.caller.principal],
            **members,
        }
        audience = app.get("signInAudience", objects.APPLICATION["signInAudience"])
        if audience in _PERSONAL and "requestedAccessTokenVersion" not in (app.get("api") or {}):
            app["api"] = {**(app.get("api") or {}), "requestedAccessTokenVersion": 2}
        self.change_credentials(call, app, body)
        call.directory.keep(app)
        # The answer alone has a fraction of a second (recorded).
        created = call.moment.strftime("%Y-%m-%dT%H:%M:%S.%f0Z")
        return self.created(call, app, {**self.show(app), "createdDateTime": created})

    def _update(self, call: Call, identifier: str) -> Answer:
        app = self.find(call, identifier)
        call.caller.check_may_write(app)
        body = call.json()
        app |= self.check_members(objects.APPLICATION, body)
        self.change_credentials(call, app, body)
        call.directory.keep(app)
        return UPDATED.answer()

    def _delete(self, call: Call, identifier: str) -> Answer:
        app = self.find(call, identifier)
        call.caller.check_may_write(app)
        call.directory.delete_application(app)
        return DELETED.answer()
