"""``keyvault:`` URIs: a certificate of an Azure Key Vault."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from azcert.sources.uris.grammar import SourceUri, fault, read_query

if TYPE_CHECKING:
    from azcert.sources.uris.grammar import Field

__all__ = ["KeyVaultUri", "parse_keyvault"]

# Naming rules: learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates
_VAULT = re.compile(r"(?=.{3,24}\Z)[a-z](?:-?[a-z0-9])+")
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::[0-9]{1,5})?")
_CERTIFICATE = re.compile(r"[A-Za-z0-9-]{1,127}")
_VERSION = re.compile(r"[0-9a-fA-F]{32}")
_ADDRESS = re.compile(r"(?i)https://(?P<host>[^/]*)/certificates/")
_BOOLEANS = {"true": True, "false": False}


@dataclass(frozen=True)
class KeyVaultUri(SourceUri):
    """A Key Vault certificate.

    :param vault: the vault's name, or its whole host (``contoso.vault.azure.cn``) for other clouds.
    :param version: one version; None follows the newest enabled one.
    :param download: False leaves the key in the vault and signs there; True fetches it with the certificate,
        which takes an exportable key and permission to read the secret.
    """

    kind: ClassVar[str] = "keyvault"

    vault: str
    certificate: str
    version: str | None = None
    download: bool = False

    @property
    def vault_url(self) -> str:
        """The vault's address; a bare name belongs to the public cloud."""
        is_host = "." in self.vault or ":" in self.vault
        return f"https://{self.vault}" if is_host else f"https://{self.vault}.vault.azure.net"

    def __str__(self) -> str:
        version = f"/{self.version}" if self.version else ""
        return f"keyvault:{self.vault}/{self.certificate}{version}{'?download=true' if self.download else ''}"


def parse_keyvault(text: str, start: int) -> KeyVaultUri:
    """Read what follows ``keyvault:``: ``VAULT/NAME[/VERSION]`` or a certificate's ``https://`` identifier.

    :raises azcert.errors.SourceError: a name breaks Key Vault's rules.
    """
    end = text.find("?", start)
    fields = {} if end < 0 else read_query(text, end + 1, {"download"})
    end = len(text) if end < 0 else end
    address = _ADDRESS.match(text, start, end)
    vault_at = address.start("host") if address else start
    vault_end = address.end("host") if address else text.find("/", start, end)
    if vault_end < 0:
        raise fault(text, end, "Expected keyvault:VAULT/CERTIFICATE.")
    vault = text[vault_at:vault_end].lower()
    if not (_HOST.fullmatch(vault) and ("." in vault or ":" in vault)) and not _VAULT.fullmatch(vault):
        raise fault(
            text, vault_at, "Expected a vault's name (3 to 24 letters, digits and dashes) or its host name."
        )
    name_at = address.end() if address else vault_end + 1
    name, slash, version = text[name_at:end].partition("/")
    if not _CERTIFICATE.fullmatch(name):
        raise fault(
            text, name_at, "A certificate's name in Key Vault has 1 to 127 letters, digits and dashes."
        )
    version_at = name_at + len(name) + 1
    if slash and not _VERSION.fullmatch(version):
        raise fault(
            text, version_at, "A version is 32 hexadecimal digits; leave it out to follow the newest."
        )
    download = "download" in fields and _boolean(text, fields["download"])
    return KeyVaultUri(vault, name, version.lower() or None, download)


def _boolean(text: str, field: Field) -> bool:
    try:
        return _BOOLEANS[field.value.lower()]
    except KeyError:
        raise fault(text, field.position, "Expected true or false.") from None
