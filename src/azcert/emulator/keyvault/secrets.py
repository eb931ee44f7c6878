"""Secrets: https://learn.microsoft.com/rest/api/keyvault/secrets/operation-groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.emulator.keyvault import faults
from azcert.emulator.keyvault.call import Operation, check_name, new_version, read_attributes, read_tags
from azcert.emulator.keyvault.collection import Actions, Collection, Kinds
from azcert.emulator.keyvault.faults import VaultRefusal
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
KINDS = Kinds(
    listed=_kind("list", "list-empty-pages"),
    versions=_kind("list of versions", "versions-missing"),
    deleted=_kind("delete", "crud", "recover"),
    got_deleted=_kind("get deleted", "crud"),
    listed_deleted=_kind("list of deleted", "deleted-list", "set-while-deleted"),
    recovered=_kind("recover", "recover"),
    purged=_kind("purge", "tags-purge", "deleted-list", status=204),
    backed_up=_kind("backup", "restore-conflict"),
    restored=_kind("restore", "restore-conflict"),
)


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
    shelf.refuse_managed(name, "set")
    document = shelf.add(name, entry)
    return SET.answer({"value": value, **_bundle(shelf, document, entry)})


def _get(call: Call, name: str, version: str) -> Answer:
    shelf = Shelf(call, "secret")
    document, entry = shelf.live(name, version)
    refusal = _unreadable(entry)
    if refusal is not None:
        raise refusal
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


def _content_type(body: dict[str, Any], base: str | None = None) -> str | None:
    given = body.get("contentType")
    if given is None:
        return base
    if not isinstance(given, str) or len(given) > MAX_CONTENT_TYPE:
        reason = f"It must be a string of at most {MAX_CONTENT_TYPE} characters."
        raise VaultRefusal(faults.PROPERTY, name="contentType", reason=reason)
    return given


def _bundle(shelf: Shelf, document: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """Return a secret without its value, members in the service's order."""
    return _members(shelf, entry, shelf.identifier(document, entry["version"]))


def _item(shelf: Shelf, document: dict[str, Any], _deleted: bool) -> dict[str, Any]:
    """Return a list's entry: the newest version, its id without version."""
    members = _members(shelf, shelf.newest(document), shelf.identifier(document))
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


def _unreadable(entry: dict[str, Any]) -> VaultRefusal | None:
    return None if entry["attributes"]["enabled"] else VaultRefusal(faults.DISABLED)


COLLECTION = Collection(
    "secret",
    KINDS,
    Actions(read="secrets/readMetadata/action", delete="secrets/delete"),
    _bundle,
    _item,
    unreadable=_unreadable,
)
OPERATIONS = (
    *COLLECTION.operations(),
    Operation("PUT", "secrets/{name}", "secrets/setSecret/action", _set),
    Operation("GET", "secrets/{name}", "secrets/getSecret/action", _get),
    Operation("GET", "secrets/{name}/{version}", "secrets/getSecret/action", _get),
    Operation("PATCH", "secrets/{name}", "secrets/update/action", _update),
    Operation("PATCH", "secrets/{name}/{version}", "secrets/update/action", _update),
)
