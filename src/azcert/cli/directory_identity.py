"""Who a command is towards Microsoft Graph: a certificate if one is named, else whoever is signed in here."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from azcert.cli.credential_options import credential_from

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenCredential, TokenRequestOptions

    from azcert.registration.role_assignments import RoleAssignments
    from azcert.registration.sync import Registrations

__all__ = ["registrations", "role_assignments", "signed_in"]


class _Person:
    """Whoever is signed in here.

    :param tenant: whose tokens are wanted, who signed in may be a guest there; the person's own without it.
    """

    def __init__(self, tenant: str | None) -> None:
        from azcert.credential.chain.sync import DefaultCredential

        # azure-identity warns of what the error says once more.
        logging.getLogger("azure.identity").addHandler(logging.NullHandler())
        self._of_tenant = {"tenant_id": tenant} if tenant else {}
        self._credential = DefaultCredential(additionally_allowed_tenants=[tenant] if tenant else [])

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        with _telling_of_the_option():
            return self._credential.get_token(*scopes, **{**self._of_tenant, **options})

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        asked = cast("TokenRequestOptions", {**self._of_tenant, **(options or {})})
        with _telling_of_the_option():
            return self._credential.get_token_info(*scopes, options=asked)


@contextmanager
def _telling_of_the_option() -> Iterator[None]:
    from azcert.errors import AuthenticationError

    try:
        yield
    except AuthenticationError as error:
        if error.code != "no-credential":
            raise
        raise AuthenticationError(
            error.message,
            code=error.code,
            remedy="Sign in with one of these, or name a certificate: --certificate SOURCE.",
            **error.details,
        ) from error


def signed_in(**identity: Any) -> TokenCredential:
    """Return the named certificate's credential, else the default chain's (az login, ...)."""
    return credential_from(**identity) if identity["certificate"] else _Person(identity["tenant_id"])


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
