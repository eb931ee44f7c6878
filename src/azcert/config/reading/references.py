"""Values that stand for others: ``$Section:Path`` of the settings, and App Service's Key Vault references.

Sources: Azure.Core's *ConfigurationAndDependencyInjection* (reference syntax);
learn.microsoft.com/azure/app-service/app-service-key-vault-references.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from azcert.vault.address import is_secret_name, vault_url

__all__ = ["KeyVaultReference", "looks_like_reference", "read_key_vault_reference", "section_reference"]

_SECTION = re.compile(r"\$([A-Za-z_][\w.\- ]*(?::[\w.\- ]+)*)")
_KEY_VAULT = re.compile(r"@Microsoft\.KeyVault\((.*)\)", re.IGNORECASE | re.DOTALL)
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


def looks_like_reference(text: str) -> bool:
    """Tell whether *text* is meant as a Key Vault reference, well formed or not."""
    return text.lstrip().lower().startswith("@microsoft.keyvault(")


def read_key_vault_reference(text: str) -> KeyVaultReference | None:
    """Return the secret that ``@Microsoft.KeyVault(...)`` refers to, None if *text* is another text.

    :raises ValueError: it begins like one and is not well formed; the message says why.
    """
    if not looks_like_reference(text):
        return None
    match = _KEY_VAULT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"its parenthesis is not closed: {_EXPECTED}")
    fields: dict[str, str] = {}
    for part in match[1].split(";"):
        name, equals, value = (each.strip() for each in part.partition("="))
        if not part.strip():
            continue
        if not equals or name.lower() in fields:
            raise ValueError(f"{name!r} {'is there twice' if equals else 'has no value'}: {_EXPECTED}")
        fields[name.lower()] = value
    if set(fields) == {"secreturi"}:
        return _from_uri(fields["secreturi"])
    if {"vaultname", "secretname"} <= set(fields) <= {"vaultname", "secretname", "secretversion"}:
        # The name alone does not say in which cloud; AZURE_AUTHORITY_HOST does.
        return _checked(vault_url(fields["vaultname"]), fields["secretname"], fields.get("secretversion"))
    raise ValueError(_EXPECTED)


def _from_uri(uri: str) -> KeyVaultReference:
    parts = urlsplit(uri)
    path = parts.path.strip("/").split("/")
    if parts.scheme != "https" or path[0] != "secrets" or len(path) not in {2, 3} or parts.username:
        raise ValueError(f"{uri!r} is no secret's address: {_EXPECTED}")
    return _checked(f"https://{parts.netloc.lower()}", path[1], path[2] if path[2:] else None)


def _checked(vault: str, name: str, version: str | None) -> KeyVaultReference:
    for each in filter(None, (name, version)):
        if not is_secret_name(each):
            raise ValueError(f"{each!r} is no name or version of a secret: {_EXPECTED}")
    if not name:
        raise ValueError(f"the secret has no name: {_EXPECTED}")
    return KeyVaultReference(vault, name, version or None)
