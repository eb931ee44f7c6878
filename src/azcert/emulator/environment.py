"""The environment in which a program, unchanged, meets the emulator instead of Azure."""

from __future__ import annotations

import json
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from azcert.emulator.hosts import APP_SERVICE_PATH

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.emulator.seed import Identity

__all__ = ["SHELLS", "applied", "exports", "on_a_machine", "trust_bundle", "variables"]

# Each names one file of CA certificates for those who read it.
_CA_VARIABLES = (
    "REQUESTS_CA_BUNDLE",  # requests, and with it azure-core, msal and pip
    "SSL_CERT_FILE",  # OpenSSL: Python's ssl and aiohttp, Go, Ruby, .NET on Linux
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",  # added to Node's own
    "GIT_SSL_CAINFO",
    "DENO_CERT",
)
_PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy")
_NO_PROXY_VARIABLES = ("NO_PROXY", "no_proxy")
_LOOPBACK = "localhost,127.0.0.1,::1"

# They would lead a client elsewhere, or to another identity than the emulator's.
_CONFLICTING = (
    "ALL_PROXY",
    "all_proxy",
    "AZURE_AUTHORITY_HOST",
    "AZURE_REGIONAL_AUTHORITY_NAME",
    "AZURE_CLIENT_SECRET",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_USERNAME",
    "AZURE_PASSWORD",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
)


def variables(
    *,
    proxy_url: str,
    bundle: Path,
    folder: Path,
    identity: Identity,
    certificate: Path | None,
    password: str | None = None,
) -> dict[str, str | None]:
    """Return what to set, and as None what to unset.

    :param bundle: the CA certificates to trust.
    :param folder: the emulator's runtime folder, for ``azcert emulator clock`` and the like.
    :param certificate: the client's certificate file with its key.
    :param password: of that file; the variable is unset without one.
    """
    found: dict[str, str | None] = dict.fromkeys(_CONFLICTING)
    found |= dict.fromkeys(_PROXY_VARIABLES, proxy_url)
    found |= dict.fromkeys(_NO_PROXY_VARIABLES, _LOOPBACK)
    found |= dict.fromkeys(_CA_VARIABLES, str(bundle))
    return found | {
        "NODE_USE_ENV_PROXY": "1",  # Node 22.21 and 24: fetch and https read HTTPS_PROXY
        "AZURE_TENANT_ID": identity.tenant_id,
        "AZURE_CLIENT_ID": identity.client_id or None,
        "AZURE_CLIENT_CERTIFICATE_PATH": str(certificate) if certificate else None,
        "AZURE_CLIENT_CERTIFICATE_PASSWORD": password,
        "KEY_VAULT_NAME": identity.vault,
        "AZCERT_EMULATOR": str(folder),
    }


def on_a_machine(changes: dict[str, str | None], form: str, url: str, header: str) -> dict[str, str | None]:
    """Return *changes* for a client on a machine with a managed identity: it is told no client and no key.

    :param form: ``imds`` or ``app-service``.
    """
    told = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH")
    changes = {**changes, **dict.fromkeys(told)}
    if form == "imds":
        return {**changes, "AZURE_POD_IDENTITY_AUTHORITY_HOST": url}
    return {**changes, "IDENTITY_ENDPOINT": url + APP_SERVICE_PATH, "IDENTITY_HEADER": header}


def applied(base: Mapping[str, str], changes: Mapping[str, str | None]) -> dict[str, str]:
    """Return the environment *base* with *changes* made."""
    kept = {name: value for name, value in base.items() if name not in changes}
    return kept | {name: value for name, value in changes.items() if value is not None}


def trust_bundle(authority: bytes, *, passthrough: bool) -> bytes:
    """Return the CA certificates a client must trust: the emulator's, with the system's where they matter."""
    if not passthrough:
        return authority
    system = ssl.get_default_verify_paths().cafile
    if system is None:
        import certifi  # only where the system has no bundle of its own

        system = certifi.where()
    return authority + Path(system).read_bytes()


def exports(changes: Mapping[str, str | None], shell: str) -> str:
    """Return the commands that make *changes* in a shell, or a JSON object for other programs."""
    return SHELLS[shell](changes)


def _sh(changes: Mapping[str, str | None]) -> str:
    lines = [
        f"unset {name}" if value is None else f"export {name}={_quoted(value, chr(39), _SH_QUOTE)}"
        for name, value in changes.items()
    ]
    return "\n".join(lines)


def _fish(changes: Mapping[str, str | None]) -> str:
    lines = [
        f"set -e {name}"
        if value is None
        else f"set -gx {name} {_quoted(_fish_escaped(value), chr(39), _BACK)}"
        for name, value in changes.items()
    ]
    return "\n".join(lines)


def _powershell(changes: Mapping[str, str | None]) -> str:
    lines = [
        f"Remove-Item Env:{name} -ErrorAction Ignore"
        if value is None
        else f"$Env:{name} = {_quoted(value, chr(39), chr(39) * 2)}"
        for name, value in changes.items()
    ]
    return "\n".join(lines)


def _json(changes: Mapping[str, str | None]) -> str:
    return json.dumps(changes, indent=2)


_SH_QUOTE = "'\\''"
_BACK = "\\'"


def _fish_escaped(value: str) -> str:
    return value.replace("\\", "\\\\")


def _quoted(value: str, quote: str, escaped: str) -> str:
    if re.fullmatch(r"[\w./:@%+,=-]+", value, re.ASCII) and escaped != quote * 2:
        return value
    return quote + value.replace(quote, escaped) + quote


SHELLS = {"sh": _sh, "fish": _fish, "powershell": _powershell, "json": _json}
"""Writers of `exports`, by name."""
