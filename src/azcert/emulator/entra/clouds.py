"""The national clouds: which hosts are one authority, and what belongs to it."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["CLOUDS", "Cloud", "authority_host", "cloud_of"]


@dataclass(frozen=True)
class Cloud:
    """A cloud's hosts. Source: https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud.

    :param name: what openid-configuration calls ``cloud_instance_name``.
    :param network: host to talk to (``preferred_network``).
    :param cache: host that names cache entries (``preferred_cache``).
    :param aliases: every host of the authority.
    :param issuer: host of v1 issuers.
    :param vault_suffix: what follows a vault's name.
    """

    name: str
    network: str
    cache: str
    aliases: tuple[str, ...]
    issuer: str
    vault_suffix: str
    graph: str

    def metadata(self) -> dict[str, object]:
        """Return the entry of instance discovery."""
        return {
            "preferred_network": self.network,
            "preferred_cache": self.cache,
            "aliases": list(self.aliases),
        }


CLOUDS = (
    Cloud(
        "microsoftonline.com",
        "login.microsoftonline.com",
        "login.windows.net",
        ("login.microsoftonline.com", "login.windows.net", "login.microsoft.com", "sts.windows.net"),
        "sts.windows.net",
        "vault.azure.net",
        "graph.microsoft.com",
    ),
    Cloud(
        "partner.microsoftonline.cn",
        "login.partner.microsoftonline.cn",
        "login.partner.microsoftonline.cn",
        ("login.partner.microsoftonline.cn", "login.chinacloudapi.cn"),
        "sts.chinacloudapi.cn",
        "vault.azure.cn",
        "microsoftgraph.chinacloudapi.cn",
    ),
    Cloud(
        "microsoftonline.de",
        "login.microsoftonline.de",
        "login.microsoftonline.de",
        ("login.microsoftonline.de",),
        "sts.microsoftonline.de",
        "vault.microsoftazure.de",
        "graph.microsoft.de",
    ),
    Cloud(
        "microsoftonline.us",
        "login.microsoftonline.us",
        "login.microsoftonline.us",
        ("login.microsoftonline.us", "login.usgovcloudapi.net"),
        "sts.windows.net",
        "vault.usgovcloudapi.net",
        "graph.microsoft.us",
    ),
    Cloud(
        "login-us.microsoftonline.com",
        "login-us.microsoftonline.com",
        "login-us.microsoftonline.com",
        ("login-us.microsoftonline.com",),
        "sts.windows.net",
        "vault.azure.net",
        "graph.microsoft.com",
    ),
)

_REGION = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


def cloud_of(host: str) -> Cloud | None:
    """Return the cloud whose authority *host* is, a regional one included; None for any other host."""
    for cloud in CLOUDS:
        for alias in cloud.aliases:
            if host == alias:
                return cloud
            region, dot, rest = host.partition(".")
            if dot and rest == alias and _REGION.fullmatch(region):
                return cloud
    return None


def authority_host(host_header: str) -> str:
    """Return a Host header's name, lower case and without its port."""
    return re.sub(r":\d+$", "", host_header).lower()
