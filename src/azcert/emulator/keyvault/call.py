"""One call to a vault: what its operation needs to know, and how its body is read."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azcert.emulator.keyvault import faults
from azcert.emulator.keyvault.faults import VaultRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.emulator.keyvault.vaults import Vault
    from azcert.emulator.origin import Answer
    from azcert.emulator.world import World

__all__ = ["Call", "Operation", "check_name", "new_version", "read_attributes", "read_tags"]

_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
MAX_TAGS, MAX_TAG = 15, 256
LATEST_TIME = 253_402_300_799


@dataclass(frozen=True)
class Call:
    """A request whose caller is known and allowed."""

    world: World
    vault: Vault
    query: dict[str, str]
    body: bytes
    api_version: str
    port: str
    """The port of links to further pages; clients of the real service see :443."""

    @property
    def now(self) -> int:
        """Whole seconds since the epoch, as the service counts."""
        return int(self.world.clock.now())

    def json(self) -> dict[str, Any]:
        """Return the body.

        :raises VaultRefusal: there is none, or it is no JSON object.
        """
        if not self.body:
            raise VaultRefusal(faults.NO_BODY)
        try:
            value = json.loads(self.body)
            if b"\\u" in self.body:
                # Half a surrogate pair is no text (RFC 8259, 8.2): it could not be sent back.
                json.dumps(value, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise VaultRefusal(faults.BODY) from None
        if not isinstance(value, dict):
            raise VaultRefusal(faults.BODY)
        return value

    def attributes(self, kept: dict[str, Any]) -> dict[str, Any]:
        """Return *kept* attributes as the service writes them, with the vault's recovery level."""
        order = ("enabled", "nbf", "exp", "created", "updated")
        shown: dict[str, Any] = {name: kept[name] for name in order if kept.get(name) is not None}
        shown["recoveryLevel"] = self.vault.recovery_level
        if self.api_version != "7.0":
            shown["recoverableDays"] = self.vault.retention
        return shown


@dataclass(frozen=True)
class Operation:
    """A row of a service's table.

    :param path: segments; ``{name}`` and ``{version}`` stand for the object's.
    :param action: the data action below ``Microsoft.KeyVault/vaults/``.
    :param run: given the call and the path's name and version, or ``""``.
    :param slow: True where a key is made: it runs in a thread, and opens its transaction itself once the key
        is there, so that other requests need not wait.
    """

    method: str
    path: str
    action: str
    run: Callable[[Call, str, str], Answer]
    slow: bool = False


def check_name(name: str) -> None:
    """Check an object's name.

    :raises VaultRefusal: https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates
        allows 1 to 127 letters, digits and hyphens.
    """
    if not _NAME.fullmatch(name):
        raise VaultRefusal(faults.NAME, name=name)


def new_version() -> str:
    """Return an object's version: 32 lower-case hex digits."""
    return uuid.uuid4().hex


def read_attributes(body: dict[str, Any], base: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return ``enabled``, ``nbf`` and ``exp`` of a request over those in *base*.

    :raises VaultRefusal: one has a value of another type.
    """
    given = body.get("attributes")
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise VaultRefusal(faults.PROPERTY, name="attributes", reason="It must be an object.")
    found = {"enabled": True, **(base or {})}
    if given.get("enabled") is not None:
        if not isinstance(given["enabled"], bool):
            raise VaultRefusal(faults.PROPERTY, name="attributes.enabled", reason="It must be true or false.")
        found["enabled"] = given["enabled"]
    for name in ("nbf", "exp"):
        value = given.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LATEST_TIME:
            raise VaultRefusal(
                faults.PROPERTY, name=f"attributes.{name}", reason="It must be a time in seconds."
            )
        found[name] = value
    if found.get("nbf") is not None and found.get("exp") is not None and found["exp"] <= found["nbf"]:
        raise VaultRefusal(faults.PROPERTY, name="attributes.exp", reason="It must be later than nbf.")
    return found


def read_tags(body: dict[str, Any], base: dict[str, str] | None = None) -> dict[str, str] | None:
    """Return the tags of a request, or *base* where it names none: tags are replaced whole.

    :raises VaultRefusal: more than 15, or one longer than 256 characters.
    """
    given = body.get("tags")
    if given is None:
        return base
    good = isinstance(given, dict) and all(
        isinstance(value, str) and len(name) <= MAX_TAG and len(value) <= MAX_TAG
        for name, value in given.items()
    )
    if not good or len(given) > MAX_TAGS:
        reason = f"At most {MAX_TAGS} tags, names and values of at most {MAX_TAG} characters."
        raise VaultRefusal(faults.PROPERTY, name="tags", reason=reason)
    return dict(given)
