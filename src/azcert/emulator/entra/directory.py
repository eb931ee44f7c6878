"""What the directory knows: tenants, applications, their certificates and secrets."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
import hmac
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

if TYPE_CHECKING:
    from azcert.emulator.world import World

__all__ = [
    "RegisteredKey",
    "find_app",
    "find_tenant",
    "moment",
    "note_sign_in",
    "registered_keys",
    "secret_state",
]

_MINUTE = 60.0


@dataclass(frozen=True)
class RegisteredKey:
    """One of an application's keyCredentials that the token endpoint may use."""

    certificate: x509.Certificate
    sha1: bytes
    sha256: bytes
    start: float | None
    end: float | None
    key_id: str | None = None

    @property
    def thumbprint(self) -> str:
        """SHA-1 in upper-case hex."""
        return self.sha1.hex().upper()


def find_tenant(world: World, name: str) -> dict[str, Any] | None:
    """Return the tenant with this id or verified domain, in any case."""
    name = name.lower()
    tenant = world.documents.get("tenant", name)
    if tenant is None:
        for _, other in world.documents.items("tenant"):
            if name in {domain.lower() for domain in other.get("domains", ())}:
                tenant = other
    return tenant if isinstance(tenant, dict) else None


def find_app(world: World, client_id: str, tenant_id: str) -> dict[str, Any] | None:
    """Return the application with this client id, if it has a service principal in the tenant."""
    app = world.documents.get("app", client_id.lower())
    if not isinstance(app, dict) or str(app.get("tenant", "")).lower() != tenant_id.lower():
        return None
    return app


def moment(text: str | None) -> float | None:
    """Read one of Graph's dates (ISO 8601, with or without a fraction) as seconds since the epoch."""
    if not text:
        return None
    value = dt.datetime.fromisoformat(text)
    return (value if value.tzinfo else value.replace(tzinfo=dt.UTC)).timestamp()


def is_known(world: World, thing: dict[str, Any]) -> bool:
    """Tell whether the front ends have heard of a key or role yet."""
    added = thing.get("addedAt")
    return added is None or world.clock.now() >= float(added) + world.delays.propagation


def registered_keys(world: World, app: dict[str, Any]) -> list[RegisteredKey]:
    """Return the certificates among the app's keyCredentials, those not yet propagated left out."""
    found = []
    for entry in _credentials(app, "keyCredentials"):
        certificate = _certificate(str(entry.get("key") or ""))
        if certificate is None or not is_known(world, entry):
            continue
        der = certificate.public_bytes(Encoding.DER)
        found.append(
            RegisteredKey(
                certificate,
                hashlib.sha1(der, usedforsecurity=False).digest(),
                hashlib.sha256(der).digest(),
                moment(entry.get("startDateTime")),
                moment(entry.get("endDateTime")),
                entry.get("keyId"),
            )
        )
    return found


def note_sign_in(world: World, key_id: str | None) -> None:
    """Keep when a credential signed in, by the minute, for Graph's report on sign-ins."""
    if key_id is None:
        return
    noted = world.documents.get("graph-sign-in", key_id) or {}
    last = moment(noted.get("lastSignInDateTime"))
    now = world.clock.now()
    if last is None or abs(now - last) >= _MINUTE:
        text = dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        world.documents.put("graph-sign-in", key_id, {"lastSignInDateTime": text})


def secret_state(world: World, app: dict[str, Any], presented: str) -> tuple[str, str | None]:
    """Judge a client secret: ``good``, ``wrong``, or ``expired`` where none of the app is valid any more.

    Returns the id of a good one, too.
    """
    now = world.clock.now()
    alive: list[dict[str, Any]] = []
    entries = [entry for entry in _credentials(app, "passwordCredentials") if is_known(world, entry)]
    for entry in entries:
        end = moment(entry.get("endDateTime"))
        if end is not None and end <= now:
            continue
        alive.append(entry)
    if entries and not alive:
        return "expired", None
    texts = [(entry.get("keyId"), str(entry.get("secretText") or "")) for entry in alive]
    good = [key for key, text in texts if text and hmac.compare_digest(text.encode(), presented.encode())]
    return ("good", good[0]) if good else ("wrong", None)


def _credentials(app: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return the credentials of the application and those of its service principal: either sign in."""
    principal = app.get("servicePrincipal") or {}
    return [*(app.get(kind) or ()), *(principal.get(kind) or ())]


@lru_cache(maxsize=4096)
def _certificate(key: str) -> x509.Certificate | None:
    # Graph's key is the DER in base64; it also takes the base64 of the PEM, as the portal's upload does.
    try:
        data = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        return None
    try:
        if data.startswith(b"-----BEGIN"):
            return x509.load_pem_x509_certificate(data)
        return x509.load_der_x509_certificate(data)
    except ValueError:
        return None
