"""The CAs that a vault knows by name; kept, but none of them stands behind the emulator.

Documents of kind ``issuer``, key ``vault/name`` in lower case.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.emulator.keyvault import faults
from azcert.emulator.keyvault.call import Operation, check_name
from azcert.emulator.keyvault.faults import VaultRefusal
from azcert.emulator.keyvault.paging import page
from azcert.emulator.origin import Kind, documented, recorded

if TYPE_CHECKING:
    from azcert.emulator.keyvault.call import Call
    from azcert.emulator.origin import Answer

__all__ = ["OPERATIONS"]

REST = "https://learn.microsoft.com/rest/api/keyvault/certificates"

SET = Kind("certificates", "set an issuer", 200, recorded("keyvault-cert-operation-failed.json"))
DELETED = Kind("certificates", "delete an issuer", 200, recorded("keyvault-cert-operation-failed.json"))
GOT = Kind(
    "certificates", "get an issuer", 200, documented(f"{REST}/get-certificate-issuer/get-certificate-issuer")
)
LISTED = Kind(
    "certificates",
    "list of issuers",
    200,
    documented(f"{REST}/get-certificate-issuers/get-certificate-issuers"),
)


def _set(call: Call, name: str, _version: str) -> Answer:
    check_name(name)
    body = call.json()
    provider = body.get("provider")
    if not isinstance(provider, str):
        raise VaultRefusal(faults.PROPERTY, name="provider", reason="It must be a string.")
    credentials, details = body.get("credentials"), body.get("org_details")
    kept: dict[str, Any] = {"id": f"{call.vault.url}/certificates/issuers/{name}", "provider": provider}
    if isinstance(credentials, dict):
        kept["credentials"] = {key: value for key, value in credentials.items() if key != "pwd"}
    if isinstance(details, dict):
        kept["org_details"] = {**details, "zip": details.get("zip", 0)}
    kept["attributes"] = {"enabled": True, "created": call.now, "updated": call.now}
    call.world.documents.put("issuer", _key(call, name), kept)
    return SET.answer(kept)


def _get(call: Call, name: str, _version: str) -> Answer:
    return GOT.answer(_find(call, name))


def _delete(call: Call, name: str, _version: str) -> Answer:
    kept = _find(call, name)
    call.world.documents.delete("issuer", _key(call, name))
    return DELETED.answer(kept)


def _list(call: Call, _name: str, _version: str) -> Answer:
    items = [
        (key, {"id": kept["id"], "provider": kept["provider"]})
        for key, kept in call.world.documents.items("issuer", f"{call.vault.name}/")
    ]
    return LISTED.answer(page(call, "certificates/issuers", items))


def _find(call: Call, name: str) -> dict[str, Any]:
    check_name(name)
    kept = call.world.documents.get("issuer", _key(call, name))
    if not isinstance(kept, dict):
        raise VaultRefusal(faults.ISSUER_NOT_FOUND, name=name)
    return kept


def _key(call: Call, name: str) -> str:
    return f"{call.vault.name}/{name.lower()}"


OPERATIONS = (
    Operation("GET", "certificates/issuers", "certificatecas/read", _list),
    Operation("PUT", "certificates/issuers/{name}", "certificatecas/write", _set),
    Operation("GET", "certificates/issuers/{name}", "certificatecas/read", _get),
    Operation("DELETE", "certificates/issuers/{name}", "certificatecas/delete", _delete),
)
