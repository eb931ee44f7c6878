"""Backups: an opaque blob that only this emulator can read.

The recordings show one length byte, ``AzureKeyVaultSecretBackupV1.microsoft.com`` and an encrypted rest, all
of it in base64url. The key is kept in the world (kind ``backup-key``).
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from cryptography.fernet import Fernet, InvalidToken

from azcert.emulator.keyvault import faults
from azcert.emulator.keyvault.faults import VaultRefusal

if TYPE_CHECKING:
    from azcert.emulator.world import World

__all__ = ["read", "write"]


def write(world: World, noun: str, document: dict[str, Any]) -> str:
    """Return *document* as a backup blob."""
    sealed = _cipher(world).encrypt(json.dumps(document).encode())
    return base64.urlsafe_b64encode(_prefix(noun) + sealed).rstrip(b"=").decode()


def read(world: World, noun: str, blob: object) -> dict[str, Any]:
    """Return the document inside *blob*.

    :raises VaultRefusal: it is no backup of this kind and emulator.
    """
    try:
        if not isinstance(blob, str):
            raise VaultRefusal(faults.BAD_BACKUP)
        data = base64.b64decode(blob + "=" * (-len(blob) % 4), b"-_", validate=True)
        prefix = _prefix(noun)
        if not data.startswith(prefix):
            raise VaultRefusal(faults.BAD_BACKUP)
        document = json.loads(_cipher(world).decrypt(data[len(prefix) :]))
    except (binascii.Error, ValueError, InvalidToken):
        raise VaultRefusal(faults.BAD_BACKUP) from None
    return dict(document)


def _prefix(noun: str) -> bytes:
    name = f"AzureKeyVault{noun.capitalize()}BackupV1.microsoft.com".encode()
    return bytes([len(name)]) + name


def _cipher(world: World) -> Fernet:
    with world.documents.transaction():
        key = world.documents.get("backup-key", "keyvault")
        if key is None:
            key = Fernet.generate_key().decode()
            world.documents.put("backup-key", "keyvault", key)
    return Fernet(key)
