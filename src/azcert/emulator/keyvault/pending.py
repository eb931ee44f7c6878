"""A certificate's operation: from the request to the certificate, the cancellation or the failure.

It lives in the certificate's document as ``pending``: ``{requestId, csr, issuer, cancelled, status, readyAt,
version, pem, error}``. Those in progress are listed as documents of kind ``pending`` (key ``vault/name``),
and brought up to date before each call to their vault.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from azcert.emulator.keyvault import faults, issuing, jwk
from azcert.emulator.keyvault.call import new_version
from azcert.emulator.keyvault.faults import VaultRefusal
from azcert.emulator.keyvault.keys import key_entry
from azcert.emulator.keyvault.shelf import Shelf

if TYPE_CHECKING:
    from cryptography import x509

    from azcert.emulator.keyvault.call import Call

__all__ = ["begin", "end", "fill", "operation", "settle", "store"]

IN_PROGRESS = (
    "Pending certificate created. Certificate request is in progress. This may take some time based on the "
    "issuer provider. Please check again later."
)
# https://learn.microsoft.com/azure/key-vault/certificates/create-certificate-scenarios
MERGE = "Pending certificate created. Please Perform Merge to complete the request."
REJECTED = {
    "code": "Request rejected",
    "message": (
        "The call to DigiCert failed with Error code access_denied|access_denied_invalid_key and Message "
        "Access denied due to access_denied_invalid_key.. If you have any questions or concerns, please feel "
        "free to reach out to DigiCert for support at support@digicert.com or 1-801-701-9600."
    ),
}

Document = dict[str, Any]


def begin(
    call: Call, document: Document, key: jwk.PrivateKey, policy: dict[str, Any], asked: dict[str, Any]
) -> None:
    """Start the operation: a disabled version without certificate, and what is pending.

    :param asked: ``attributes`` and ``tags`` of the request.
    """
    now = call.world.clock.now()
    certificate = issuing.self_signed(key, policy, now)
    version = new_version()
    document["versions"].append(
        {
            "version": version,
            "pending": True,
            "attributes": {
                **_validity(certificate),
                "enabled": False,
                "created": int(now),
                "updated": int(now),
            },
            "tags": asked["tags"],
            "enabled": asked["attributes"]["enabled"],
        }
    )
    document["policy"] = policy
    document["pending"] = {
        "requestId": new_version(),
        "csr": base64.b64encode(issuing.request(key, policy)).decode(),
        "issuer": policy["issuer"]["name"],
        "cancelled": False,
        "status": "inProgress",
        "readyAt": now + call.world.delays.issuance,
        "version": version,
        "pem": jwk.to_pem(key),
    }
    call.world.documents.put("pending", _key(call, document["name"]), {"name": document["name"]})
    keys = Shelf(call, "key")
    attributes = dict(document["versions"][-1]["attributes"])
    keys.add(document["name"], {**key_entry(key, attributes, managed=True, pending=True), "version": version})


def settle(call: Call) -> None:
    """Bring every operation of the vault up to date."""
    shelf = Shelf(call, "certificate")
    for _, waiting in call.world.documents.items("pending", f"{call.vault.name}/"):
        document = shelf.find(waiting["name"])
        going = (document or {}).get("pending") or {}
        # The certificate may have been deleted, and another made under its name.
        ready = going.get("status") == "inProgress" and call.world.clock.now() >= going["readyAt"]
        if document is not None and ready:
            _settle(call, document)


def _settle(call: Call, document: Document) -> None:
    pending = document["pending"]
    if pending["cancelled"]:
        end(call, document, "cancelled")
    elif pending["issuer"].lower() == "unknown":
        # Its certificate is merged by hand.
        return
    elif pending["issuer"].lower() == "self":
        key = jwk.from_pem(pending["pem"])
        end(call, document, "completed")
        fill(call, document, key, [issuing.self_signed(key, document["policy"], pending["readyAt"])])
    else:
        # No CA stands behind the emulator: a named issuer refuses its credentials, as in the recording.
        end(call, document, "failed")
        pending["error"] = REJECTED
    Shelf(call, "certificate").keep(document)


def end(call: Call, document: Document, status: str) -> None:
    """Let the operation be over; the caller keeps the document."""
    document["pending"]["status"] = status
    document["pending"].pop("pem", None)
    call.world.documents.delete("pending", _key(call, document["name"]))


def fill(
    call: Call, document: Document, key: jwk.PrivateKey, chain: list[x509.Certificate]
) -> dict[str, Any]:
    """Complete the pending version with its certificate, and return it."""
    version = document["pending"]["version"]
    entry: dict[str, Any] = next(one for one in document["versions"] if one["version"] == version)
    entry.pop("pending", None)
    store(call, document, entry, key, chain, enabled=entry.pop("enabled"))
    return entry


def store(
    call: Call,
    document: Document,
    entry: dict[str, Any],
    key: jwk.PrivateKey,
    chain: list[x509.Certificate],
    *,
    enabled: bool,
) -> None:
    """Put a certificate into *entry*, and its key and secret beside it under the same version."""
    created = {"created": call.now, "updated": call.now}
    entry["attributes"] = {"enabled": enabled, **_validity(chain[0]), **created}
    entry["chain"] = [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]
    name, version, policy = document["name"], entry["version"], document["policy"]
    keys, secrets = Shelf(call, "key"), Shelf(call, "secret")
    managed = {
        "version": version,
        "attributes": dict(entry["attributes"]),
        "tags": entry["tags"],
        "managed": True,
    }
    kept = keys.claim(name)
    kept["versions"] = [one for one in kept["versions"] if one["version"] != version]
    kept["versions"].append({**key_entry(key, {}), **managed})
    keys.keep(kept)
    content_type = policy["secret_props"]["contentType"]
    exported = key if policy["key_props"].get("exportable", True) else None
    secret = {
        "value": issuing.as_secret(exported, chain, content_type),
        "contentType": content_type,
        "kid": f"{call.vault.url}/keys/{name}/{version}",
    }
    secrets.add(name, {**secret, **managed})


def operation(call: Call, document: Document) -> dict[str, Any]:
    """Return the operation as its answers show it.

    :raises VaultRefusal: there is none.
    """
    pending = document.get("pending")
    if not pending:
        raise VaultRefusal(faults.PENDING_NOT_FOUND, name=document["name"])
    name = f"{call.vault.url}/certificates/{document['name']}"
    shown = {
        "id": f"{name}/pending",
        "issuer": {"name": pending["issuer"]},
        "csr": pending["csr"],
        "cancellation_requested": pending["cancelled"],
        "status": pending["status"],
    }
    if pending["status"] in {"inProgress", "failed"}:
        shown["status_details"] = MERGE if pending["issuer"].lower() == "unknown" else IN_PROGRESS
    if "error" in pending:
        shown["error"] = pending["error"]
    if pending["status"] == "completed":
        shown["target"] = name
    return {**shown, "request_id": pending["requestId"]}


def _key(call: Call, name: str) -> str:
    return f"{call.vault.name}/{name.lower()}"


def _validity(certificate: x509.Certificate) -> dict[str, int]:
    return {
        "nbf": int(certificate.not_valid_before_utc.timestamp()),
        "exp": int(certificate.not_valid_after_utc.timestamp()),
    }
