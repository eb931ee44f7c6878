"""Secrets: https://learn.microsoft.com/rest/api/keyvault/secrets/operation-groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.emulator.keyvault import backups, faults
from azcert.emulator.keyvault.call import Operation, check_name, new_version, read_attributes, read_tags
from azcert.emulator.keyvault.faults import VaultRefusal
from azcert.emulator.keyvault.paging import page
from azcert.emulator.keyvault.shelf import Shelf
from azcert.emulator.origin import Kind, recorded

if TYPE_CHECKING:
    from azcert.emulator.keyvault.call import Call
    from azcert.emulator.origin import Answer

__all__ = ["OPERATIONS"]

MAX_VALUE = 25_600
MAX_CONTENT_TYPE = 255


def _kind(name: str, *files: str, status: int = 200) -> Kind:
    return Kind("secrets", name, status, recorded(*(f"keyvault-secret-{file}.json" for file in files)))


SET = _kind("set", "crud", "tags-purge", "list-empty-pages")
GOT = _kind("get, newest or one version", "crud", "disabled")
UPDATED = _kind("update", "crud", "tags-purge", "disabled")
DELETED = _kind("delete", "crud", "recover")
LISTED = _kind("list", "list-empty-pages")
VERSIONS = _kind("list of versions", "versions-missing")
GOT_DELETED = _kind("get deleted", "crud")
LISTED_DELETED = _kind("list of deleted", "deleted-list", "set-while-deleted")
RECOVERED = _kind("recover", "recover")
PURGED = _kind("purge", "tags-purge", "deleted-list", status=204)
BACKED_UP = _kind("backup", "restore-conflict")
RESTORED = _kind("restore", "restore-conflict")


def _set(call: Call, name: str, _version: str) -> Answer:
    check_name(name)
    body = call.json()
    value = body.get("value")
    if not isinstance(value, str):
        raise VaultRefusal(faults.PROPERTY, name="value", reason="It must be a string.")
    if len(value.encode("utf-8", "surrogatepass")) > MAX_VALUE:
        raise VaultRefusal(faults.PROPERTY, name="value", reason=f"It is longer than {MAX_VALUE} bytes.")
    shelf = Shelf(call, "secret")
    entry = {
        "version": new_version(),
        "value": value,
        "contentType": _content_type(body),
        "attributes": {**read_attributes(body), "created": call.now, "updated": call.now},
        "tags": read_tags(body),
    }
    _refuse_managed(shelf, name, "set")
    document = shelf.add(name, entry)
    return SET.answer({"value": value, **_bundle(shelf, document, entry)})


def _get(call: Call, name: str, version: str) -> Answer:
    shelf = Shelf(call, "secret")
    document, entry = shelf.live(name, version)
    if not entry["attributes"]["enabled"]:
        raise VaultRefusal(faults.DISABLED)
    return GOT.answer({"value": entry["value"], **_bundle(shelf, document, entry)})


def _update(call: Call, name: str, version: str) -> Answer:
    shelf = Shelf(call, "secret")
    document, entry = shelf.live(name, version)
    body = call.json()
    entry["attributes"] = {**read_attributes(body, entry["attributes"]), "updated": call.now}
    entry["contentType"] = _content_type(body, entry["contentType"])
    entry["tags"] = read_tags(body, entry["tags"])
    shelf.keep(document)
    return UPDATED.answer(_bundle(shelf, document, entry))


def _delete(call: Call, name: str, _version: str) -> Answer:
    shelf = Shelf(call, "secret")
    _refuse_managed(shelf, name, "delete")
    document = shelf.delete(name)
    return DELETED.answer({**shelf.deletion(document), **_bundle(shelf, document, document["versions"][-1])})


def _list(call: Call, _name: str, _version: str) -> Answer:
    shelf = Shelf(call, "secret")
    items = [(found["name"].lower(), _item(shelf, found)) for found in shelf.all_in("live")]
    return LISTED.answer(page(call, "secrets", items))


def _versions(call: Call, name: str, _version: str) -> Answer:
    shelf = Shelf(call, "secret")
    document = shelf.find(name) or {"versions": ()}
    items = [
        (f"{number:08d}", _bundle(shelf, document, entry))
        for number, entry in enumerate(document["versions"])
    ]
    return VERSIONS.answer(page(call, f"secrets/{name}/versions", items))


def _get_deleted(call: Call, name: str, _version: str) -> Answer:
    shelf = Shelf(call, "secret")
    document = shelf.deleted(name)
    newest = document["versions"][-1]
    if not newest["attributes"]["enabled"]:
        raise VaultRefusal(faults.DISABLED)
    return GOT_DELETED.answer({**shelf.deletion(document), **_bundle(shelf, document, newest)})


def _list_deleted(call: Call, _name: str, _version: str) -> Answer:
    shelf = Shelf(call, "secret")
    items = [
        (found["name"].lower(), {**shelf.deletion(found), **_item(shelf, found)})
        for found in shelf.all_in("deleted")
    ]
    return LISTED_DELETED.answer(page(call, "deletedsecrets", items))


def _recover(call: Call, name: str, _version: str) -> Answer:
    shelf = Shelf(call, "secret")
    document = shelf.recover(name)
    return RECOVERED.answer(_bundle(shelf, document, document["versions"][-1]))


def _purge(call: Call, name: str, _version: str) -> Answer:
    Shelf(call, "secret").purge(name)
    return PURGED.answer()


def _backup(call: Call, name: str, _version: str) -> Answer:
    document, _ = Shelf(call, "secret").live(name)
    return BACKED_UP.answer({"value": backups.write(call.world, "secret", document)})


def _restore(call: Call, _name: str, _version: str) -> Answer:
    shelf = Shelf(call, "secret")
    document = backups.read(call.world, "secret", call.json().get("value"))
    shelf.restore(document)
    return RESTORED.answer(_bundle(shelf, document, document["versions"][-1]))


def _content_type(body: dict[str, Any], base: str | None = None) -> str | None:
    given = body.get("contentType")
    if given is None:
        return base
    if not isinstance(given, str) or len(given) > MAX_CONTENT_TYPE:
        reason = f"It must be a string of at most {MAX_CONTENT_TYPE} characters."
        raise VaultRefusal(faults.PROPERTY, name="contentType", reason=reason)
    return given


def _refuse_managed(shelf: Shelf, name: str, operation: str) -> None:
    document = shelf.find(name)
    if document is not None and document["versions"][-1].get("managed"):
        raise VaultRefusal(faults.MANAGED, operation=operation, noun="secret")


def _bundle(shelf: Shelf, document: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """Return a secret without its value, members in the service's order."""
    return _members(shelf, entry, shelf.identifier(document, entry["version"]))


def _item(shelf: Shelf, document: dict[str, Any]) -> dict[str, Any]:
    """Return a list's entry: the newest version, its id without version."""
    members = _members(shelf, document["versions"][-1], shelf.identifier(document))
    members.pop("kid", None)
    return members


def _members(shelf: Shelf, entry: dict[str, Any], identifier: str) -> dict[str, Any]:
    members = {
        "contentType": entry.get("contentType"),
        "id": identifier,
        "managed": entry.get("managed"),
        "attributes": shelf.call.attributes(entry["attributes"]),
        "tags": entry.get("tags"),
        "kid": entry.get("kid"),
    }
    return {name: value for name, value in members.items() if value is not None}


OPERATIONS = (
    Operation("GET", "secrets", "secrets/readMetadata/action", _list),
    Operation("POST", "secrets/restore", "secrets/restore/action", _restore),
    Operation("GET", "secrets/{name}/versions", "secrets/readMetadata/action", _versions),
    Operation("POST", "secrets/{name}/backup", "secrets/backup/action", _backup),
    Operation("PUT", "secrets/{name}", "secrets/setSecret/action", _set),
    Operation("GET", "secrets/{name}", "secrets/getSecret/action", _get),
    Operation("GET", "secrets/{name}/{version}", "secrets/getSecret/action", _get),
    Operation("PATCH", "secrets/{name}", "secrets/update/action", _update),
    Operation("PATCH", "secrets/{name}/{version}", "secrets/update/action", _update),
    Operation("DELETE", "secrets/{name}", "secrets/delete", _delete),
    Operation("GET", "deletedsecrets", "secrets/readMetadata/action", _list_deleted),
    Operation("GET", "deletedsecrets/{name}", "secrets/readMetadata/action", _get_deleted),
    Operation("POST", "deletedsecrets/{name}/recover", "secrets/recover/action", _recover),
    Operation("DELETE", "deletedsecrets/{name}", "secrets/purge/action", _purge),
)
