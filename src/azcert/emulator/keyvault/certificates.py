"""Certificates: https://learn.microsoft.com/rest/api/keyvault/certificates/operation-groups."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

from cryptography import x509

from azcert.emulator.keyvault import faults, issuing, jwk, pending, policy
from azcert.emulator.keyvault.call import Operation, check_name, new_version, read_attributes, read_tags
from azcert.emulator.keyvault.collection import Actions, Collection, Kinds
from azcert.emulator.keyvault.faults import VaultRefusal
from azcert.emulator.keyvault.shelf import Shelf
from azcert.emulator.origin import Kind, documented, recorded

if TYPE_CHECKING:
    from azcert.emulator.keyvault.call import Call
    from azcert.emulator.origin import Answer

__all__ = ["OPERATIONS"]

REST = "https://learn.microsoft.com/rest/api/keyvault/certificates"
RETRY = {"Retry-After": "10"}


def _kind(name: str, *files: str, status: int = 200) -> Kind:
    return Kind("certificates", name, status, recorded(*(f"keyvault-cert-{file}.json" for file in files)))


def _documented(name: str, page: str, status: int = 200) -> Kind:
    return Kind("certificates", name, status, documented(f"{REST}/{page}/{page}"))


CREATED = _kind("create: the operation begins", "create-self-signed", "nonexportable-secret", status=202)
OPERATION = _kind("get the operation", "create-self-signed", "operation-cancel", "operation-failed")
CANCELLED = _kind("cancel the operation", "operation-cancel")
OPERATION_DELETED = _kind("delete the operation", "operation-cancel")
MERGED = _documented("merge a CA's certificate", "merge-certificate", 201)
IMPORTED = _kind("import", "import-pfx", "import-pem")
GOT = _kind("get, newest or one version", "create-self-signed", "import-pem")
UPDATED = _kind("update", "create-self-signed")
GOT_POLICY = _documented("get the policy", "get-certificate-policy")
POLICY_UPDATED = _documented("update the policy", "update-certificate-policy")
KINDS = Kinds(
    listed=_kind("list", "list"),
    versions=_documented("list of versions", "get-certificate-versions"),
    deleted=_kind("delete", "create-self-signed", "import-pem", "operation-cancel"),
    got_deleted=_kind("get deleted", "create-self-signed", "list"),
    listed_deleted=_kind("list of deleted", "list"),
    recovered=_kind("recover", "delete-recover"),
    purged=_kind("purge", "create-self-signed", status=204),
    backed_up=_documented("backup", "backup-certificate"),
    restored=_documented("restore", "restore-certificate"),
)


def _create(call: Call, name: str, _version: str) -> Answer:
    check_name(name)
    body = call.json()
    shelf = Shelf(call, "certificate")
    base = shelf.claim(name).get("policy")
    wanted = policy.complete(body, call.now, base)
    asked = {"attributes": read_attributes(body), "tags": read_tags(body)}
    issuer = str(wanted["issuer"]["name"])
    if issuer.lower() not in {"self", "unknown"} and not _issuer_known(call, issuer):
        raise VaultRefusal(faults.PROPERTY, name="policy.issuer", reason=f"There is no issuer {issuer}.")
    key = _key_for(call, name, wanted)
    with call.world.documents.transaction():
        document = shelf.claim(name)
        if (document.get("pending") or {}).get("status") == "inProgress":
            raise VaultRefusal(faults.PENDING_EXISTS, name=name)
        _refuse_taken(call, document)
        pending.begin(call, document, key, wanted, asked)
        shelf.keep(document)
        shown = pending.operation(call, document)
    location = f"{shown['id']}?api-version={call.api_version}&request_id={shown['request_id']}"
    return CREATED.answer(shown, {**RETRY, "Location": location})


def _refuse_taken(call: Call, document: dict[str, Any]) -> None:
    """Refuse a new certificate where a secret or key of its own has the name that its own ones would get."""
    if document["versions"]:
        return
    for other in (Shelf(call, "key"), Shelf(call, "secret")):
        if other.claim(document["name"])["versions"]:
            raise VaultRefusal(faults.NAME_TAKEN, name=document["name"], noun=other.noun)


def _key_for(call: Call, name: str, wanted: dict[str, Any]) -> jwk.PrivateKey:
    props = wanted["key_props"]
    if props.get("reuse_key"):
        found = Shelf(call, "key").find(name)
        if found is not None:
            return jwk.from_pem(Shelf.newest(found)["pem"])
    return jwk.generate(props["kty"], props.get("key_size"), props.get("crv"))


def _operation(call: Call, name: str, _version: str) -> Answer:
    document = _with_operation(call, name)
    shown = pending.operation(call, document)
    going = shown["status"] == "inProgress" and not shown["cancellation_requested"]
    return OPERATION.answer(shown, RETRY if going else {})


def _cancel(call: Call, name: str, _version: str) -> Answer:
    document = _with_operation(call, name)
    wanted = call.json().get("cancellation_requested")
    if wanted is not True:
        raise VaultRefusal(faults.PROPERTY, name="cancellation_requested", reason="It must be true.")
    if document["pending"]["status"] == "inProgress":
        document["pending"]["cancelled"] = True
        document["pending"]["readyAt"] = call.world.clock.now() + call.world.delays.issuance
        Shelf(call, "certificate").keep(document)
    return CANCELLED.answer(pending.operation(call, document))


def _delete_operation(call: Call, name: str, _version: str) -> Answer:
    document = _with_operation(call, name)
    shown = pending.operation(call, document)
    pending.end(call, document, "deleted")
    document["pending"] = None
    Shelf(call, "certificate").keep(document)
    return OPERATION_DELETED.answer(shown)


def _merge(call: Call, name: str, _version: str) -> Answer:
    document = _with_operation(call, name)
    if document["pending"]["status"] != "inProgress":
        raise VaultRefusal(faults.PENDING_NOT_FOUND, name=name)
    body = call.json()
    chain = _chain(body.get("x5c"))
    key = jwk.from_pem(document["pending"]["pem"])
    leaf = next((one for one in chain if one.public_key() == key.public_key()), None)
    if leaf is None:
        raise VaultRefusal(faults.OTHER_KEY)
    ordered = [leaf, *(one for one in chain if one is not leaf)]
    entry = pending.fill(call, document, key, ordered)
    entry["tags"] = read_tags(body, entry["tags"])
    pending.end(call, document, "completed")
    shelf = Shelf(call, "certificate")
    shelf.keep(document)
    return MERGED.answer(_bundle(shelf, document, entry))


def _import(call: Call, name: str, _version: str) -> Answer:
    check_name(name)
    body = call.json()
    key, chain, content_type = issuing.read_bundle(body.get("value"), body.get("pwd"))
    shelf = Shelf(call, "certificate")
    document = shelf.claim(name)
    _refuse_taken(call, document)
    if (document.get("pending") or {}).get("status") == "inProgress":
        raise VaultRefusal(faults.PENDING_EXISTS, name=name)
    document["policy"] = policy.from_certificate(chain[0], key, body, content_type, call.now)
    document["pending"] = None
    entry: dict[str, Any] = {"version": new_version(), "tags": read_tags(body)}
    pending.store(call, document, entry, key, chain, enabled=read_attributes(body)["enabled"])
    document["versions"].append(entry)
    shelf.keep(document)
    return IMPORTED.answer(_bundle(shelf, document, entry))


def _get(call: Call, name: str, version: str) -> Answer:
    shelf = Shelf(call, "certificate")
    return GOT.answer(_bundle(shelf, *shelf.live(name, version)))


def _update(call: Call, name: str, version: str) -> Answer:
    shelf = Shelf(call, "certificate")
    document, entry = shelf.live(name, version)
    body = call.json()
    # Validity is the certificate's: exp and nbf are taken without a word and change nothing.
    entry["attributes"]["enabled"] = read_attributes(body, entry["attributes"])["enabled"]
    entry["attributes"]["updated"] = call.now
    entry["tags"] = read_tags(body, entry["tags"])
    for noun in ("key", "secret"):
        other = Shelf(call, noun)
        found = other.find(name)
        for one in found["versions"] if found else ():
            if one["version"] == entry["version"]:
                one["attributes"] = dict(entry["attributes"])
                one["tags"] = entry["tags"]
        if found:
            other.keep(found)
    shelf.keep(document)
    return UPDATED.answer(_bundle(shelf, document, entry))


def _get_policy(call: Call, name: str, _version: str) -> Answer:
    return GOT_POLICY.answer(_policy(call, Shelf(call, "certificate").live(name)[0]))


def _update_policy(call: Call, name: str, _version: str) -> Answer:
    document, _ = Shelf(call, "certificate").live(name)
    document["policy"] = policy.complete({"policy": call.json()}, call.now, document["policy"])
    Shelf(call, "certificate").keep(document)
    return POLICY_UPDATED.answer(_policy(call, document))


def _with_operation(call: Call, name: str) -> dict[str, Any]:
    check_name(name)
    document = Shelf(call, "certificate").find(name)
    if document is None or not document.get("pending"):
        raise VaultRefusal(faults.PENDING_NOT_FOUND, name=name)
    return document


def _chain(x5c: object) -> list[x509.Certificate]:
    if not isinstance(x5c, list) or not x5c:
        raise VaultRefusal(faults.PROPERTY, name="x5c", reason="It must be a list of certificates.")
    try:
        return [x509.load_der_x509_certificate(base64.b64decode(str(one), validate=True)) for one in x5c]
    except ValueError:
        raise VaultRefusal(faults.PROPERTY, name="x5c", reason="It must hold base64 of DER.") from None


def _issuer_known(call: Call, name: str) -> bool:
    return call.world.documents.get("issuer", f"{call.vault.name}/{name.lower()}") is not None


def _policy(call: Call, document: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{call.vault.url}/certificates/{document['name']}/policy", **document["policy"]}


def _thumbprint(entry: dict[str, Any]) -> str:
    der = base64.b64decode(entry["chain"][0])
    return jwk.encode(hashlib.sha1(der, usedforsecurity=False).digest())


def _bundle(shelf: Shelf, document: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    url, name, version = shelf.call.vault.url, document["name"], entry["version"]
    members: dict[str, Any] = {"id": shelf.identifier(document, version)}
    if "chain" in entry:
        members |= {
            "kid": f"{url}/keys/{name}/{version}",
            "sid": f"{url}/secrets/{name}/{version}",
            "x5t": _thumbprint(entry),
            "cer": entry["chain"][0],
        }
    members["attributes"] = shelf.call.attributes(entry["attributes"])
    if entry.get("tags") is not None:
        members["tags"] = entry["tags"]
    members["policy"] = _policy(shelf.call, document)
    if document.get("pending"):
        members["pending"] = {"id": f"{shelf.identifier(document)}/pending"}
    return members


def _item(shelf: Shelf, document: dict[str, Any], deleted: bool) -> dict[str, Any]:
    entry = shelf.newest(document)
    attributes = shelf.call.attributes(entry["attributes"])
    members: dict[str, Any] = {"id": shelf.identifier(document)}
    if "chain" in entry:
        members["x5t"] = _thumbprint(entry)
    if deleted:
        members["attributes"] = attributes
    else:
        members["attributes"] = {
            name: value for name, value in attributes.items() if not name.startswith("recover")
        }
    if entry.get("tags") is not None:
        members["tags"] = entry["tags"]
    return members if deleted else {**members, "subject": ""}


COLLECTION = Collection(
    "certificate",
    KINDS,
    Actions(read="certificates/read", delete="certificates/delete"),
    _bundle,
    _item,
    companions=("key", "secret"),
)
OPERATIONS = (
    *COLLECTION.operations(),
    Operation("POST", "certificates/{name}/create", "certificates/create/action", _create, slow=True),
    Operation("POST", "certificates/{name}/import", "certificates/import/action", _import),
    Operation("GET", "certificates/{name}/pending", "certificates/read", _operation),
    Operation("PATCH", "certificates/{name}/pending", "certificates/update/action", _cancel),
    Operation("DELETE", "certificates/{name}/pending", "certificates/update/action", _delete_operation),
    Operation("POST", "certificates/{name}/pending/merge", "certificates/create/action", _merge),
    Operation("GET", "certificates/{name}/policy", "certificates/read", _get_policy),
    Operation("PATCH", "certificates/{name}/policy", "certificates/update/action", _update_policy),
    Operation("GET", "certificates/{name}", "certificates/read", _get),
    Operation("GET", "certificates/{name}/{version}", "certificates/read", _get),
    Operation("PATCH", "certificates/{name}", "certificates/update/action", _update),
    Operation("PATCH", "certificates/{name}/{version}", "certificates/update/action", _update),
)
