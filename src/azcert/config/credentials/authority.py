"""Where tokens are asked for: ``AuthorityHost``, or Microsoft.Identity.Web's ``Instance`` and ``Authority``.

Source: docs/authority-configuration.md of AzureAD/microsoft-identity-web: an ``Authority`` is the instance
and the tenant in one URL; ``Instance`` and ``TenantId`` go before what it says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from azcert.config.reading.settings import Settings

__all__ = ["AUTHORITY_KEYS", "authority_host", "tenant_id"]

AUTHORITY_KEYS = ("Authority", "AuthorityHost", "Instance")


def authority_host(section: Settings) -> str | None:
    """Return the authority without a tenant, None if *section* names none."""
    return section.text("AuthorityHost") or section.text("Instance") or _split(section)[0]


def tenant_id(section: Settings) -> str | None:
    """Return the tenant that *section* names, by itself or in its ``Authority``."""
    return section.text("TenantId") or _split(section)[1]


def _split(section: Settings) -> tuple[str | None, str | None]:
    text = section.text("Authority")
    try:
        parts = urlsplit(text or "")
    except ValueError:  # half a bracket of an IPv6 address
        return text, None
    path = [part for part in parts.path.split("/") if part]
    if len(path) == 2 and path[1].lower() == "v2.0":  # noqa: PLR2004 - the tenant and the version
        path.pop()
    if parts.scheme and parts.netloc and len(path) == 1:
        return f"{parts.scheme}://{parts.netloc}", path[0]
    return text, None
