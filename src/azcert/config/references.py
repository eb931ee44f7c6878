"""Values that stand for others: ``$Section:Path`` of the settings, and App Service's Key Vault references.

Sources: Azure.Core's *ConfigurationAndDependencyInjection* (reference syntax);
learn.microsoft.com/azure/app-service/app-service-key-vault-references.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

__all__ = ["KeyVaultReference", "read_key_vault_reference", "section_reference"]

_SECTION = re.compile(r"\$([A-Za-z_][\w.\- ]*(?::[\w.\- ]+)*)")
_KEY_VAULT = re.compile(r"@Microsoft\.KeyVault\((.*)\)\s*", re.IGNORECASE | re.DOTALL)
_VAULT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]")
_SECRET_NAME = re.compile(r"[A-Za-z0-9-]{1,127}")
_EXPECTED = "expected SecretUri=https://VAULT.vault.azure.net/secrets/NAME or VaultName=...;SecretName=..."


@dataclass(frozen=True)
class KeyVaultReference:
    """A secret of a Key Vault.

    :param version: None follows the newest.
    """

    vault_url: str
    name: str
    version: str | None = None

    def __str__(self) -> str:
        return f"{self.vault_url}/secrets/{self.name}{'/' + self.version if self.version else ''}"


def section_reference(text: str) -> str | None:
    """Return the path that ``$Section:Path`` refers to, None if *text* is another text.

    ``$$`` at its beginning stands for one dollar sign and is no reference.
    """
    match = _SECTION.fullmatch(text)
    return match[1] if match else None


def read_key_vault_reference(text: str) -> KeyVaultReference | None:
    """Return the secret that ``@Microsoft.KeyVault(...)`` refers to, None if *text* is another text.

    :raises ValueError: it begins like one and is not well formed; the message says why.
    """
    match = _KEY_VAULT.fullmatch(text.strip())
    if match is None:
        if text.strip().lower().startswith("@microsoft.keyvault("):
            raise ValueError(f"its parenthesis is not closed: {_EXPECTED}")
        return None
    fields: dict[str, str] = {}
    for part in match[1].split(";"):
        name, equals, value = part.partition("=")
        if not part.strip():
            continue
        if not equals or name.strip().lower() in fields:
            raise ValueError(_EXPECTED)
        fields[name.strip().lower()] = value.strip()
    if set(fields) == {"secreturi"}:
        return _from_uri(fields["secreturi"])
    if {"vaultname", "secretname"} <= set(fields) <= {"vaultname", "secretname", "secretversion"}:
        return _checked(
            f"https://{fields['vaultname']}.vault.azure.net"
            if _VAULT_NAME.fullmatch(fields["vaultname"])
            else "",
            fields["secretname"],
            fields.get("secretversion"),
        )
    raise ValueError(_EXPECTED)


def _from_uri(uri: str) -> KeyVaultReference:
    parts = urlsplit(uri)
    path = parts.path.strip("/").split("/")
    if parts.scheme != "https" or path[0] != "secrets" or len(path) not in {2, 3} or parts.username:
        raise ValueError(_EXPECTED)
    return _checked(f"https://{parts.netloc.lower()}", path[1], path[2] if path[2:] else None)


def _checked(vault_url: str, name: str, version: str | None) -> KeyVaultReference:
    if not vault_url or not _SECRET_NAME.fullmatch(name) or (version and not _SECRET_NAME.fullmatch(version)):
        raise ValueError(_EXPECTED)
    return KeyVaultReference(vault_url, name, version or None)
