"""Credentials of an application: its certificate, or a managed identity that it trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert.config.authority import tenant_id
from azcert.config.certificates import certificate_arguments
from azcert.config.kinds import common_arguments
from azcert.config.origin import wrong
from azcert.config.spec import CredentialSpec

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from azcert.config.origin import Entry
    from azcert.config.settings import Settings

__all__ = ["certificate_spec", "federated_spec", "ids"]

# Audience of the tokens that Entra ID exchanges, by cloud: learn.microsoft.com/entra/workload-id,
# "Configure an application to trust a managed identity".
_EXCHANGE = {
    "public": "api://AzureADTokenExchange",
    "usgov": "api://AzureADTokenExchangeUSGov",
    "china": "api://AzureADTokenExchangeChina",
}


def ids(section: Settings, entry: Entry, environ: Mapping[str, str]) -> dict[str, str]:
    """Return tenant and client id of *section*, else of the environment.

    :raises azcert.errors.ConfigurationError: one is in neither.
    """
    tenant = tenant_id(section) or environ.get("AZURE_TENANT_ID")
    client = section.text("ClientId") or environ.get("AZURE_CLIENT_ID")
    if tenant and client:
        return {"tenant_id": tenant, "client_id": client}
    missing = [
        name
        for name, found in (("TenantId (AZURE_TENANT_ID)", tenant), ("ClientId (AZURE_CLIENT_ID)", client))
        if not found
    ]
    raise wrong(
        entry,
        f"asks for a credential of an application, and {' and '.join(missing)} is given nowhere",
        code="incomplete-credential",
        remedy=f"Add it to the section {section.path or '(root)'} or set the environment variable.",
    )


def certificate_spec(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    """Return the certificate credential of *section*, which names a certificate.

    :raises azcert.errors.ConfigurationError: tenant or client are missing, or a key is wrong.
    """
    arguments = certificate_arguments(section)
    if arguments is None:
        raise wrong(
            entry,
            "asks for a certificate and none is named",
            code="incomplete-credential",
            remedy="Add certificate, clientCertificatePath, clientCertificate (a thumbprint) or "
            "clientCertificateSubject.",
        )
    return CredentialSpec(
        "CertificateCredential",
        {**ids(section, entry, environ), **arguments, **common_arguments(section)},
        origin=str(entry.origin),
    )


def federated_spec(
    section: Settings, entry: Entry, identity: dict[str, Any], environ: Mapping[str, str]
) -> CredentialSpec:
    """Return the credential of an application that trusts a managed identity."""
    return CredentialSpec(
        "ManagedIdentityAsFederatedIdentity",
        {
            **ids(section, entry, environ),
            "scope": _exchange_scope(section),
            **common_arguments(section),
        },
        (CredentialSpec("ManagedIdentityCredential", identity, origin=str(entry.origin)),),
        str(entry.origin),
    )


def _exchange_scope(section: Settings) -> str:
    """Return the scope of the tokens that Entra ID takes as assertions in the cloud of ``AzureCloud``.

    :raises azcert.errors.ConfigurationError: the cloud is unknown.
    """
    cloud, entry = section.text("AzureCloud") or "public", section.entry("AzureCloud")
    if cloud.lower() not in _EXCHANGE:
        assert entry is not None, "the default is known"  # noqa: S101
        raise wrong(entry, f"is {entry.quoted}; expected public, usgov or china", code="wrong-value")
    return f"{_EXCHANGE[cloud.lower()]}/.default"
