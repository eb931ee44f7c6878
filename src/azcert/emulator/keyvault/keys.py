"""Keys that never leave the vault: https://learn.microsoft.com/rest/api/keyvault/keys/operation-groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.emulator.keyvault import faults, jwk, signing
from azcert.emulator.keyvault.call import Operation, new_version, read_attributes, read_tags
from azcert.emulator.keyvault.collection import Actions, Collection, Kinds
from azcert.emulator.keyvault.faults import VaultRefusal
from azcert.emulator.keyvault.shelf import Shelf
from azcert.emulator.origin import Kind, assumed, documented, recorded

if TYPE_CHECKING:
    from azcert.emulator.keyvault.call import Call
    from azcert.emulator.origin import Answer

__all__ = ["OPERATIONS", "key_entry"]

REST = "https://learn.microsoft.com/rest/api/keyvault/keys"
RSA_OPS = ["encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"]
EC_OPS = ["sign", "verify"]
ALL_OPS = {*RSA_OPS, "import", "export"}

CREATED = Kind("keys", "create", 200, recorded("keyvault-key-rsa-crud.json", "keyvault-key-sign-verify.json"))
IMPORTED = Kind("keys", "import", 200, documented(f"{REST}/import-key/import-key"))
GOT = Kind("keys", "get, newest or one version", 200, recorded("keyvault-key-rsa-crud.json"))
UPDATED = Kind("keys", "update", 200, recorded("keyvault-key-rsa-crud.json"))
SIGNED = Kind("keys", "sign", 200, recorded("keyvault-key-sign-verify.json"))
VERIFIED = Kind("keys", "verify", 200, recorded("keyvault-key-sign-verify.json"))
ROTATED = Kind("keys", "rotate", 200, documented(f"{REST}/rotate-key/rotate-key"))
KINDS = Kinds(
    listed=Kind("keys", "list", 200, recorded("keyvault-key-list.json")),
    versions=Kind("keys", "list of versions", 200, documented(f"{REST}/get-key-versions/get-key-versions")),
    deleted=Kind("keys", "delete", 200, recorded("keyvault-key-rsa-crud.json")),
    got_deleted=Kind("keys", "get deleted", 200, recorded("keyvault-key-rsa-crud.json")),
    listed_deleted=Kind(
        "keys", "list of deleted", 200, documented(f"{REST}/get-deleted-keys/get-deleted-keys")
    ),
    recovered=Kind("keys", "recover", 200, assumed("as a secret is recovered")),
    purged=Kind("keys", "purge", 204, recorded("keyvault-key-rsa-crud.json")),
    backed_up=Kind("keys", "backup", 200, assumed("as a secret is backed up")),
    restored=Kind("keys", "restore", 200, assumed("as a secret is restored")),
)


def key_entry(
    key: jwk.PrivateKey,
    attributes: dict[str, Any],
    *,
    kty: str = "",
    ops: list[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Return a version of a key as it is kept.

    :param kty: the kind it is shown as; by default that of the key.
    :param ops: its ``key_ops``; by default all that the kind can.
    """
    shown = jwk.public(key.public_key())
    kind = kty or ("RSA" if "n" in shown else "EC")
    return {
        "version": new_version(),
        "kty": kind,
        "key_ops": ops if ops is not None else (RSA_OPS if "n" in shown else EC_OPS),
        "public": shown,
        "pem": jwk.to_pem(key),
        "attributes": attributes,
        **more,
    }


def _create(call: Call, name: str, _version: str) -> Answer:
    body = call.json()
    shelf = Shelf(call, "key")
    ops = _read_ops(body)
    attributes = {**read_attributes(body), "created": call.now, "updated": call.now}
    tags = read_tags(body)
    # Before the key is made, which takes a while, and again when it is stored.
    shelf.claim(name)
    shelf.refuse_managed(name, "create")
    key = jwk.generate(body.get("kty"), body.get("key_size"), body.get("crv"))
    entry = key_entry(key, attributes, kty=str(body["kty"]), ops=ops, tags=tags, exportable=False)
    with call.world.documents.transaction():
        document = shelf.add(name, entry)
    return CREATED.answer(_bundle(shelf, document, entry))


def _import(call: Call, name: str, _version: str) -> Answer:
    body = call.json()
    given = body.get("key")
    if not isinstance(given, dict):
        raise VaultRefusal(faults.PROPERTY, name="key", reason="It must be a JSON Web Key.")
    shelf = Shelf(call, "key")
    shelf.refuse_managed(name, "import")
    key = jwk.imported(given)
    attributes = {**read_attributes(body), "created": call.now, "updated": call.now}
    kty = f"{given['kty']}-HSM" if body.get("Hsm") and "-" not in given["kty"] else str(given["kty"])
    entry = key_entry(key, attributes, kty=kty, ops=_read_ops(given), tags=read_tags(body), exportable=False)
    return IMPORTED.answer(_bundle(shelf, shelf.add(name, entry), entry))


def _rotate(call: Call, name: str, _version: str) -> Answer:
    shelf = Shelf(call, "key")
    shelf.refuse_managed(name, "rotate")
    _, old = shelf.live(name)
    size = None if "crv" in old["public"] else jwk.from_pem(old["pem"]).key_size
    key = jwk.generate(old["kty"], size, old["public"].get("crv"))
    attributes = {"enabled": True, "created": call.now, "updated": call.now}
    entry = key_entry(key, attributes, kty=old["kty"], ops=old["key_ops"], tags=old["tags"], exportable=False)
    with call.world.documents.transaction():
        document = shelf.add(name, entry)
    return ROTATED.answer(_bundle(shelf, document, entry))


def _get(call: Call, name: str, version: str) -> Answer:
    shelf = Shelf(call, "key")
    return GOT.answer(_bundle(shelf, *shelf.live(name, version)))


def _update(call: Call, name: str, version: str) -> Answer:
    shelf = Shelf(call, "key")
    document, entry = shelf.live(name, version)
    body = call.json()
    entry["attributes"] = {**read_attributes(body, entry["attributes"]), "updated": call.now}
    entry["tags"] = read_tags(body, entry.get("tags"))
    entry["key_ops"] = _read_ops(body) or entry["key_ops"]
    shelf.keep(document)
    return UPDATED.answer(_bundle(shelf, document, entry))


def _sign(call: Call, name: str, version: str) -> Answer:
    shelf, document, entry = _usable(call, name, version, "sign")
    attributes = entry["attributes"]
    # Verifying is allowed outside the key's time, signing is not.
    if attributes.get("nbf") is not None and call.now < attributes["nbf"]:
        raise VaultRefusal(faults.KEY_TIME, operation="sign", state="a not yet valid")
    if attributes.get("exp") is not None and call.now >= attributes["exp"]:
        raise VaultRefusal(faults.KEY_TIME, operation="sign", state="an expired")
    body = call.json()
    digest = jwk.decode(body.get("value"), "value")
    signature = signing.sign(jwk.from_pem(entry["pem"]), body.get("alg"), digest)
    identifier = shelf.identifier(document, entry["version"])
    return SIGNED.answer({"kid": identifier, "value": jwk.encode(signature)})


def _verify(call: Call, name: str, version: str) -> Answer:
    _, _, entry = _usable(call, name, version, "verify")
    body = call.json()
    digest, signature = jwk.decode(body.get("digest"), "digest"), jwk.decode(body.get("value"), "value")
    good = signing.verify(jwk.from_pem(entry["pem"]), body.get("alg"), digest, signature)
    return VERIFIED.answer({"value": good})


def _usable(
    call: Call, name: str, version: str, operation: str
) -> tuple[Shelf, dict[str, Any], dict[str, Any]]:
    shelf = Shelf(call, "key")
    document, entry = shelf.live(name, version)
    if not entry["attributes"]["enabled"]:
        raise VaultRefusal(faults.KEY_DISABLED, operation=operation)
    if operation not in entry["key_ops"]:
        raise VaultRefusal(faults.KEY_OPERATION, operation=operation)
    return shelf, document, entry


def _read_ops(body: dict[str, Any]) -> list[str] | None:
    given = body.get("key_ops")
    if given is None:
        return None
    if not isinstance(given, list) or not set(map(str, given)) <= ALL_OPS:
        raise VaultRefusal(faults.PROPERTY, name="key_ops", reason=f"It may name {sorted(ALL_OPS)}.")
    return given


def _attributes(shelf: Shelf, entry: dict[str, Any]) -> dict[str, Any]:
    shown = shelf.call.attributes(entry["attributes"])
    if entry.get("exportable") is not None:
        shown["exportable"] = entry["exportable"]
    return {**shown, "hsmPlatform": "1" if entry["kty"].endswith("-HSM") else "0"}


def _bundle(shelf: Shelf, document: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    members = {
        "key": {
            "kid": shelf.identifier(document, entry["version"]),
            "kty": entry["kty"],
            "key_ops": entry["key_ops"],
            **entry["public"],
        },
        "attributes": _attributes(shelf, entry),
        "managed": entry.get("managed"),
        "tags": entry.get("tags"),
    }
    return {name: value for name, value in members.items() if value is not None}


def _item(shelf: Shelf, document: dict[str, Any], _deleted: bool) -> dict[str, Any]:
    entry = shelf.newest(document)
    members = {
        "kid": shelf.identifier(document),
        "attributes": _attributes(shelf, entry),
        "managed": entry.get("managed"),
        "tags": entry.get("tags"),
    }
    return {name: value for name, value in members.items() if value is not None}


COLLECTION = Collection("key", KINDS, Actions(read="keys/read", delete="keys/delete"), _bundle, _item)
OPERATIONS = (
    *COLLECTION.operations(),
    Operation("POST", "keys/{name}/create", "keys/create/action", _create, slow=True),
    Operation("POST", "keys/{name}/rotate", "keys/rotate/action", _rotate, slow=True),
    Operation("POST", "keys/{name}/sign", "keys/sign/action", _sign),
    Operation("POST", "keys/{name}/{version}/sign", "keys/sign/action", _sign),
    Operation("POST", "keys/{name}/verify", "keys/verify/action", _verify),
    Operation("POST", "keys/{name}/{version}/verify", "keys/verify/action", _verify),
    Operation("PUT", "keys/{name}", "keys/import/action", _import),
    Operation("GET", "keys/{name}", "keys/read", _get),
    Operation("GET", "keys/{name}/{version}", "keys/read", _get),
    Operation("PATCH", "keys/{name}", "keys/update/action", _update),
    Operation("PATCH", "keys/{name}/{version}", "keys/update/action", _update),
)
