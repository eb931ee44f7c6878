"""The registrations of one tenant: found by their ids, listed in pages, deleted softly.

Beside the world's ``app`` documents there are two kinds of our own: ``graph-index`` (object id -> client id,
made when it is first needed) and ``graph-deleted`` (object id -> what a deletion took away).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.emulator.graph import faults
from azcert.emulator.graph.faults import GraphRefusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from azcert.emulator.world import World

__all__ = ["Directory"]

App = dict[str, Any]

_CHUNK = 200


class Directory:
    """One tenant's applications; a service principal is a part of its application's document."""

    def __init__(self, world: World, tenant: str) -> None:
        self.world = world
        self.tenant = tenant
        self._documents = world.documents

    def by_client_id(self, client_id: str) -> App | None:
        """Return the application with this client id."""
        app = self._documents.get("app", client_id.lower())
        return app if isinstance(app, dict) and self._is_mine(app) else None

    def application(self, object_id: str) -> App:
        """Return the application with this object id.

        :raises GraphRefusal: there is none.
        """
        return self._find(object_id, "id")

    def holder_of_principal(self, object_id: str) -> App:
        """Return the application whose service principal has this object id.

        :raises GraphRefusal: there is none.
        """
        return self._find(object_id, "servicePrincipalId")

    def after(self, client_id: str) -> Iterator[App]:
        """Yield the tenant's applications that follow *client_id*, in that order."""
        while True:
            chunk = self._documents.items("app", after=client_id, limit=_CHUNK)
            yield from (app for _, app in chunk if self._is_mine(app))
            if len(chunk) < _CHUNK:
                return
            client_id = chunk[-1][0]

    def keep(self, app: App) -> None:
        """Store *app*."""
        self._documents.put("app", app["appId"].lower(), app)

    def domain(self) -> str | None:
        """Return the tenant's first domain."""
        tenant = self._documents.get("tenant", self.tenant) or {}
        return next(iter(tenant.get("domains") or ()), None)

    def page(self, after: str, size: int, accept: Callable[[App], bool]) -> tuple[list[App], str | None]:
        """Return *size* applications that follow *after* and are accepted, and where the next page begins."""
        found: list[App] = []
        for app in self.after(after):
            if accept(app):
                if len(found) == size:
                    return found, found[-1]["appId"].lower()
                found.append(app)
        return found, None

    # Deletion

    def delete_application(self, app: App) -> None:
        """Move *app*, with its service principal, to the deleted items."""
        self._documents.delete("app", app["appId"].lower())
        self._documents.put("graph-deleted", app["id"].lower(), {"what": "application", "app": app})

    def delete_principal(self, app: App) -> None:
        """Move the service principal of *app* to the deleted items."""
        taken = {name: app.pop(name) for name in ("servicePrincipalId", "servicePrincipal") if name in app}
        self.keep(app)
        self._documents.put(
            "graph-deleted",
            taken["servicePrincipalId"].lower(),
            {"what": "servicePrincipal", "app": {**app, **taken}},
        )

    def deleted(self, object_id: str) -> dict[str, Any]:
        """Return a deleted item: ``what`` it was, and its ``app``.

        :raises GraphRefusal: there is none.
        """
        item = self._documents.get("graph-deleted", object_id.lower())
        if not isinstance(item, dict) or not self._is_mine(item["app"]):
            raise GraphRefusal(faults.NOT_FOUND, id=object_id)
        return item

    def all_deleted(self, what: str) -> list[App]:
        """Return the applications of the deleted items of one kind."""
        items = [item for _, item in self._documents.items("graph-deleted")]
        return [item["app"] for item in items if item["what"] == what and self._is_mine(item["app"])]

    def purge(self, object_id: str) -> None:
        """Remove a deleted item for good.

        :raises GraphRefusal: there is none.
        """
        self.deleted(object_id)
        self._documents.delete("graph-deleted", object_id.lower())

    def restore(self, object_id: str) -> dict[str, Any]:
        """Bring a deleted item back, and return it.

        :raises GraphRefusal: there is none.
        """
        item = self.deleted(object_id)
        app = item["app"]
        if item["what"] == "servicePrincipal":
            current = self.by_client_id(app["appId"])
            if current is None:
                raise GraphRefusal(faults.NO_APP, id=app["appId"])
            names = ("servicePrincipalId", "servicePrincipal")
            app = {**current, **{name: app[name] for name in names if name in app}}
        self.keep(app)
        self._documents.delete("graph-deleted", object_id.lower())
        return {**item, "app": app}

    def _find(self, object_id: str, member: str) -> App:
        app = self._indexed(object_id, member)
        if app is None:
            # All at once: whoever asks for one by its object id will ask for others.
            with self._documents.transaction():
                for each in self.after(""):
                    for name in ("id", "servicePrincipalId"):
                        if each.get(name):
                            self._documents.put("graph-index", each[name].lower(), each["appId"].lower())
            app = self._indexed(object_id, member)
        if app is None:
            raise GraphRefusal(faults.NOT_FOUND, id=object_id)
        return app

    def _indexed(self, object_id: str, member: str) -> App | None:
        wanted = object_id.lower()
        hint = self._documents.get("graph-index", wanted)
        app = self.by_client_id(hint) if isinstance(hint, str) else None
        return app if app is not None and str(app.get(member, "")).lower() == wanted else None

    def _is_mine(self, app: App) -> bool:
        return str(app.get("tenant", "")).lower() == self.tenant
