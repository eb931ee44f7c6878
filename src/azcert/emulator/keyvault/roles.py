"""Azure RBAC for vaults: what each built-in role allows.

https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/security
"""

from __future__ import annotations

import uuid
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from azcert.emulator.entra.directory import is_known
from azcert.emulator.keyvault import faults
from azcert.emulator.keyvault.faults import VaultRefusal

if TYPE_CHECKING:
    from azcert.emulator.keyvault.vaults import Caller, Vault
    from azcert.emulator.world import World

__all__ = ["ROLES", "authorize"]

# Data actions below Microsoft.KeyVault/vaults/.
ROLES: dict[str, tuple[str, ...]] = {
    "Key Vault Administrator": ("*",),
    "Key Vault Reader": ("*/read", "secrets/readMetadata/action"),
    "Key Vault Secrets Officer": ("secrets/*",),
    "Key Vault Secrets User": ("secrets/getSecret/action", "secrets/readMetadata/action"),
    "Key Vault Certificates Officer": ("certificatecas/*", "certificates/*", "certificatecontacts/write"),
    "Key Vault Certificate User": (
        "certificates/read",
        "secrets/getSecret/action",
        "secrets/readMetadata/action",
        "keys/read",
    ),
    "Key Vault Crypto Officer": ("keys/*", "keyrotationpolicies/*"),
    "Key Vault Crypto User": (
        "keys/read",
        "keys/update/action",
        "keys/backup/action",
        "keys/encrypt/action",
        "keys/decrypt/action",
        "keys/wrap/action",
        "keys/unwrap/action",
        "keys/sign/action",
        "keys/verify/action",
    ),
    "Key Vault Crypto Service Encryption User": ("keys/read", "keys/wrap/action", "keys/unwrap/action"),
}


def authorize(world: World, vault: Vault, caller: Caller, action: str, path: str) -> str:
    """Check that a role of *caller* allows *action* and return the assignment's id.

    :param action: below ``Microsoft.KeyVault/vaults/``: ``secrets/getSecret/action``.
    :param path: the object's path in the vault: ``secrets/name``.
    :raises VaultRefusal: 403 ForbiddenByRbac.
    """
    kept = world.documents.get("role", f"{vault.name}/{caller.principal.lower()}") or ()
    for entry in kept:
        role = entry if isinstance(entry, dict) else {"name": entry}
        name = str(role.get("name"))
        if is_known(world, role) and any(fnmatchcase(action, allowed) for allowed in ROLES.get(name, ())):
            return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{vault.url}/{caller.principal}/{name}"))
    scope = f"{_resource_id(vault)}/{path}"
    raise VaultRefusal(
        faults.FORBIDDEN,
        appid=caller.app_id,
        oid=caller.principal,
        iss=caller.issuer,
        action=f"Microsoft.KeyVault/vaults/{action}",
        resource=scope,
        vault=vault.name,
        location=vault.region,
    )


def _resource_id(vault: Vault) -> str:
    subscription = uuid.uuid5(uuid.NAMESPACE_URL, vault.tenant)
    group = f"/subscriptions/{subscription}/resourcegroups/emulator"
    return f"{group}/providers/microsoft.keyvault/vaults/{vault.name}"
