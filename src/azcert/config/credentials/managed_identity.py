"""Which managed identity is meant: one key for each kind of id, or a kind beside an id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.config.reading.origin import wrong

if TYPE_CHECKING:
    from azcert.config.reading.origin import Entry
    from azcert.config.reading.settings import Settings

__all__ = [
    "FLAT_IDENTITY_KEYS",
    "IDENTITY_KEYS",
    "identity_arguments",
    "identity_by_key",
    "identity_by_kind",
]

FLAT_IDENTITY_KEYS = (
    "managedIdentityClientId",
    "managedIdentityResourceId",
    "managedIdentityObjectId",
    "resourceId",
)
"""Keys of Microsoft.Extensions.Azure; an older edition of its page calls the resource id ``resourceId``."""

IDENTITY_KEYS = ("ManagedIdentityIdKind", "ManagedIdentityId")
"""Keys of Azure.Core's ``Credential`` section."""

_KINDS = {
    "systemassigned": None,
    "clientid": "client_id",
    "resourceid": "resource_id",
    "objectid": "object_id",
}


def identity_arguments(
    *, client_id: str | None = None, resource_id: str | None = None, object_id: str | None = None
) -> dict[str, Any]:
    """Return the arguments of ``ManagedIdentityCredential`` for one of three ids, or for none."""
    if client_id is not None:
        return {"client_id": client_id}
    given = {"resource_id": resource_id, "object_id": object_id}
    found = {name: value for name, value in given.items() if value is not None}
    return {"identity_config": found} if found else {}


def identity_by_key(section: Settings, entry: Entry, *, client_id: str | None = None) -> dict[str, Any]:
    """Return the arguments for the one id that *section* gives by a key of its own.

    :param client_id: counts where ``managedIdentityClientId`` is not given.
    :raises azcert.errors.ConfigurationError: there are several.
    """
    given = {
        "client_id": section.text("managedIdentityClientId") or client_id,
        "resource_id": section.text("managedIdentityResourceId") or section.text("resourceId"),
        "object_id": section.text("managedIdentityObjectId"),
    }
    count = sum(value is not None for value in given.values())
    if count > 1:
        raise wrong(
            entry,
            f"is {section.text('credential')}, and {count} ids are given; it takes one at most",
            code="two-identities",
            remedy=f"Keep one of clientId, {', '.join(FLAT_IDENTITY_KEYS[:3])}.",
        )
    return identity_arguments(**given)


def identity_by_kind(section: Settings) -> dict[str, Any]:
    """Return the arguments for the id of *section* and the kind that stands beside it.

    :raises azcert.errors.ConfigurationError: the kind is missing or unknown, or does not go with the id.
    """
    identifier, kind = section.text("ManagedIdentityId"), section.text("ManagedIdentityIdKind")
    id_entry, entry = section.entry("ManagedIdentityId"), section.entry("ManagedIdentityIdKind")
    if kind is None or entry is None:
        if identifier is not None and id_entry is not None:
            raise wrong(
                id_entry,
                "needs to be told what kind of id it is",
                code="incomplete-credential",
                remedy="Add ManagedIdentityIdKind: ClientId, ResourceId or ObjectId.",
            )
        return {}
    if kind.lower() not in _KINDS:
        expected = "SystemAssigned, ClientId, ResourceId or ObjectId"
        raise wrong(entry, f"is {entry.quoted}; expected {expected}", code="wrong-value")
    keyword = _KINDS[kind.lower()]
    if (keyword is None) != (identifier is None):
        found = "needs no ManagedIdentityId" if keyword is None else "needs a ManagedIdentityId"
        raise wrong(entry, f"is {kind}, which {found}", code="incomplete-credential")
    return {} if keyword is None else identity_arguments(**{keyword: identifier})
