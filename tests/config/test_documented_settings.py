# ruff: noqa: E501 - Microsoft's examples keep their lines
"""The settings that Microsoft's pages show, as written there: type and parameters come out as documented.

Sources: learn.microsoft.com/dotnet/azure/sdk/authentication/create-token-credentials-from-configuration (both
editions), Azure.Core's ConfigurationAndDependencyInjection, learn.microsoft.com/entra/msidweb/authentication/
credentials-overview, the wiki page "Using certificates" of microsoft-identity-web, and the README of
Microsoft.Extensions.Azure.
"""

from __future__ import annotations

from typing import Any

import pytest

from azcert._redact import Secret
from azcert.config.build import build_credential
from azcert.config.choose import choose_credential
from azcert.config.default_chain import EXCLUSIONS
from azcert.config.json_reader import read_json
from azcert.config.layers import file_layer
from azcert.config.origin import Place
from azcert.config.sections import Sections
from azcert.config.settings import Settings
from azcert.config.spec import CachePersistence, CredentialSpec
from azcert.credential.default import DefaultCredential as Default
from azcert.errors import ConfigurationError

ZERO = "00000000-0000-0000-0000-000000000000"
THUMBPRINT = "962D129A859174EE8B5596985BD18EFEB6961684"


def chosen(text: str, environ: dict[str, str] | None = None) -> CredentialSpec | None:
    layer = file_layer(read_json(f'{{"Client": {text}}}'), place=Place.USER_SECRETS, name="a.json", rank=0)
    return choose_credential(Settings(layer).section("Client"), environ or {})


def revealed(spec: CredentialSpec | None) -> dict[str, Any]:
    assert spec is not None
    found: dict[str, Any] = {
        name: f"secret:{value.reveal()}" if isinstance(value, Secret) else value
        for name, value in spec.arguments.items()
    }
    found["kind"] = spec.kind
    if spec.parts:
        found["parts"] = [revealed(part) for part in spec.parts]
    return found


def in_both_stores(query: str) -> tuple[str, ...]:
    return (f"store:CurrentUser/My?{query}", f"dotnet:CurrentUser/My?{query}")


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


# docs/authority-configuration.md of microsoft-identity-web, for applications.
AUTHORITIES = [
    (
        '"Instance": "https://login.microsoftonline.us/", "TenantId": "t"',
        "t",
        "https://login.microsoftonline.us/",
    ),
    ('"Authority": "https://login.microsoftonline.com/t"', "t", "https://login.microsoftonline.com"),
    ('"Authority": "https://login.microsoftonline.com/t/v2.0/"', "t", "https://login.microsoftonline.com"),
    (
        '"Authority": "https://login.microsoftonline.com/x", "Instance": "https://login.microsoftonline.us", "TenantId": "t"',
        "t",
        "https://login.microsoftonline.us",
    ),
    ('"Authority": "https://contoso.ciamlogin.com/t"', "t", "https://contoso.ciamlogin.com"),
    (
        '"AuthorityHost": "https://login.chinacloudapi.cn", "TenantId": "t"',
        "t",
        "https://login.chinacloudapi.cn",
    ),
    ('"Authority": "login.microsoftonline.us", "TenantId": "t"', "t", "login.microsoftonline.us"),
]


@pytest.mark.parametrize(("text", "tenant", "authority"), AUTHORITIES, ids=[text for text, *_ in AUTHORITIES])
@pytest.mark.parametrize(
    "credential",
    [
        '"ClientSecret": "s"',
        '"certificate": "a.pem"',
        '"ClientCredentials": [{"SourceType": "ClientSecret", "ClientSecret": "s"}]',
    ],
)
def test_an_authority_names_the_tenant_too(text: str, tenant: str, authority: str, credential: str) -> None:
    found = revealed(chosen(f'{{{text}, "ClientId": "c", {credential}}}'))
    assert (found["tenant_id"], found["authority"]) == (tenant, authority)


APP = {"tenant_id": "your-tenant-id", "client_id": "your-client-id"}
AUTHORITY = {"authority": "https://login.microsoftonline.com/"}
MANAGED = {
    "kind": "ManagedIdentityAsFederatedIdentity",
    **APP,
    **AUTHORITY,
    "scope": "api://AzureADTokenExchange/.default",
}
VAULT = "keyvault:your-keyvault.vault.azure.net/your-certificate-name?download=true"
CERTIFICATE = {"kind": "CertificateCredential", **APP, **AUTHORITY}
LISTS: list[tuple[str, dict[str, Any]]] = [
    (
        '{"SourceType": "SignedAssertionFromManagedIdentity", "ManagedIdentityClientId": "m"}',
        {**MANAGED, "parts": [{"kind": "ManagedIdentityCredential", "client_id": "m"}]},
    ),
    (
        '{"SourceType": "SignedAssertionFromManagedIdentity"}',
        {**MANAGED, "parts": [{"kind": "ManagedIdentityCredential"}]},
    ),
    (
        (
            '{"SourceType": "KeyVault", "KeyVaultUrl": "https://your-keyvault.vault.azure.net",'
            ' "KeyVaultCertificateName": "your-certificate-name"}'
        ),
        {**CERTIFICATE, "certificate": (VAULT,)},
    ),
    (
        (
            f'{{"SourceType": "StoreWithThumbprint", "CertificateThumbprint": "{THUMBPRINT}",'
            ' "CertificateStorePath": "CurrentUser/My"}'
        ),
        {**CERTIFICATE, "certificate": in_both_stores(f"thumbprint={THUMBPRINT}")},
    ),
    (
        (
            '{"SourceType": "StoreWithDistinguishedName",'
            ' "CertificateDistinguishedName": "CN=YourAppCertificate", "CertificateStorePath": "CurrentUser/My"}'
        ),
        {**CERTIFICATE, "certificate": in_both_stores("subject=CN%3DYourAppCertificate")},
    ),
    (
        (
            '{"SourceType": "Path", "CertificateDiskPath": "/var/certs/app-cert.pfx",'
            ' "CertificatePassword": "certificate-password"}'
        ),
        {
            **CERTIFICATE,
            "certificate": ("/var/certs/app-cert.pfx",),
            "password": "secret:certificate-password",
        },
    ),
    (
        (
            '{"SourceType": "Path", "CertificateDiskPath": "c:\\\\temp\\\\WebAppCallingWebApiCert.pfx",'
            ' "CertificatePassword": "password"}'
        ),
        {
            **CERTIFICATE,
            "certificate": ("c:\\temp\\WebAppCallingWebApiCert.pfx",),
            "password": "secret:password",
        },
    ),
    (
        '{"SourceType": "Base64Encoded", "Base64EncodedValue": "MIIKcQIBAzCCCi0..."}',
        {**CERTIFICATE, "certificate_data": "secret:MIIKcQIBAzCCCi0..."},
    ),
    (
        '{"SourceType": "ClientSecret", "ClientSecret": "your-client-secret"}',
        {"kind": "ClientSecretCredential", **APP, **AUTHORITY, "client_secret": "secret:your-client-secret"},
    ),
    (
        '{"SourceType": "SignedAssertionFilePath", "SignedAssertionFileDiskPath": "/var/run/token"}',
        {"kind": "WorkloadIdentityCredential", **APP, **AUTHORITY, "token_file_path": "/var/run/token"},
    ),
    (
        (
            '{"SourceType": "StoreWithSubjectName", "CertificateSubjectName": "my app",'
            ' "CertificateStorePath": "LocalMachine/My"}'
        ),
        {**CERTIFICATE, "certificate": ("store:LocalMachine/My?subject=my%20app",)},
    ),
]


def azure_ad(credentials: str, name: str = "ClientCredentials") -> str:
    return (
        '{"Instance": "https://login.microsoftonline.com/", "Domain": "contoso.onmicrosoft.com",'
        f' "TenantId": "your-tenant-id", "ClientId": "your-client-id", "{name}": [{credentials}]}}'
    )


@pytest.mark.parametrize("name", ["ClientCredentials", "ClientCertificates"])
@pytest.mark.parametrize(("text", "expected"), LISTS, ids=[text for text, _ in LISTS])
def test_microsoft_identity_web(text: str, expected: dict[str, Any], name: str) -> None:
    assert revealed(chosen(azure_ad(text, name))) == expected


def test_microsoft_identity_web_takes_the_first_that_can_be_used() -> None:
    texts = [LISTS[0][0], LISTS[2][0], '{"SourceType": "ClientSecret", "ClientSecret": "s", "Skip": true}']
    found = revealed(chosen(azure_ad(", ".join(texts))))
    assert found == {"kind": "FirstUsable", "parts": [LISTS[0][1], LISTS[2][1]]}


def test_items_of_a_list_may_have_names_for_indexes_as_in_dotnet() -> None:
    text = (
        '{"TenantId": "t", "ClientId": "c", "ClientCredentials": {"b": {"SourceType": "ClientSecret",'
        ' "ClientSecret": "s"}, "10": {"SourceType": "Path", "CertificateDiskPath": "a.pem"},'
        ' "9": {"SourceType": 3, "CertificateDiskPath": "b.pem"}}}'
    )
    spec = chosen(text)
    assert spec is not None
    assert [part.arguments.get("certificate") for part in spec.parts] == [("b.pem",), ("a.pem",), None]


def test_an_item_that_only_dotnet_can_use_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    custom = (
        '{"SourceType": "CustomSignedAssertion", "CustomSignedAssertionProviderName": "MyProvider",'
        ' "CustomSignedAssertionProviderData": {"A": "b"}}'
    )
    assert revealed(chosen(azure_ad(f"{custom}, {LISTS[3][0]}"))) == LISTS[3][1]
    (said,) = [record.getMessage() for record in caplog.records]
    assert "Client:ClientCredentials:0:SourceType (a.json, line 1) is CustomSignedAssertion" in said


def test_an_azure_ad_section_serves_as_credential_of_a_client() -> None:
    text = f'{{"AzureAd": {azure_ad(LISTS[3][0])}, "KeyVault": {{"Credential": "$AzureAd"}}}}'
    settings = Settings(file_layer(read_json(text), place=Place.FILE, name="a.json", rank=0))
    assert revealed(choose_credential(settings.section("KeyVault"), {})) == LISTS[3][1]


OURS = [
    (
        '{"tenantId": "t", "clientId": "c", "certificate": "pkcs11:token=hsm;object=app"}',
        {"certificate": ("pkcs11:token=hsm;object=app",)},
    ),
    (
        (
            '{"tenantId": "t", "clientId": "c", "clientCertificatePath": "app.pfx",'
            ' "clientCertificatePassword": "p", "sendCertificateChain": true}'
        ),
        {"certificate": ("app.pfx",), "password": "secret:p", "send_certificate_chain": True},
    ),
    (
        (
            '{"tenantId": "t", "clientId": "c", "clientCertificateSubject": "my app",'
            ' "clientCertificateIssuer": "CN=Contoso CA"}'
        ),
        {"certificate": in_both_stores("subject=my%20app&issuer=CN%3DContoso%20CA")},
    ),
]


@pytest.mark.parametrize(("text", "expected"), OURS, ids=[text for text, _ in OURS])
@pytest.mark.parametrize("nested", [False, True])
def test_what_dotnet_cannot_say(text: str, expected: dict[str, Any], nested: bool) -> None:
    found = revealed(chosen(f'{{"Credential": {text}}}' if nested else text))
    assert found == {"kind": "CertificateCredential", "tenant_id": "t", "client_id": "c", **expected}


def test_a_password_can_be_named_by_its_place() -> None:
    spec = chosen(
        '{"tenantId": "t", "clientId": "c", "certificate": "a.pfx", "clientCertificatePasswordFrom": "env:PW"}'
    )
    assert spec is not None
    assert str(spec.arguments["password"]) == "env:PW"


def test_ids_may_come_from_the_environment() -> None:
    environ = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}
    assert revealed(chosen('{"certificate": "a.pem"}', environ)) == {
        "kind": "CertificateCredential",
        "tenant_id": "t",
        "client_id": "c",
        "certificate": ("a.pem",),
    }


def test_the_environments_variables_fill_what_the_section_leaves_open() -> None:
    environ = {
        "AZURE_TENANT_ID": "t",
        "AZURE_CLIENT_ID": "c",
        "AZURE_CLIENT_CERTIFICATE_PATH": "store:CurrentUser/My?subject=app",
        "AZURE_CLIENT_CERTIFICATE_PASSWORD": "p",
        "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN": "1",
    }
    text = '{"Credential": {"CredentialSource": "Environment", "TenantId": "mine"}}'
    assert revealed(chosen(text, environ)) == {
        "kind": "CertificateCredential",
        "tenant_id": "mine",
        "client_id": "c",
        "certificate": ("store:CurrentUser/My?subject=app",),
        "password": "secret:p",
        "send_certificate_chain": True,
    }


def test_links_of_the_default_chain_can_be_left_out() -> None:
    exclusions = ", ".join(f'"{name}": {str(n % 2 == 0).lower()}' for n, name in enumerate(EXCLUSIONS))
    found = revealed(chosen(f'{{"Credential": {{"CredentialSource": "Default", {exclusions}}}}}'))
    assert found.pop("kind") == "DefaultCredential"
    assert found == {keyword: n % 2 == 0 for n, keyword in enumerate(EXCLUSIONS.values()) if keyword}
    assert isinstance(
        build_credential(CredentialSpec("DefaultCredential", found), asynchronous=False), Default
    )


def test_a_credential_has_the_options_of_its_own_section_and_no_others() -> None:
    retry = '"Retry": {"MaxRetries": 1}, "Diagnostics": {"ApplicationId": "app"}'
    flat = f'{{"tenantId": "t", "clientId": "c", "clientSecret": "s", "ServiceVersion": "V7_4", {retry}}}'
    assert not {"retry_total", "user_agent", "api_version"} & set(revealed(chosen(flat)))
    for inner in (
        '"CredentialSource": "ManagedIdentity"',
        '"tenantId": "t", "clientId": "c", "certificate": "a.pem"',
        '"tenantId": "t", "clientId": "c", "clientSecret": "s"',
    ):
        found = revealed(chosen(f'{{"Credential": {{{inner}, {retry}}}}}'))
        assert (found["retry_total"], found["user_agent"]) == (1, "app")


def test_a_section_that_says_nothing_of_credentials_has_none() -> None:
    assert chosen('{"vaultUri": "https://contoso.vault.azure.net"}') is None


WRONG = [
    ('{"credential": "managedidentty"}', "unknown-credential", "Did you mean managedidentity?"),
    (
        '{"credential": "managedidentity", "clientId": "a", "managedIdentityObjectId": "b"}',
        "two-identities",
        "",
    ),
    ('{"managedIdentityObjectId": "b"}', "incomplete-credential", "managedidentity"),
    ('{"credential": "workloadidentity", "tenantId": "t"}', "incomplete-credential", "TokenFilePath"),
    ('{"tenantId": "t", "clientSecret": "hunter2"}', "incomplete-credential", "ClientId"),
    ('{"certificate": "stroe:CurrentUser/My?thumbprint=AA"}', "unknown-scheme", "store:"),
    ('{"clientCertificate": "not hex"}', "", ""),
    ('{"certificate": "a.pem", "clientCertificatePath": "b.pem"}', "two-certificates", ""),
    ('{"Credential": {"CredentialSource": "AzureCli", "TenatId": "x"}}', "unknown-setting", "TenantId"),
    ('{"Credential": {"CredentialSource": "ChainedTokenCredential"}}', "incomplete-credential", "Sources"),
    (
        '{"Credential": {"CredentialSource": "Chained", "Sources": [{"CredentialSource": "ApiKey", "Key": "k"}]}}',
        "wrong-chain",
        "",
    ),
    ('{"Credential": "$Shared:Nothing"}', "dangling-reference", "Shared:Nothing"),
    ('{"Credential": "$Client:Credentials"}', "dangling-reference", "Add the section"),
    (
        '{"Shared": {"x": "y"}, "Credential": "$Client:Shraed"}',
        "dangling-reference",
        "Did you mean $Client:Shared?",
    ),
    ('{"Credential": {"VaultUri": "x"}}', "unknown-setting", ""),
    ('{"Credential": {"authority": "x"}}', "incomplete-credential", "CredentialSource"),
    ('{"ClientCredentials": [{"SourceType": "Pathh"}]}', "unknown-credential", "Path"),
    ('{"ClientCredentials": ["Path"]}', "wrong-type", "ClientCredentials:0"),
    ('{"ClientCredentials": "Path"}', "wrong-type", "section or list"),
    ('{"Credential": {"CredentialSource": "Chained", "Sources": ["AzureCli"]}}', "wrong-type", "Sources:0"),
    ('{"Credential": [{"CredentialSource": "AzureCli"}]}', "wrong-credential", "ChainedTokenCredential"),
    ('{"Credential": {"CredentialSource": "AzureClii"}}', "unknown-credential", "AzureCliCredential?"),
    (
        '{"Credential": {"CredentialSource": "ManagedIdentity", "ClientId": "x"}}',
        "unknown-setting",
        '"ManagedIdentityIdKind": "ClientId"',
    ),
    ('{"certificate": ["a.pem"]}', "wrong-type", "takes one value"),
    (
        '{"tenantId": "t", "clientId": "c", "clientCertificatePassword": "hunter2"}',
        "incomplete-credential",
        "",
    ),
    (
        '{"clientCertificate": "AA", "clientCertificateStoreLocation": "CurentUser"}',
        "",
        "Client:clientCertificateStoreLocation",
    ),
    ('{"clientCertificate": "/etc/app.pem"}', "", "clientCertificatePath"),
    (
        '{"tokenCachePersistenceOptions": true, "clientSecret": "s", "tenantId": "t", "clientId": "c"}',
        "wrong-type",
        "",
    ),
    ('{"ClientCredentials": [{"SourceType": "AutoDecryptKeys"}]}', "unknown-credential", ".NET"),
    ('{"ClientCredentials": [{"CertificateDiskPath": "x"}]}', "incomplete-credential", "SourceType"),
    (
        '{"Credential": {"CredentialSource": "ManagedIdentity", "ManagedIdentityId": "x"}}',
        "incomplete-credential",
        "ManagedIdentityIdKind",
    ),
]


@pytest.mark.parametrize(("text", "code", "part"), WRONG, ids=[text for text, _, _ in WRONG])
def test_what_is_wrong_is_said_with_key_and_origin(text: str, code: str, part: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        chosen(text)
    assert part in str(caught.value)
    assert "a.json, line 1" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    if code:
        assert caught.value.code == code
