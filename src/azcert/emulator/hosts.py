"""Which real host names the emulator answers for, and which service stands behind each."""

from __future__ import annotations

import re
from enum import StrEnum

from azcert.emulator.entra.clouds import CLOUDS, cloud_of

__all__ = ["APP_SERVICE_PATH", "CONTROL_HOST", "DOMAINS", "IMDS_PATH", "Service", "service_of", "vault_of"]

CONTROL_HOST = "emulator.azcert.invalid"
"""The emulator's own host: reached through its proxy port, and never by DNS (RFC 6761, 6.4)."""

IMDS_PATH = "/metadata/identity/oauth2/token"
APP_SERVICE_PATH = "/msi/token"
"""Where the endpoints of managed identities are, on plain http."""


class Service(StrEnum):
    """What answers for a host."""

    ENTRA = "entra"
    VAULT = "vault"
    GRAPH = "graph"
    ARM = "arm"
    CONTROL = "control"


_VAULT_SUFFIXES = frozenset(cloud.vault_suffix for cloud in CLOUDS)

# https://learn.microsoft.com/graph/deployments, "Microsoft Graph and Graph Explorer service root endpoints"
_GRAPH = frozenset(cloud.graph for cloud in CLOUDS) | {"dod-graph.microsoft.us"}

# https://learn.microsoft.com/azure/developer/identity/azure-stack-hub and "Azure Government endpoints"
_ARM = frozenset({"management.azure.com", "management.usgovcloudapi.net", "management.chinacloudapi.cn"})

DOMAINS = tuple(
    sorted(
        {alias for cloud in CLOUDS for alias in cloud.aliases}
        | _VAULT_SUFFIXES
        | _GRAPH
        | _ARM
        | {CONTROL_HOST}
    )
)
"""Every emulated host is one of these or lies below one: the names the local CA may certify."""

# "3-24 character string, containing only 0-9, a-z, A-Z, and not consecutive -", begins with a letter and ends
# with a letter or digit: https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates
_VAULT_NAME = re.compile(r"(?=.{3,24}\Z)[a-z](?:-?[a-z0-9])*")


def service_of(host: str) -> Service | None:
    """Return the service behind *host*, in any case, with or without the final dot; None for a stranger."""
    name = host.lower().removesuffix(".")
    if name == CONTROL_HOST:
        return Service.CONTROL
    if name in _GRAPH:
        return Service.GRAPH
    if name in _ARM:
        return Service.ARM
    if vault_of(name) is not None:
        return Service.VAULT
    return Service.ENTRA if cloud_of(name) else None


def vault_of(host: str) -> str | None:
    """Return the name of the vault that *host* is, lower case; None where it is no vault's host."""
    name, _, suffix = host.lower().removesuffix(".").partition(".")
    return name if suffix in _VAULT_SUFFIXES and _VAULT_NAME.fullmatch(name) else None
