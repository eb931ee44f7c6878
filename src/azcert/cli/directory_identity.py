"""Who a command is towards Microsoft Graph: a certificate if one is named, else whoever is signed in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.cli.credential_options import credential_from

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from azcert.registration.role_assignments import RoleAssignments
    from azcert.registration.sync import Registrations

__all__ = ["registrations", "role_assignments", "signed_in"]


def signed_in(**identity: Any) -> TokenCredential:
    """Return the named certificate's credential, else azure-identity's default chain (az login, ...)."""
    if identity["certificate"]:
        return credential_from(**identity)
    from azure.identity import DefaultAzureCredential

    return DefaultAzureCredential()


def registrations(**identity: Any) -> Registrations:
    """Return the app registrations that identity may see."""
    from azcert.registration.sync import Registrations

    return Registrations(signed_in(**identity), authority=_authority_host(identity["authority"]))


def role_assignments(**identity: Any) -> RoleAssignments:
    """Return the role assignments that identity may make."""
    from azcert.registration.role_assignments import RoleAssignments

    return RoleAssignments(signed_in(**identity), authority=_authority_host(identity["authority"]))


def _authority_host(given: str | None) -> str:
    from azcert.entra.authority import default_authority, parse_authority

    return (parse_authority(given) if given else default_authority()).host
