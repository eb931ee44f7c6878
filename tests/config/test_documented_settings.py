# ruff: noqa: E501 - Microsoft's examples keep their lines
"""The settings that Microsoft's pages show, as written there: type and parameters come out as documented.

Sources: learn.microsoft.com/dotnet/azure/sdk/authentication/create-token-credentials-from-configuration (both
editions), Azure.Core's ConfigurationAndDependencyInjection, and the README of Microsoft.Extensions.Azure.
"""

from __future__ import annotations

from typing import Any

import pytest

from azcert.config.credentials.choose import choose_credential
from azcert.config.credentials.spec import CachePersistence
from azcert.config.reading.json_reader import read_json
from azcert.config.reading.layers import file_layer
from azcert.config.reading.origin import Place
from azcert.config.reading.settings import Settings
from azcert.config.sections import Sections
from support.descriptions import THUMBPRINT, chosen, in_both_stores, revealed

ZERO = "00000000-0000-0000-0000-000000000000"

FLAT = [
    (
        '{"serviceUri": "<service_uri>", "credential": "managedidentity", "clientId": "<clientId>"}',
        {"kind": "ManagedIdentityCredential", "client_id": "<clientId>"},
    ),
    (
        '{"credential": "managedidentity", "managedIdentityClientId": "<managedIdentityClientId>"}',
        {"kind": "ManagedIdentityCredential", "client_id": "<managedIdentityClientId>"},
    ),
    (
        '{"credential": "managedidentity", "managedIdentityResourceId": "<managedIdentityResourceId>"}',
        {
            "kind": "ManagedIdentityCredential",
            "identity_config": {"resource_id": "<managedIdentityResourceId>"},
        },
    ),
    (
        '{"credential": "managedidentity", "resourceId": "<managedIdentityResourceId>"}',
        {
            "kind": "ManagedIdentityCredential",
            "identity_config": {"resource_id": "<managedIdentityResourceId>"},
        },
    ),
    (
        '{"credential": "managedidentity", "managedIdentityObjectId": "<managedIdentityObjectId>"}',
        {"kind": "ManagedIdentityCredential", "identity_config": {"object_id": "<managedIdentityObjectId>"}},
    ),
    ('{"credential": "managedidentity"}', {"kind": "ManagedIdentityCredential"}),
    (
        (
            '{"credential": "managedidentityasfederatedidentity", "tenantId": "<t>", "clientId": "<c>",'
            ' "azureCloud": "usgov", "managedIdentityClientId": "<m>"}'
        ),
        {
            "kind": "ManagedIdentityAsFederatedIdentity",
            "tenant_id": "<t>",
            "client_id": "<c>",
            "scope": "api://AzureADTokenExchangeUSGov/.default",
            "parts": [{"kind": "ManagedIdentityCredential", "client_id": "<m>"}],
        },
    ),
    (
        (
            '{"credential": "azurepipelines", "clientId": "<clientId>", "tenantId": "<tenantId>",'
            ' "serviceConnectionId": "<serviceConnectionId>", "systemAccessToken": "<systemAccessToken>"}'
        ),
        {
            "kind": "AzurePipelinesCredential",
            "tenant_id": "<tenantId>",
            "client_id": "<clientId>",
            "service_connection_id": "<serviceConnectionId>",
            "system_access_token": "secret:<systemAccessToken>",
        },
    ),
    (
        (
            '{"credential": "workloadidentity", "tenantId": "<tenantId>", "clientId": "<clientId>",'
            ' "tokenFilePath": "<tokenFilePath>"}'
        ),
        {
            "kind": "WorkloadIdentityCredential",
            "tenant_id": "<tenantId>",
            "client_id": "<clientId>",
            "token_file_path": "<tokenFilePath>",
        },
    ),
    (
        '{"tenantId": "<tenantId>", "clientId": "<clientId>", "clientSecret": "<clientSecret>"}',
        {
            "kind": "ClientSecretCredential",
            "tenant_id": "<tenantId>",
            "client_id": "<clientId>",
            "client_secret": "secret:<clientSecret>",
        },
    ),
    (
        (
            f'{{"tenantId": "<tenantId>", "clientId": "<clientId>", "clientCertificate": "{THUMBPRINT}",'
            ' "clientCertificateStoreLocation": "LocalMachine", "additionallyAllowedTenants": "a; b;"}'
        ),
        {
            "kind": "CertificateCredential",
            "tenant_id": "<tenantId>",
            "client_id": "<clientId>",
            "certificate": (f"store:LocalMachine/My?thumbprint={THUMBPRINT}",),
            "additionally_allowed_tenants": ["a", "b"],
        },
    ),
    (
        f'{{"tenantId": "t", "clientId": "c", "clientCertificate": "{THUMBPRINT}"}}',
        {
            "kind": "CertificateCredential",
            "tenant_id": "t",
            "client_id": "c",
            "certificate": in_both_stores(f"thumbprint={THUMBPRINT}"),
        },
    ),
    (
        (
            '{"tenantId": "<tenantId>", "clientId": "<clientId>",'
            ' "managedIdentityResourceId": "<managedIdentityResourceId>"}'
        ),
        {
            "kind": "DefaultCredential",
            "broker_tenant_id": "<tenantId>",
            "interactive_browser_tenant_id": "<tenantId>",
            "shared_cache_tenant_id": "<tenantId>",
            "visual_studio_code_tenant_id": "<tenantId>",
            "workload_identity_tenant_id": "<tenantId>",
            "workload_identity_client_id": "<clientId>",
            "managed_identity_client_id": None,
            "identity_config": {"resource_id": "<managedIdentityResourceId>"},
        },
    ),
]


@pytest.mark.parametrize(("text", "expected"), FLAT, ids=[text for text, _ in FLAT])
def test_microsoft_extensions_azure(text: str, expected: dict[str, Any]) -> None:
    assert revealed(chosen(text)) == expected


IDS = f'"TenantId": "{ZERO}", "ClientId": "{ZERO}"'
BOTH = {"tenant_id": ZERO, "client_id": ZERO}
PERSISTENCE = (
    '"TokenCachePersistenceOptions": {"Name": "my-app-cache", "UnsafeAllowUnencryptedStorage": false}'
)
PERSISTED = {
    "disable_instance_discovery": False,
    "cache_persistence_options": CachePersistence("my-app-cache", allow_unencrypted_storage=False),
}
NEWER = [
    ('"CredentialSource": "AzureCli"', {"kind": "AzureCliCredential"}),
    (
        '"CredentialSource": "AzureCliCredential", "AdditionallyAllowedTenants": [ "*" ]',
        {"kind": "AzureCliCredential", "additionally_allowed_tenants": ["*"]},
    ),
    (
        '"CredentialSource": "ApiKeyCredential", "Key": "abc"',
        {"kind": "AzureKeyCredential", "key": "secret:abc"},
    ),
    (
        (
            f'"CredentialSource": "AzureCliCredential", "TenantId": "{ZERO}",'
            ' "Subscription": "my-subscription-name", "ProcessTimeout": "00:00:30"'
        ),
        {
            "kind": "AzureCliCredential",
            "tenant_id": ZERO,
            "subscription": "my-subscription-name",
            "process_timeout": 30,
        },
    ),
    (
        (
            f'"CredentialSource": "AzureDeveloperCliCredential", "TenantId": "{ZERO}",'
            ' "ProcessTimeout": "00:00:30"'
        ),
        {"kind": "AzureDeveloperCliCredential", "tenant_id": ZERO, "process_timeout": 30},
    ),
    (
        (
            f'"CredentialSource": "AzurePipelinesCredential", {IDS}, "ServiceConnectionId": "{ZERO}",'
            f' "SystemAccessToken": "$(System.AccessToken)", "DisableInstanceDiscovery": false, {PERSISTENCE}'
        ),
        {
            "kind": "AzurePipelinesCredential",
            **BOTH,
            "service_connection_id": ZERO,
            "system_access_token": "secret:$(System.AccessToken)",
            **PERSISTED,
        },
    ),
    (
        f'"CredentialSource": "AzurePowerShellCredential", "TenantId": "{ZERO}", "ProcessTimeout": "00:00:30"',
        {"kind": "AzurePowerShellCredential", "tenant_id": ZERO, "process_timeout": 30},
    ),
    (
        (
            f'"CredentialSource": "BrokerCredential", "TenantId": "{ZERO}", "UseDefaultBrokerAccount": true,'
            ' "IsLegacyMsaPassthroughEnabled": false, "DisableInstanceDiscovery": false,'
            f' "DisableAutomaticAuthentication": false, {PERSISTENCE}'
        ),
        {
            "kind": "InteractiveBrowserBrokerCredential",
            "tenant_id": ZERO,
            "use_default_broker_account": True,
            "enable_msa_passthrough": False,
            "disable_automatic_authentication": False,
            **PERSISTED,
        },
    ),
    (
        (
            f'"CredentialSource": "EnvironmentCredential", {IDS}, "ClientSecret": "...",'
            ' "ClientCertificatePath": "/path/to/cert.pem", "ClientCertificatePassword": "...",'
            ' "SendCertificateChain": false, "DisableInstanceDiscovery": false'
        ),
        {
            "kind": "ClientSecretCredential",
            **BOTH,
            "client_secret": "secret:...",
            "disable_instance_discovery": False,
        },
    ),
    (
        (
            f'"CredentialSource": "EnvironmentCredential", {IDS}, "ClientCertificatePath": "/path/to/cert.pem",'
            ' "ClientCertificatePassword": "...", "SendCertificateChain": false'
        ),
        {
            "kind": "CertificateCredential",
            **BOTH,
            "certificate": ("/path/to/cert.pem",),
            "password": "secret:...",
            "send_certificate_chain": False,
        },
    ),
    (
        (
            f'"CredentialSource": "InteractiveBrowserCredential", {IDS}, "LoginHint": "user@example.com",'
            ' "RedirectUri": "http://localhost:8400", "DisableInstanceDiscovery": false,'
            f' "DisableAutomaticAuthentication": false, {PERSISTENCE},'
            ' "BrowserCustomization": {"SuccessMessage": "Done.", "ErrorMessage": "Failed."}'
        ),
        {
            "kind": "InteractiveBrowserCredential",
            **BOTH,
            "login_hint": "user@example.com",
            "redirect_uri": "http://localhost:8400",
            "disable_automatic_authentication": False,
            **PERSISTED,
        },
    ),
    (
        (
            '"CredentialSource": "ManagedIdentityCredential", "ManagedIdentityIdKind": "ClientId",'
            f' "ManagedIdentityId": "{ZERO}"'
        ),
        {"kind": "ManagedIdentityCredential", "client_id": ZERO},
    ),
    (
        '"CredentialSource": "ManagedIdentityCredential", "ManagedIdentityIdKind": "SystemAssigned"',
        {"kind": "ManagedIdentityCredential"},
    ),
    (
        (
            f'"CredentialSource": "ManagedIdentityAsFederatedIdentityCredential", {IDS},'
            f' "ManagedIdentityIdKind": "ClientId", "ManagedIdentityId": "{ZERO}", "AzureCloud": "public",'
            f' "DisableInstanceDiscovery": false, {PERSISTENCE}'
        ),
        {
            "kind": "ManagedIdentityAsFederatedIdentity",
            **BOTH,
            "scope": "api://AzureADTokenExchange/.default",
            **PERSISTED,
            "parts": [{"kind": "ManagedIdentityCredential", "client_id": ZERO}],
        },
    ),
    (
        f'"CredentialSource": "VisualStudioCodeCredential", "TenantId": "{ZERO}"',
        {"kind": "VisualStudioCodeCredential", "tenant_id": ZERO},
    ),
    (
        f'"CredentialSource": "VisualStudioCredential", "TenantId": "{ZERO}", "ProcessTimeout": "00:00:30"',
        {"kind": "VisualStudioCredential", "tenant_id": ZERO, "process_timeout": 30},
    ),
    (
        (
            f'"CredentialSource": "WorkloadIdentityCredential", {IDS}, "TokenFilePath": "/path/to/token",'
            ' "IsAzureProxyEnabled": false, "DisableInstanceDiscovery": false'
        ),
        {
            "kind": "WorkloadIdentityCredential",
            **BOTH,
            "token_file_path": "/path/to/token",
            "enable_azure_proxy": False,
            "disable_instance_discovery": False,
        },
    ),
    (
        (
            '"CredentialSource": "ChainedTokenCredential", "Sources": ['
            '{"CredentialSource": "AzureCli"}, {"CredentialSource": "managedidentity"}]'
        ),
        {
            "kind": "ChainedTokenCredential",
            "parts": [{"kind": "AzureCliCredential"}, {"kind": "ManagedIdentityCredential"}],
        },
    ),
]


@pytest.mark.parametrize(("text", "expected"), NEWER, ids=[text for text, _ in NEWER])
def test_azure_core(text: str, expected: dict[str, Any]) -> None:
    found = revealed(chosen(f'{{"Endpoint": "https://myservice.azure.com", "Credential": {{{text}}}}}'))
    assert found == expected


def test_azure_core_references_share_a_section() -> None:
    text = (
        '{"Shared": {"Credential": {"CredentialSource": "AzureCli"}},'
        ' "Client1": {"Endpoint": "https://service1.azure.com", "Credential": "$Shared:Credential"},'
        ' "Client2": {"Endpoint": "https://service2.azure.com", "Credential": "$Shared:Credential"}}'
    )
    settings = Settings(file_layer(read_json(text), place=Place.FILE, name="a.json", rank=0))
    for client in ("Client1", "Client2"):
        assert revealed(choose_credential(settings.section(client), {})) == {"kind": "AzureCliCredential"}


README = """{
  "Logging": { "LogLevel": { "Default": "Debug" } },
  "AllowedHosts": "*",
  "Default": {
    "ClientId": "<client_id>",
    "ClientSecret": "<client_secret>",
    "TenantId": "<tenant_id>",
    "TelemetryPolicy": { "ApplicationId": "AppId" }
  },
  "KeyVault": { "VaultUri": "<vault_uri>" },
  "Storage": {
    "serviceUri": "<service_uri>",
    "credential": { "accountName": "<account_name>", "accountKey": "<account_key>" }
  }
}"""


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        (
            "KeyVault",
            {
                "kind": "ClientSecretCredential",
                "tenant_id": "<tenant_id>",
                "client_id": "<client_id>",
                "client_secret": "secret:<client_secret>",
            },
        ),
        (
            "Storage",
            {"kind": "AzureNamedKeyCredential", "name": "<account_name>", "key": "secret:<account_key>"},
        ),
    ],
)
def test_the_readme_of_microsoft_extensions_azure(section: str, expected: dict[str, Any]) -> None:
    settings = Settings(file_layer(read_json(README), place=Place.FILE, name="a.json", rank=0))
    assert revealed(Sections(settings).credential(section)) == expected


KEYS = [
    ('{"Key": "k"}', {"kind": "AzureKeyCredential", "key": "secret:k"}),
    ('{"signature": "s"}', {"kind": "AzureSasCredential", "signature": "secret:s"}),
    ('{"name": "n", "key": "k"}', {"kind": "AzureNamedKeyCredential", "name": "n", "key": "secret:k"}),
]


@pytest.mark.parametrize(("text", "expected"), KEYS, ids=[text for text, _ in KEYS])
def test_keys_as_dotnets_factory_finds_them(text: str, expected: dict[str, Any]) -> None:
    assert revealed(chosen(f'{{"endpoint": "https://c", "credential": {text}}}')) == expected
