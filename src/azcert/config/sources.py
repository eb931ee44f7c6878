"""The newer contract: a ``Credential`` section with a ``CredentialSource``, as Azure.Core documents it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert._redact import Secret
from azcert._values import nearest
from azcert.config.certificates import CERTIFICATE_KEYS, certificate_arguments
from azcert.config.kinds import COMMON_KEYS, KINDS, common_arguments, read_arguments
from azcert.config.options import read_options, refuse_unknown
from azcert.config.origin import wrong
from azcert.config.spec import CredentialSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.origin import Entry
    from azcert.config.settings import Settings

__all__ = [
    "DEFAULT_KEYS",
    "SOURCE_NAMES",
    "certificate_spec",
    "default_spec",
    "exchange_scope",
    "federated",
    "from_section",
    "from_table",
    "ids",
    "managed_identity",
    "source_named",
]

SOURCE_NAMES = (
    *KINDS,
    "clientcertificate",
    "default",
    "environment",
    "managedidentity",
    "managedidentityasfederatedidentity",
    "chainedtoken",
)
"""Every credential source, in lower case and without ``Credential`` at its end."""

_ALIASES = {"certificate": "clientcertificate", "defaultazure": "default", "chained": "chainedtoken"}
_ENTRA_KEYS = (
    "AdditionallyAllowedTenants",
    "DisableInstanceDiscovery",
    "Authority",
    "AuthorityHost",
    "Instance",
)
_ENVIRONMENT_KEYS = (
    "TenantId",
    "ClientId",
    "ClientSecret",
    "ClientCertificatePath",
    "ClientCertificatePassword",
    "ClientCertificatePasswordFrom",
    "SendCertificateChain",
)
DEFAULT_KEYS = ("tenantId", "clientId", "managedIdentityClientId", "managedIdentityResourceId")
"""Keys that say something about the default chain."""
_IDENTITY_KEYS = ("ManagedIdentityIdKind", "ManagedIdentityId")
_ID_KINDS = {
    "systemassigned": None,
    "clientid": "client_id",
    "resourceid": "resource_id",
    "objectid": "object_id",
}
# Audience of the tokens that Entra ID exchanges, by cloud: learn.microsoft.com/entra/workload-id,
# "Configure an application to trust a managed identity".
_EXCHANGE = {
    "public": "api://AzureADTokenExchange",
    "usgov": "api://AzureADTokenExchangeUSGov",
    "china": "api://AzureADTokenExchangeChina",
}


def source_named(entry: Entry, text: str) -> str:
    """Return the credential source that *text* names, as in `SOURCE_NAMES`.

    :raises azcert.errors.ConfigurationError: there is none of that name; the nearest one is named.
    """
    name = text.strip().lower().removesuffix("credential")
    name = _ALIASES.get(name, name)
    if name not in SOURCE_NAMES:
        near = nearest(name, SOURCE_NAMES)
        raise wrong(
            entry,
            f"is {text!r}, which is no credential source",
            code="unknown-credential",
            remedy=f"Did you mean {near}?" if near else f"There are {', '.join(sorted(SOURCE_NAMES))}.",
        )
    return name


def from_section(section: Settings, environ: Mapping[str, str], *, nested: bool = False) -> CredentialSpec:
    """Return the credential that a section with a ``CredentialSource`` describes.

    :param nested: it is part of a chain.
    :raises azcert.errors.ConfigurationError: the source is unknown, or a key is missing, wrong or unknown.
    """
    entry = section.entry("CredentialSource")
    assert entry is not None, "the caller has seen it"  # noqa: S101
    name = source_named(entry, section.text("CredentialSource") or "")
    if nested and name in {"chainedtoken", "apikey"}:
        raise wrong(entry, f"is {name}, which cannot be part of a chain", code="wrong-chain")
    if name in KINDS:
        refuse_unknown(section, ("CredentialSource", *KINDS[name].keys, *COMMON_KEYS))
        return from_table(section, name, entry, environ)
    reader = {
        "managedidentity": _managed_identity,
        "managedidentityasfederatedidentity": _federated,
        "environment": _environment,
        "chainedtoken": _chained,
        "clientcertificate": _certificate,
        "default": _default,
    }[name]
    return reader(section, entry, environ)


def from_table(section: Settings, name: str, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    """Return the credential of a kind in `KINDS`, from the keys of *section* and the environment.

    :raises azcert.errors.ConfigurationError: a key is missing or wrong.
    """
    kind = KINDS[name]
    arguments = read_arguments(section, kind.keys)
    for keyword, variable in kind.environment.items():
        if keyword not in arguments and environ.get(variable):
            arguments[keyword] = environ[variable]
    missing = [key for key, value in kind.keys.items() if value.required and value.keyword not in arguments]
    if missing:
        raise wrong(
            entry,
            f"asks for {kind.cls}, which also needs {' and '.join(missing)}",
            code="incomplete-credential",
            remedy=f"Add {' and '.join(missing)} to the section {section.path}.",
        )
    if kind.cls != "ApiKey":
        arguments.update(_shared(section, cli="process_timeout" in {k.keyword for k in kind.keys.values()}))
    return CredentialSpec(kind.cls, arguments, origin=str(entry.origin))


def _shared(section: Settings, *, cli: bool = False) -> dict[str, Any]:
    """Return the arguments of every credential; the ones that run a program know no pipeline."""
    if cli:
        return {}
    return {**common_arguments(section), **read_options(section)}


def managed_identity(client: str | None, resource: str | None, obj: str | None) -> dict[str, Any]:
    """Return the arguments of ``ManagedIdentityCredential`` for one of three ids, or for none."""
    if client is not None:
        return {"client_id": client}
    found = {
        name: value for name, value in (("resource_id", resource), ("object_id", obj)) if value is not None
    }
    return {"identity_config": found} if found else {}


def _managed_identity(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    del environ
    refuse_unknown(section, ("CredentialSource", *_IDENTITY_KEYS, *COMMON_KEYS, "AdditionallyAllowedTenants"))
    arguments = _identity(section)
    arguments.update(read_options(section))
    return CredentialSpec("ManagedIdentityCredential", arguments, origin=str(entry.origin))


def _identity(section: Settings) -> dict[str, Any]:
    identifier, entry = section.text("ManagedIdentityId"), section.entry("ManagedIdentityIdKind")
    kind = section.text("ManagedIdentityIdKind")
    if kind is None or entry is None:
        id_entry = section.entry("ManagedIdentityId")
        if identifier is not None and id_entry is not None:
            raise wrong(
                id_entry,
                "needs to be told what kind of id it is",
                code="incomplete-credential",
                remedy="Add ManagedIdentityIdKind: ClientId, ResourceId or ObjectId.",
            )
        return {}
    if kind.lower() not in _ID_KINDS:
        expected = "SystemAssigned, ClientId, ResourceId or ObjectId"
        raise wrong(entry, f"is {kind!r}; expected {expected}", code="wrong-value")
    keyword = _ID_KINDS[kind.lower()]
    if (keyword is None) != (identifier is None):
        found = "needs no ManagedIdentityId" if keyword is None else "needs a ManagedIdentityId"
        raise wrong(entry, f"is {kind}, which {found}", code="incomplete-credential")
    ids = {"client_id": None, "resource_id": None, "object_id": None} | (
        {keyword: identifier} if keyword else {}
    )
    return managed_identity(ids["client_id"], ids["resource_id"], ids["object_id"])


def _federated(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    refuse_unknown(
        section,
        (
            "CredentialSource",
            "TenantId",
            "ClientId",
            "AzureCloud",
            "DisableMtlsProofOfPossession",
            *_IDENTITY_KEYS,
            *COMMON_KEYS,
            *_ENTRA_KEYS,
        ),
    )
    identity = _identity(section)
    if not identity:
        raise wrong(
            entry,
            "needs a user-assigned managed identity",
            code="incomplete-credential",
            remedy="Add ManagedIdentityIdKind and ManagedIdentityId.",
        )
    return federated(section, entry, identity, environ)


def federated(
    section: Settings, entry: Entry, identity: dict[str, Any], environ: Mapping[str, str]
) -> CredentialSpec:
    """Return the credential of an application that trusts a managed identity."""
    return CredentialSpec(
        "ManagedIdentityAsFederatedIdentity",
        {
            **ids(section, entry, environ),
            "scope": exchange_scope(section),
            **_shared(section),
        },
        (CredentialSpec("ManagedIdentityCredential", identity, origin=str(entry.origin)),),
        str(entry.origin),
    )


def exchange_scope(section: Settings) -> str:
    """Return the scope of the tokens that Entra ID takes as assertions in the cloud of ``AzureCloud``.

    :raises azcert.errors.ConfigurationError: the cloud is unknown.
    """
    cloud, entry = section.text("AzureCloud") or "public", section.entry("AzureCloud")
    if cloud.lower() not in _EXCHANGE:
        assert entry is not None, "the default is known"  # noqa: S101
        raise wrong(entry, f"is {cloud!r}; expected public, usgov or china", code="wrong-value")
    return f"{_EXCHANGE[cloud.lower()]}/.default"


def ids(section: Settings, entry: Entry, environ: Mapping[str, str]) -> dict[str, str]:
    """Return tenant and client id of *section*, else of the environment.

    :raises azcert.errors.ConfigurationError: one is in neither.
    """
    tenant = section.text("TenantId") or environ.get("AZURE_TENANT_ID")
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
        {**ids(section, entry, environ), **arguments, **_shared(section)},
        origin=str(entry.origin),
    )


def _certificate(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    refuse_unknown(
        section, ("CredentialSource", "TenantId", "ClientId", *CERTIFICATE_KEYS, *COMMON_KEYS, *_ENTRA_KEYS)
    )
    return certificate_spec(section, entry, environ)


def _environment(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    """Read EnvironmentCredential's keys: what is written here first, then the environment's variables."""
    refuse_unknown(section, ("CredentialSource", *_ENVIRONMENT_KEYS, *COMMON_KEYS, *_ENTRA_KEYS))
    if all(section.text(name) is None for name in _ENVIRONMENT_KEYS):
        return CredentialSpec("EnvironmentCredential", _shared(section), origin=str(entry.origin))
    secret = section.secret("ClientSecret")
    if secret is None and section.text("ClientCertificatePath") is not None:
        return certificate_spec(section, entry, environ)
    if secret is None and environ.get("AZURE_CLIENT_SECRET"):
        secret = Secret(environ["AZURE_CLIENT_SECRET"])
    arguments: dict[str, Any] = {**ids(section, entry, environ), **_shared(section)}
    if secret is not None:
        arguments["client_secret"] = secret
        return CredentialSpec("ClientSecretCredential", arguments, origin=str(entry.origin))
    path = environ.get("AZURE_CLIENT_CERTIFICATE_PATH")
    if path is None:
        raise wrong(
            entry,
            "asks for the environment's credential, and there is neither a secret nor a certificate",
            code="incomplete-credential",
            remedy="Set AZURE_CLIENT_CERTIFICATE_PATH, or add ClientCertificatePath to the section.",
        )
    arguments["certificate"] = (path,)
    if environ.get("AZURE_CLIENT_CERTIFICATE_PASSWORD"):
        arguments["password"] = Secret(environ["AZURE_CLIENT_CERTIFICATE_PASSWORD"])
    return CredentialSpec("CertificateCredential", arguments, origin=str(entry.origin))


def _chained(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    refuse_unknown(section, ("CredentialSource", "Sources"))
    items = section.section("Sources").items()
    if not items:
        raise wrong(entry, "needs Sources, a list of at least one credential", code="incomplete-credential")
    for item in items:
        if item.entry("CredentialSource") is None:
            raise wrong(
                next(iter(item)), f"lies in {item.path}, which has no CredentialSource", code="wrong-chain"
            )
    parts = tuple(from_section(item, environ, nested=True) for item in items)
    return CredentialSpec("ChainedTokenCredential", {}, parts, str(entry.origin))


def _default(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    del environ
    refuse_unknown(section, ("CredentialSource", *DEFAULT_KEYS, *COMMON_KEYS, *_ENTRA_KEYS))
    return default_spec(section, str(entry.origin))


def default_spec(section: Settings, origin: str) -> CredentialSpec:
    """Return the default chain, with what the section says of tenants and managed identities."""
    arguments = _shared(section)
    tenant = section.text("tenantId")
    if tenant is not None:
        # DefaultAzureCredentialOptions.TenantId sets the tenant of each link; Python has a name for each.
        for link in (
            "broker",
            "interactive_browser",
            "shared_cache",
            "visual_studio_code",
            "workload_identity",
        ):
            arguments[f"{link}_tenant_id"] = tenant
    identity, client = section.text("managedIdentityClientId"), section.text("clientId")
    resource, entry = section.text("managedIdentityResourceId"), section.entry("managedIdentityResourceId")
    if client is not None:
        arguments["workload_identity_client_id"] = client
    if resource is not None and entry is not None:
        if identity is not None:
            raise wrong(entry, "is given, and so is managedIdentityClientId; keep one", code="two-identities")
        arguments.update(managed_identity_client_id=None, identity_config={"resource_id": resource})
    elif identity is not None or client is not None:
        arguments["managed_identity_client_id"] = identity or client
    return CredentialSpec("DefaultCredential", arguments, origin=origin)
