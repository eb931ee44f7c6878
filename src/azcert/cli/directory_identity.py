"""Who a command is towards Microsoft Graph: a certificate if one is named, else whoever is signed in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.cli.credential_options import credential_from

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from azcert.registration.sync import Registrations

__all__ = ["registrations", "signed_in"]


def signed_in(**identity: Any) -> TokenCredential:
    """Return the named certificate's credential, else azure-identity's default chain (az login, ...)."""
    if identity["certificate"]:
        return credential_from(**identity)
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


def registrations(**identity: Any) -> Registrations:
    """Return the app registrations that identity may see."""
    from azcert.entra.authority import default_authority, parse_authority
    from azcert.registration.sync import Registrations

    given = identity["authority"]
    authority = parse_authority(given) if given else default_authority()
    return Registrations(signed_in(**identity), authority=authority.host)
