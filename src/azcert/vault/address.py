"""Names of vaults and secrets, and the address that a vault's name stands for in each cloud."""

from __future__ import annotations

import os
import re
from urllib.parse import urlsplit

__all__ = ["is_secret_name", "read_vault", "vault_url"]

# Data-plane suffix by authority (Azure's documentation, "National clouds"); the public cloud is the default.
_SUFFIXES = {
    "login.microsoftonline.us": "vault.usgovcloudapi.net",
    "login.chinacloudapi.cn": "vault.azure.cn",
    "login.partner.microsoftonline.cn": "vault.azure.cn",
}
_PUBLIC = "vault.azure.net"
# Key Vault's REST reference, "Objects, identifiers, and versioning".
_VAULT = re.compile(r"[A-Za-z](?:-?[A-Za-z0-9]){2,23}")
_SECRET = re.compile(r"[A-Za-z0-9-]{1,127}")
_LONGEST = 24


def is_secret_name(text: str) -> bool:
    """Tell whether Key Vault allows a secret of that name."""
    return _SECRET.fullmatch(text) is not None


def vault_url(name: str, authority: str | None = None) -> str:
    """Return the address of the vault of that name.

    :param authority: host that says which cloud; the variable AZURE_AUTHORITY_HOST, else the public cloud's.
    :raises ValueError: no vault can have that name.
    """
    if not _VAULT.fullmatch(name) or len(name) > _LONGEST:
        raise ValueError(
            f"no vault is called {name!r}: 3 to 24 letters, digits and single hyphens, a letter first"
        )
    host = (authority or os.environ.get("AZURE_AUTHORITY_HOST", "")).removeprefix("https://").strip("/ ")
    return f"https://{name.lower()}.{_SUFFIXES.get(host.lower(), _PUBLIC)}"


def read_vault(text: str, authority: str | None = None) -> str:
    """Return the address of the vault that is given by its name or its address.

    :raises ValueError: it is neither.
    """
    if not text.startswith("https://"):
        return vault_url(text, authority)
    parts = urlsplit(text)
    if not parts.hostname or parts.username or parts.path.strip("/") or parts.query or parts.fragment:
        host = parts.hostname or "VAULT.vault.azure.net"
        raise ValueError(f"{text!r} is more than a vault's address, which is https://{host}")
    return f"https://{parts.netloc}"
