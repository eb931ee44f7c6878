"""The operations on what was deleted and can be restored.

https://learn.microsoft.com/graph/api/resources/directory
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.emulator.graph import objects
from azcert.emulator.graph.calls import Operation
from azcert.emulator.graph.collection import GOT
from azcert.emulator.origin import Kind, documented, recorded

if TYPE_CHECKING:
    from azcert.emulator.graph.calls import Call
    from azcert.emulator.origin import Answer

__all__ = ["operations"]

_API = "https://learn.microsoft.com/graph/api"

PURGED = Kind("graph", "delete for good", 204, recorded("graph-app-create-cert.json"))
RESTORED = Kind("graph", "restore", 200, documented(f"{_API}/directory-deleteditems-restore"))
LISTED_DELETED = Kind("graph", "list of deleted", 200, documented(f"{_API}/directory-deleteditems-list"))


def operations() -> list[Operation]:
    """Return the rows of the table."""
    return [
        Operation("GET", "directory/deletedItems/microsoft.graph.application", _deleted_applications),
        Operation("GET", "directory/deletedItems/{id}", _get_deleted),
        Operation("DELETE", "directory/deletedItems/{id}", _purge),
        Operation("POST", "directory/deletedItems/{id}/restore", _restore),
    ]


def _deleted_applications(call: Call, _: str) -> Answer:
    call.caller.check_may_read()
    found = [objects.application(app) for app in call.directory.all_deleted("application")]
    return LISTED_DELETED.answer({**call.context("applications"), "value": found})


def _get_deleted(call: Call, object_id: str) -> Answer:
    call.caller.check_may_read()
    return GOT.answer(_item(call, call.directory.deleted(object_id)))


def _purge(call: Call, object_id: str) -> Answer:
    call.caller.check_may_write(call.directory.deleted(object_id)["app"])
    call.directory.purge(object_id)
    return PURGED.answer()


def _restore(call: Call, object_id: str) -> Answer:
    call.caller.check_may_write(call.directory.deleted(object_id)["app"])
    return RESTORED.answer(_item(call, call.directory.restore(object_id)))


def _item(call: Call, item: dict[str, Any]) -> dict[str, Any]:
    show = objects.application if item["what"] == "application" else objects.principal
    return {**call.context("directoryObjects/$entity"), **show(item["app"])}
