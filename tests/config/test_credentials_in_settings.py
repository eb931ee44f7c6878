# ruff: noqa: E501 - the sections keep their lines
"""What settings say of credentials beyond Microsoft's pages, and what is wrong with them."""

from __future__ import annotations

from typing import Any

import pytest

from azcert.config.credentials.build import build_credential
from azcert.config.credentials.choose import choose_credential
from azcert.config.credentials.default_chain import EXCLUSIONS
from azcert.config.credentials.spec import CredentialSpec
from azcert.config.reading.load import load_settings
from azcert.credential.chain.sync import DefaultCredential as Default
from azcert.errors import ConfigurationError
from support.descriptions import THUMBPRINT, chosen, in_both_stores, revealed

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
    newer = '{"Credential": {"CredentialSource": "Environment", "TenantId": "mine"}}'
    flat = '{"credential": "environment", "tenantId": "mine"}'
    assert revealed(chosen(newer, environ)) == revealed(chosen(flat, environ))
    assert revealed(chosen(flat, environ)) == {
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


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("A__certificate", "/run/app.pem", ("/run/app.pem",)),
        ("A__ClientCertificatePath", "/run/app.pfx", ("/run/app.pfx",)),
    ],
)
def test_a_later_layer_names_another_certificate(
    variable: str, value: str, expected: tuple[str, ...]
) -> None:
    section = {"tenantId": "t", "clientId": "c", "clientCertificate": THUMBPRINT}
    settings = load_settings({"A": section}, environ={variable: value})
    assert revealed(choose_credential(settings.section("A"), {}))["certificate"] == expected


def test_values_beside_a_reference_go_before_what_it_refers_to() -> None:
    shared = {"CredentialSource": "AzureCli", "TenantId": "theirs", "Subscription": "s"}
    values = {"A:Credential:TenantId": "mine", "A:Credential:Subscription": None}
    settings = load_settings({"Shared": shared, "A": {"Credential": "$Shared"}}, values=values, environ={})
    assert revealed(choose_credential(settings.section("A"), {})) == {
        "kind": "AzureCliCredential",
        "tenant_id": "mine",
    }


def test_a_credential_that_is_named_goes_before_lists() -> None:
    lists = [{"SourceType": "Path", "CertificateDiskPath": "a.pem"}]
    section = {"TenantId": "t", "ClientId": "c", "ClientCredentials": lists}
    environ = {"AzureAd__credential": "managedidentity", "AzureAd__ClientId": ""}
    settings = load_settings({"AzureAd": section}, environ=environ)
    assert revealed(choose_credential(settings.section("AzureAd"), {})) == {
        "kind": "ManagedIdentityCredential"
    }


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
