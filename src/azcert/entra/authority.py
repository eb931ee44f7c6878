"""Clouds, hosts, tenant rules and the addresses of the token endpoint; data and pure functions."""

from __future__ import annotations

import os
import re
import string
from typing import NamedTuple
from urllib.parse import urlsplit

from azcert import errors
from azcert.errors import ConfigurationError

__all__ = [
    "ADFS",
    "AUTHORITY_VARIABLE",
    "DISABLE_MULTITENANT_VARIABLE",
    "KNOWN_HOSTS",
    "PUBLIC",
    "Authority",
    "check_tenant",
    "default_authority",
    "parse_authority",
    "resolve_tenant",
]

AUTHORITY_VARIABLE = "AZURE_AUTHORITY_HOST"
"""Authority to use where none is given, as in azure-identity."""
DISABLE_MULTITENANT_VARIABLE = "AZURE_IDENTITY_DISABLE_MULTITENANTAUTH"
"""Set to anything: a tenant asked for per call is ignored, as in azure-identity."""

PUBLIC = "login.microsoftonline.com"
ADFS = "adfs"
"""The tenant name that stands for AD FS instead of Entra ID."""

# The public cloud's names for one service, which share the regional host's name
# (MSAL's well-known hosts; https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud).
_PUBLIC_HOSTS = frozenset({PUBLIC, "login.microsoft.com", "login.windows.net", "sts.windows.net"})
KNOWN_HOSTS = _PUBLIC_HOSTS | {
    "login.chinacloudapi.cn",
    "login.partner.microsoftonline.cn",
    "login.microsoftonline.de",
    "login-us.microsoftonline.com",
    "login.microsoftonline.us",
    "login.usgovcloudapi.net",
    "login.sovcloud-identity.fr",
    "login.sovcloud-identity.de",
    "login.sovcloud-identity.sg",
}
"""Authority hosts that need no instance discovery: Microsoft's own, as MSAL lists them."""

_CUSTOMER_SUFFIXES = (
    ".ciamlogin.com",
    ".b2clogin.com",
    ".b2clogin.cn",
    ".b2clogin.us",
    ".b2clogin.de",
)

_TENANT_CHARACTERS = frozenset(string.ascii_letters + string.digits + "-.")
_HOST = re.compile(r"([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?")
_PATH = re.compile(r"(/[A-Za-z0-9._~\-]+)*")
# A DNS label, as newer MSALs check it: a region becomes part of a host name.
_REGION = re.compile(r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")


class Authority(NamedTuple):
    """Where tokens are issued.

    :param host: host, with its port where one was given.
    :param path: what stands before the tenant in the path; empty for Entra ID.
    """

    host: str
    path: str = ""

    @property
    def is_known(self) -> bool:
        """Tell whether the host is one of Microsoft's, so that nothing has to vouch for it."""
        return self.host in KNOWN_HOSTS or self.host.endswith(_CUSTOMER_SUFFIXES)

    def token_url(self, tenant_id: str) -> str:
        """Return the token endpoint, which is the assertion's audience as well.

        Entra ID: https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow;
        AD FS: ``/adfs/oauth2/token``, without a version.
        """
        if tenant_id.lower() == ADFS:
            return f"https://{self.host}{self.path}/adfs/oauth2/token"
        return f"https://{self.host}{self.path}/{tenant_id}/oauth2/v2.0/token"

    def regional_token_url(self, tenant_id: str, region: str) -> str:
        """Return the token endpoint of one region: ``{region}.login.microsoft.com`` in the public cloud.

        :raises ConfigurationError: the region is not a DNS label.
        """
        if not _REGION.fullmatch(region):
            raise ConfigurationError(
                f"{region!r} is not the name of an Azure region.",
                code="bad-region",
                remedy="Set AZURE_REGIONAL_AUTHORITY_NAME to a name such as westeurope, or to tryautodetect.",
                region=region,
            )
        host = "login.microsoft.com" if self.host in _PUBLIC_HOSTS else self.host
        return f"https://{region}.{host}{self.path}/{tenant_id}/oauth2/v2.0/token"


def parse_authority(text: str) -> Authority:
    """Read an authority as azure-identity does: a host or an https URL; blanks and slashes at its end go.

    :raises ConfigurationError: another scheme than https, or no host.
    """
    cleaned = text.strip().rstrip("/")
    try:
        parts = urlsplit(cleaned if "://" in cleaned else f"https://{cleaned}")
    except ValueError:
        # Half a bracket of an IPv6 address.
        parts = urlsplit("https://")
    if parts.scheme != "https":
        raise ConfigurationError(
            f"The authority {text!r} begins with {parts.scheme}://; tokens are only asked for over TLS.",
            code="bad-authority",
            remedy=f"Write https://{parts.netloc} or just the host.",
            authority=text,
        )
    if not _HOST.fullmatch(parts.netloc) or not _PATH.fullmatch(parts.path) or parts.query or parts.fragment:
        raise ConfigurationError(
            f"The authority {text!r} is not a host or an https URL.",
            code="bad-authority",
            remedy=f"An authority looks like {PUBLIC} or https://{PUBLIC}.",
            authority=text,
        )
    return Authority(parts.netloc.lower(), parts.path)


def default_authority() -> Authority:
    """Return the authority named by AZURE_AUTHORITY_HOST, or the public cloud's.

    :raises ConfigurationError: the variable holds no authority.
    """
    return parse_authority(os.environ.get(AUTHORITY_VARIABLE) or PUBLIC)


def check_tenant(tenant_id: str) -> str:
    """Return the tenant if it can stand in a URL: a GUID, a domain, or ``adfs``.

    :raises ConfigurationError: it is empty or holds other characters than letters, digits, ``-`` and ``.``.
    """
    if not tenant_id or not _TENANT_CHARACTERS.issuperset(tenant_id):
        found = f"{tenant_id!r} is not a tenant ID" if tenant_id else "The tenant ID is empty"
        raise ConfigurationError(
            f"{found}: a GUID or a domain such as contoso.onmicrosoft.com was expected.",
            code="bad-tenant",
            remedy="The portal shows it under Microsoft Entra ID, Overview, as Tenant ID.",
            tenant_id=tenant_id,
        )
    return tenant_id


def resolve_tenant(configured: str, asked: str | None, additionally_allowed: frozenset[str]) -> str:
    """Return the tenant a call gets a token of, by azure-identity's rules.

    :param configured: the credential's tenant.
    :param asked: the tenant named in the call, if any.
    :param additionally_allowed: other tenants a call may name; ``*`` allows all.
    :raises AuthenticationError: the call names a tenant that is not allowed.
    :raises ConfigurationError: the call names something that is no tenant.
    """
    if not asked or asked == configured:
        return configured
    if configured.lower() == ADFS or os.environ.get(DISABLE_MULTITENANT_VARIABLE):
        return configured
    check_tenant(asked)
    if "*" in additionally_allowed or asked in additionally_allowed:
        return asked
    raise errors.AuthenticationError(
        f"The credential of tenant {configured} was asked for a token of tenant {asked}, which it is not "
        "configured to acquire tokens for.",
        code="tenant-not-allowed",
        remedy=f"Add {asked!r} (or '*' for any tenant) to additionally_allowed_tenants, or set "
        f"{DISABLE_MULTITENANT_VARIABLE} to use the credential's own tenant always.",
        tenant_id=asked,
    )
