"""The contract of Microsoft.Extensions.Azure: credential keys beside the client's, and azcert's additions.

Source: learn.microsoft.com/dotnet/azure/sdk/authentication/create-token-credentials-from-configuration and
``ClientFactory.CreateCredential``, whose order of decisions this is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert.config.credentials.application import certificate_spec, environment_spec, federated_spec
from azcert.config.credentials.certificates import ASKING_KEYS, CERTIFICATE_KEYS
from azcert.config.credentials.default_chain import DEFAULT_KEYS, default_spec
from azcert.config.credentials.kinds import KINDS, from_table, source_named
from azcert.config.credentials.managed_identity import FLAT_IDENTITY_KEYS, identity_by_key
from azcert.config.credentials.spec import CredentialSpec
from azcert.config.reading.origin import wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.reading.origin import Entry
    from azcert.config.reading.settings import Settings

__all__ = ["FLAT_KEYS", "from_flat"]

FLAT_KEYS = (
    "credential",
    "tenantId",
    "clientId",
    "clientSecret",
    *CERTIFICATE_KEYS,
    *FLAT_IDENTITY_KEYS,
    "additionallyAllowedTenants",
    "tokenFilePath",
    "serviceConnectionId",
    "systemAccessToken",
    "azureCloud",
    "subscription",
    "processTimeout",
    "authority",
    "authorityHost",
    "disableInstanceDiscovery",
    "tokenCachePersistenceOptions",
)
"""The keys of a client's section that describe its credential."""


def from_flat(section: Settings, environ: Mapping[str, str]) -> CredentialSpec | None:
    """Return the credential that the section's own keys describe, None if they describe none.

    :raises azcert.errors.ConfigurationError: a value is unknown, or a key is missing or wrong.
    """
    entry = section.entry("credential")
    text = section.text("credential")
    if entry is not None and text is not None:
        return _named(section, entry, source_named(entry, text), environ)
    secret = section.entry("clientSecret")
    if secret is not None and section.text("clientSecret") is not None:
        return from_table(section, "clientsecret", secret, environ)
    certificate = _first(section, ASKING_KEYS)
    if certificate is not None:
        return certificate_spec(section, certificate, environ)
    lost = _first(section, ("managedIdentityObjectId",))
    if lost is not None:
        raise wrong(
            lost,
            "is only read with credential: managedidentity",
            code="incomplete-credential",
            remedy='Add "credential": "managedidentity".',
        )
    entry = _first(section, (*DEFAULT_KEYS, "additionallyAllowedTenants"))
    return None if entry is None else default_spec(section, str(entry.origin))


def _first(section: Settings, names: tuple[str, ...]) -> Entry | None:
    """Return the first of the values that is there, or the first of the list that begins there."""
    for name in names:
        entry = section.entry(name)
        if entry is not None and entry.text:
            return entry
        inner = next(iter(section.section(name)), None)
        if inner is not None:
            return inner
    return None


def _named(section: Settings, entry: Entry, name: str, environ: Mapping[str, str]) -> CredentialSpec:
    if name == "managedidentity":
        identity = identity_by_key(section, entry, client_id=section.text("clientId"))
        return CredentialSpec("ManagedIdentityCredential", identity, origin=str(entry.origin))
    if name == "managedidentityasfederatedidentity":
        identity = identity_by_key(section, entry)
        if not identity:
            raise wrong(
                entry,
                "needs a user-assigned managed identity",
                code="incomplete-credential",
                remedy=f"Add one of {', '.join(FLAT_IDENTITY_KEYS[:3])}.",
            )
        return federated_spec(section, entry, identity, environ)
    if name == "clientcertificate":
        return certificate_spec(section, entry, environ)
    if name == "defaultazure":
        return default_spec(section, str(entry.origin))
    if name == "environment":
        return environment_spec(section, entry, environ)
    if name in KINDS and name != "apikey":
        return from_table(section, name, entry, environ)
    raise wrong(
        entry,
        f"is {name}, which takes a section of its own",
        code="wrong-credential",
        remedy='Write "Credential": { "CredentialSource": ... } instead.',
    )
