"""Credentials of an application: a certificate, the environment's, a managed identity that it trusts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert.config.credentials.authority import tenant_id
from azcert.config.credentials.certificates import certificate_arguments
from azcert.config.credentials.kinds import common_arguments, from_table
from azcert.config.credentials.spec import CredentialSpec
from azcert.config.reading.origin import Entry, Origin, Place, wrong

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from azcert.config.reading.settings import Settings

__all__ = ["ENVIRONMENT_KEYS", "certificate_spec", "environment_spec", "federated_spec", "ids"]

_VARIABLES = {
    "TenantId": "AZURE_TENANT_ID",
    "ClientId": "AZURE_CLIENT_ID",
    "ClientSecret": "AZURE_CLIENT_SECRET",
    "ClientCertificatePath": "AZURE_CLIENT_CERTIFICATE_PATH",
    "ClientCertificatePassword": "AZURE_CLIENT_CERTIFICATE_PASSWORD",
    "SendCertificateChain": "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
}
ENVIRONMENT_KEYS = (*_VARIABLES, "ClientCertificatePasswordFrom")
"""Keys of the environment's credential; variables give those that a section leaves out."""

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


def environment_spec(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    """Return the environment's credential: what *section* says goes before the variables.

    :raises azcert.errors.ConfigurationError: there is neither a secret nor a certificate, or a key is wrong.
    """
    if all(section.text(name) is None for name in ENVIRONMENT_KEYS):
        return CredentialSpec("EnvironmentCredential", common_arguments(section), origin=str(entry.origin))
    if section.text("ClientSecret") is None and section.text("ClientCertificatePath") is None:
        section = section.completed(
            {
                name: Entry(name, environ[variable], environ[variable], Origin(Place.ENVIRONMENT, variable))
                for name, variable in _VARIABLES.items()
                if environ.get(variable)
            }
        )
    if section.text("ClientSecret") is not None:
        return from_table(section, "clientsecret", entry, environ)
    if section.text("ClientCertificatePath") is not None:
        return certificate_spec(section, entry, environ)
    raise wrong(
        entry,
        "asks for the environment's credential, and there is neither a secret nor a certificate",
        code="incomplete-credential",
        remedy="Set AZURE_CLIENT_CERTIFICATE_PATH, or add ClientCertificatePath to the section.",
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
