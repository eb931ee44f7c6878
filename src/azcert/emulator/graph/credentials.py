"""Certificates and passwords on an application or service principal: what may be put there, and how."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import re
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from azcert.emulator.entra.directory import moment
from azcert.emulator.graph import faults
from azcert.emulator.graph.faults import GraphRefusal

if TYPE_CHECKING:
    from azcert.emulator.world import World

__all__ = ["graph_time", "new_key", "new_password", "replaced_keys", "without"]

Credential = dict[str, Any]

_LIMIT = 600
_TWO_YEARS = dt.timedelta(days=730)
_GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
# What a PATCH that writes an entry back may not change.
_FIXED = ("startDateTime", "endDateTime", "type", "usage")


def replaced_keys(world: World, kept: list[Credential], given: Any) -> list[Credential]:
    """Return the certificates after a PATCH: the list replaces the old one.

    An entry with a known ``keyId`` and no ``key``, or the same, keeps what is there.

    :raises GraphRefusal: an entry is not acceptable; nothing changes.
    """
    if not isinstance(given, list) or not all(isinstance(entry, dict) for entry in given):
        raise GraphRefusal(faults.PROPERTY, name="keyCredentials", resource="Application")
    if len(given) > _LIMIT:
        raise GraphRefusal(faults.TOO_LARGE)
    present = {str(entry["keyId"]).lower(): entry for entry in kept}
    found: list[Credential] = []
    for entry in given:
        old = present.get(str(entry.get("keyId")).lower())
        if old is not None:
            _check_unchanged(old, entry)
            found.append({**old, "displayName": entry.get("displayName") or old.get("displayName")})
        elif entry.get("key"):
            found.append(new_key(world, entry))
        else:
            raise GraphRefusal(faults.KEY_UNKNOWN, id=str(entry.get("keyId")))
    ids = [entry["keyId"] for entry in found]
    if len(set(ids)) != len(ids):
        raise GraphRefusal(faults.PROPERTY, name="keyCredentials", resource="Application")
    return found


def new_key(world: World, given: Credential) -> Credential:
    """Return a certificate to be kept, its members completed from the certificate.

    :raises GraphRefusal: it is no sign-in certificate, or its dates are wrong.
    """
    kind, usage = given.get("type", "AsymmetricX509Cert"), given.get("usage", "Verify")
    if (kind, usage) != ("AsymmetricX509Cert", "Verify"):
        raise GraphRefusal(faults.KEY_TYPE, type=str(kind), usage=str(usage))
    certificate = _certificate(given.get("key"))
    der = certificate.public_bytes(Encoding.DER)
    start = _time(given.get("startDateTime")) or certificate.not_valid_before_utc
    end = _time(given.get("endDateTime")) or certificate.not_valid_after_utc
    if end > certificate.not_valid_after_utc or end <= start:
        raise GraphRefusal(faults.KEY_DATES)
    key_id = str(given.get("keyId") or uuid.uuid4())
    if not _GUID.fullmatch(key_id):
        raise GraphRefusal(faults.PROPERTY, name="keyId", resource="KeyCredential")
    return {
        "customKeyIdentifier": given.get("customKeyIdentifier")
        or hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(),
        "displayName": given.get("displayName") or certificate.subject.rfc4514_string(),
        "endDateTime": graph_time(end),
        "key": base64.b64encode(der).decode(),
        "keyId": key_id,
        "startDateTime": graph_time(start),
        "type": kind,
        "usage": usage,
        "addedAt": world.clock.now(),
    }


def new_password(world: World, given: Any, *, hinted: bool) -> Credential:
    """Return a password to be kept, with a text that the service makes.

    :param hinted: applications show the first three characters, service principals do not (recorded).
    """
    asked = given if isinstance(given, dict) else {}
    text = secrets.token_urlsafe(30)
    now = dt.datetime.fromtimestamp(world.clock.now(), dt.UTC)
    start = _time(asked.get("startDateTime")) or now
    end = _time(asked.get("endDateTime")) or start + _TWO_YEARS
    return {
        "customKeyIdentifier": None,
        "displayName": asked.get("displayName"),
        "endDateTime": graph_time(end),
        "hint": text[:3] if hinted else None,
        "keyId": str(uuid.uuid4()),
        "secretText": text,
        "startDateTime": graph_time(start),
        "addedAt": world.clock.now(),
    }


def without(kept: list[Credential], key_id: Any) -> list[Credential]:
    """Return *kept* without the credential of this id.

    :raises GraphRefusal: there is none.
    """
    rest = [entry for entry in kept if str(entry["keyId"]).lower() != str(key_id).lower()]
    if len(rest) == len(kept):
        raise GraphRefusal(faults.CREDENTIAL_GONE)
    return rest


def graph_time(value: dt.datetime) -> str:
    """Return a moment as Graph writes it, in whole seconds."""
    return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _check_unchanged(old: Credential, given: Credential) -> None:
    key = given.get("key")
    same = not key or "".join(str(key).split()) == old["key"]
    for name in _FIXED:
        value = given.get(name)
        if value is None:
            continue
        mine = old.get(name)
        same = same and (_time(value) == _time(mine) if name.endswith("DateTime") else value == mine)
    if not same:
        raise GraphRefusal(faults.KEY_CHANGED, id=str(old["keyId"]))


def _certificate(key: Any) -> x509.Certificate:
    """Read a key: base64, line breaks allowed (recorded), of the DER or, as the portal takes it, the PEM."""
    try:
        data = base64.b64decode("".join(str(key).split()), validate=True)
        if data.lstrip().startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except (binascii.Error, ValueError):
        raise GraphRefusal(faults.KEY_VALUE) from None


def _time(text: Any) -> dt.datetime | None:
    if text is None:
        return None
    try:
        seconds = moment(str(text))
        return None if seconds is None else dt.datetime.fromtimestamp(seconds, dt.UTC)
    except (ValueError, OverflowError):
        raise GraphRefusal(
            faults.PROPERTY, name="startDateTime, endDateTime", resource="Credential"
        ) from None
