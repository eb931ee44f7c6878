"""Every kind of credential that settings can name: its class, its keys, the keyword each becomes.

The names are those of ``CredentialSource`` in Azure.Core's *ConfigurationAndDependencyInjection*, with or
without ``Credential`` at their end, in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from azcert._values import nearest
from azcert.config.credentials.authority import AUTHORITY_KEYS, authority_host, tenant_id
from azcert.config.credentials.spec import CachePersistence, CredentialSpec
from azcert.config.reading.origin import wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.reading.origin import Entry
    from azcert.config.reading.settings import Settings

__all__ = [
    "COMMON_KEYS",
    "ENTRA_KEYS",
    "KINDS",
    "SOURCE_NAMES",
    "Key",
    "Kind",
    "Type",
    "common_arguments",
    "from_table",
    "read_arguments",
    "source_named",
]


class Type(Enum):
    """How a value is read."""

    TEXT = "text"
    SECRET = "secret"  # noqa: S105 - the name of a type
    BOOLEAN = "boolean"
    SECONDS = "time span, in whole seconds"
    TEXTS = "list, or text separated by ;"


@dataclass(frozen=True)
class Key:
    """A key of a credential section.

    :param keyword: the argument it becomes; None where it is read elsewhere, or Python's class has none.
    """

    keyword: str | None
    type: Type = Type.TEXT
    required: bool = False


@dataclass(frozen=True)
class Kind:
    """A credential class and its keys; ``environment`` maps arguments to the variables that may give them."""

    cls: str
    keys: Mapping[str, Key] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def runs_program(self) -> bool:
        """Tell whether it runs a program for its tokens, and so has no pipeline of its own."""
        return "ProcessTimeout" in self.keys


_TENANT = {"TenantId": Key("tenant_id")}
_TENANTS = {"AdditionallyAllowedTenants": Key("additionally_allowed_tenants", Type.TEXTS)}
_DISCOVERY = {"DisableInstanceDiscovery": Key("disable_instance_discovery", Type.BOOLEAN)}
_AUTHORITY = {name: Key(None) for name in AUTHORITY_KEYS}  # read together
_TIMEOUT = {"ProcessTimeout": Key("process_timeout", Type.SECONDS)}
_ENTRA = {**_TENANTS, **_DISCOVERY, **_AUTHORITY}
_BROWSER = {
    **_TENANT,
    **_ENTRA,
    "ClientId": Key("client_id"),
    "LoginHint": Key("login_hint"),
    "RedirectUri": Key("redirect_uri"),
    "DisableAutomaticAuthentication": Key("disable_automatic_authentication", Type.BOOLEAN),
    "BrowserCustomization": Key(None),
}
_IDS = {"TenantId": Key("tenant_id", required=True), "ClientId": Key("client_id", required=True)}
_IDS_FROM = {"tenant_id": "AZURE_TENANT_ID", "client_id": "AZURE_CLIENT_ID"}

ENTRA_KEYS = tuple(_ENTRA)
"""Keys of every credential that asks Entra ID."""
COMMON_KEYS = ("TokenCachePersistenceOptions", "Retry", "Diagnostics", "NetworkTimeout")

KINDS: dict[str, Kind] = {
    "workloadidentity": Kind(
        "WorkloadIdentityCredential",
        {
            **_IDS,
            **_ENTRA,
            "TokenFilePath": Key("token_file_path", required=True),
            "IsAzureProxyEnabled": Key("enable_azure_proxy", Type.BOOLEAN),
        },
        {**_IDS_FROM, "token_file_path": "AZURE_FEDERATED_TOKEN_FILE"},
    ),
    "azurepipelines": Kind(
        "AzurePipelinesCredential",
        {
            **_IDS,
            **_ENTRA,
            "ServiceConnectionId": Key("service_connection_id", required=True),
            "SystemAccessToken": Key("system_access_token", Type.SECRET, required=True),
        },
    ),
    "clientsecret": Kind(
        "ClientSecretCredential",
        {**_IDS, **_ENTRA, "ClientSecret": Key("client_secret", Type.SECRET, required=True)},
        {**_IDS_FROM, "client_secret": "AZURE_CLIENT_SECRET"},
    ),
    "azurecli": Kind(
        "AzureCliCredential", {**_TENANT, **_TENANTS, **_TIMEOUT, "Subscription": Key("subscription")}
    ),
    "azuredevelopercli": Kind("AzureDeveloperCliCredential", {**_TENANT, **_TENANTS, **_TIMEOUT}),
    "azurepowershell": Kind("AzurePowerShellCredential", {**_TENANT, **_TENANTS, **_TIMEOUT}),
    "visualstudiocode": Kind("VisualStudioCodeCredential", {**_TENANT, **_TENANTS}),
    "visualstudio": Kind("VisualStudioCredential", {**_TENANT, **_TENANTS, **_TIMEOUT}),
    "interactivebrowser": Kind("InteractiveBrowserCredential", _BROWSER),
    "broker": Kind(
        "InteractiveBrowserBrokerCredential",
        {
            **_BROWSER,
            "UseDefaultBrokerAccount": Key("use_default_broker_account", Type.BOOLEAN),
            "IsLegacyMsaPassthroughEnabled": Key("enable_msa_passthrough", Type.BOOLEAN),
        },
    ),
    "apikey": Kind("AzureKeyCredential", {"Key": Key("key", Type.SECRET, required=True)}),
}
"""Kinds whose arguments are read by table; the others have a reader in `credential_source`."""

SOURCE_NAMES: dict[str, str] = {
    name.lower().removesuffix("credential"): name
    for name in (
        "ApiKeyCredential",
        "AzureCliCredential",
        "AzureDeveloperCliCredential",
        "AzurePipelinesCredential",
        "AzurePowerShellCredential",
        "BrokerCredential",
        "ChainedTokenCredential",
        "ClientCertificateCredential",
        "ClientSecretCredential",
        "DefaultAzureCredential",
        "EnvironmentCredential",
        "InteractiveBrowserCredential",
        "ManagedIdentityAsFederatedIdentityCredential",
        "ManagedIdentityCredential",
        "VisualStudioCodeCredential",
        "VisualStudioCredential",
        "WorkloadIdentityCredential",
    )
}
"""Every credential source: in lower case without ``Credential`` at its end, and in full."""

_ALIASES = {"certificate": "clientcertificate", "default": "defaultazure", "chained": "chainedtoken"}


def source_named(entry: Entry, text: str) -> str:
    """Return the credential source that *text* names, as a key of `SOURCE_NAMES`.

    :raises azcert.errors.ConfigurationError: there is none of that name; the nearest one is named.
    """
    name = text.strip().lower().removesuffix("credential")
    name = _ALIASES.get(name, name)
    if name not in SOURCE_NAMES:
        near = nearest(name, SOURCE_NAMES)
        # The flat key's values are written small, CredentialSource's in full.
        known = list(SOURCE_NAMES if entry.name.lower() == "credential" else SOURCE_NAMES.values())
        raise wrong(
            entry,
            f"is {entry.quoted}, which is no credential source",
            code="unknown-credential",
            remedy=f"Did you mean {known[list(SOURCE_NAMES).index(near)]}?"
            if near
            else f"There are {', '.join(sorted(known))}.",
        )
    return name


def read_arguments(section: Settings, keys: Mapping[str, Key]) -> dict[str, Any]:
    """Return the arguments that the section's values become.

    :raises azcert.errors.ConfigurationError: a value is of another type.
    """
    arguments: dict[str, Any] = {}
    for name, key in keys.items():
        if key.keyword is None:
            continue
        value: Any = None
        if key.type is Type.TEXT:
            value = section.text(name)
        elif key.type is Type.SECRET:
            value = section.secret(name)
        elif key.type is Type.BOOLEAN:
            value = section.boolean(name)
        elif key.type is Type.TEXTS:
            value = section.texts(name)
        else:
            duration = section.duration(name)
            value = None if duration is None else int(duration.total_seconds())
        if value is not None:
            arguments[key.keyword] = value
    return arguments


def common_arguments(section: Settings) -> dict[str, Any]:
    """Return what every token credential may be told: authority, tenants, where tokens are kept."""
    arguments = read_arguments(section, _ENTRA)
    authority = authority_host(section)
    if authority is not None:
        arguments["authority"] = authority
    persistence = section.group("TokenCachePersistenceOptions")
    if persistence:
        arguments["cache_persistence_options"] = CachePersistence(
            persistence.text("Name"), bool(persistence.boolean("UnsafeAllowUnencryptedStorage"))
        )
    return arguments


def from_table(section: Settings, name: str, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    """Return the credential of a kind in `KINDS`, from the keys of *section* and the environment.

    :raises azcert.errors.ConfigurationError: a key is missing or wrong.
    """
    kind = KINDS[name]
    arguments = read_arguments(section, kind.keys)
    tenant = tenant_id(section)
    if "TenantId" in kind.keys and tenant is not None:
        arguments["tenant_id"] = tenant
    for keyword, variable in kind.environment.items():
        if keyword not in arguments and environ.get(variable):
            arguments[keyword] = environ[variable]
    missing = [
        f"{key} ({name_of})" if (name_of := kind.environment.get(value.keyword or "")) else key
        for key, value in kind.keys.items()
        if value.required and value.keyword not in arguments
    ]
    if missing:
        raise wrong(
            entry,
            f"asks for {SOURCE_NAMES[name]}, which also needs {', '.join(missing)}",
            code="incomplete-credential",
            remedy=f"Add what is missing to the section {section.path}"
            f"{', or set the environment variables' if '(' in ''.join(missing) else ''}.",
        )
    if name != "apikey" and not kind.runs_program:
        arguments.update(common_arguments(section))
    return CredentialSpec(kind.cls, arguments, origin=str(entry.origin))
