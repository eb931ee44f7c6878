# ruff: noqa: E501 - Microsoft's examples keep their lines
"""Microsoft.Identity.Web's settings, as its pages write them: type and parameters come out as documented.

Sources: learn.microsoft.com/entra/msidweb/authentication/credentials-overview, the wiki page "Using certificates"
and docs/authority-configuration.md of microsoft-identity-web.
"""

from __future__ import annotations

from typing import Any

import pytest

from azcert.config.credentials.choose import choose_credential
from azcert.config.reading.json_reader import read_json
from azcert.config.reading.layers import file_layer
from azcert.config.reading.origin import Place
from azcert.config.reading.settings import Settings
from support.descriptions import THUMBPRINT, chosen, in_both_stores, revealed

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
