"""A tenant with many app registrations, put into the emulator's state: every kind of credential there is."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
import random
import subprocess
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azcert.emulator.fixture import AzcertEmulator

__all__ = ["certificate", "client_id", "plant_app", "plant_fleet", "secret"]

_TEAMS = ("billing", "payroll", "crm", "warehouse", "shop", "search", "mail", "backup", "reports", "intranet")


def client_id(number: int) -> str:
    """Return the client id of application *number*."""
    return str(uuid.UUID(int=(0xC0FFEE << 104) + number))


def graph_time(moment: dt.datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


@cache
def _der(bits: int, hash_name: str) -> bytes:
    """Return a certificate of this strength; the directory's dates are what an inventory goes by."""
    # By OpenSSL's program: cryptography signs with SHA-1 no more.
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", f"rsa:{bits}", f"-{hash_name}", "-nodes", "-days", "365"),
            *("-subj", "/CN=fleet", "-outform", "DER", "-keyout", os.devnull),
        ],
        capture_output=True,
        check=True,
    )
    return made.stdout


def certificate(
    start: dt.datetime,
    end: dt.datetime,
    *,
    bits: int = 2048,
    hash_name: str = "sha256",
    name: str = "CN=fleet",
) -> dict[str, Any]:
    key_id = str(uuid.uuid4())
    return {
        "keyId": key_id,
        "customKeyIdentifier": hashlib.sha1(key_id.encode(), usedforsecurity=False).hexdigest().upper(),
        "displayName": name,
        "startDateTime": graph_time(start),
        "endDateTime": graph_time(end),
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        "key": base64.b64encode(_der(bits, hash_name)).decode(),
    }


def secret(start: dt.datetime, end: dt.datetime, *, name: str = "secret") -> dict[str, Any]:
    return {
        "keyId": str(uuid.uuid4()),
        "hint": "Abc",
        "displayName": name,
        "startDateTime": graph_time(start),
        "endDateTime": graph_time(end),
        "customKeyIdentifier": None,
        "secretText": "never shown",
    }


def plant_app(
    emulator: AzcertEmulator,
    number: int,
    name: str,
    keys: list[dict[str, Any]] | None = None,
    passwords: list[dict[str, Any]] | None = None,
) -> str:
    """Put an application into the ready-made tenant; return its client id."""
    app_id = client_id(number)
    app = {
        "id": str(uuid.UUID(int=(0xFACADE << 104) + number)),
        "appId": app_id,
        "displayName": name,
        "tenant": emulator.tenant_id,
        "servicePrincipalId": str(uuid.UUID(int=(0xBEEF << 104) + number)),
        "keyCredentials": keys or [],
        "passwordCredentials": passwords or [],
    }
    emulator.world.documents.put("app", app_id, app)
    return app_id


def plant_fleet(emulator: AzcertEmulator, count: int, *, seed: int = 1) -> None:
    """Put *count* applications with mixed credentials into the ready-made tenant, the same for one seed."""
    chance = random.Random(seed)  # noqa: S311 - the same fleet each time is what is wanted
    now = dt.datetime.now(dt.UTC)
    with emulator.world.documents.transaction():
        for number in range(count):
            name = f"{chance.choice(_TEAMS)}-{number:05}"
            keys, passwords = [], []
            if chance.random() < 0.6:
                start = now - dt.timedelta(days=chance.randrange(1, 330))
                bits = 1024 if chance.random() < 0.02 else 2048
                keys.append(certificate(start, start + dt.timedelta(days=365), bits=bits))
                if chance.random() < 0.3:
                    keys.append(certificate(start - dt.timedelta(days=365), start))
            if chance.random() < 0.5:
                start = now - dt.timedelta(days=chance.randrange(1, 700))
                passwords.append(secret(start, start + dt.timedelta(days=chance.choice((90, 180, 730)))))
            plant_app(emulator, number, name, keys, passwords)
