"""What descriptions become: azure-identity's classes, azcert's for certificates; references are read."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import azure.identity
import azure.identity.aio
import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

import azcert
import azcert.aio
from azcert.certificate.model import Certificate
from azcert.config.credentials.build import build_credential
from azcert.config.credentials.choose import choose_credential
from azcert.config.reading.load import load_settings
from azcert.config.sync import credential_from_settings
from azcert.emulator.ready_made import SECRET_VALUE
from azcert.errors import AuthenticationError, ConfigurationError
from azcert.stores.directory.store import DirectoryStore
from azcert.stores.dotnet import DotnetStore
from support.stored import MY

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

IDS = {"tenantId": "t", "clientId": "c"}
SECTIONS: list[tuple[dict[str, Any], str]] = [
    ({"credential": "managedidentity"}, "ManagedIdentityCredential"),
    ({**IDS, "clientSecret": "s"}, "ClientSecretCredential"),
    ({**IDS, "credential": "workloadidentity", "tokenFilePath": "/t"}, "WorkloadIdentityCredential"),
    (
        {**IDS, "credential": "azurepipelines", "serviceConnectionId": "i", "systemAccessToken": "s"},
        "AzurePipelinesCredential",
    ),
    ({"credential": "azurecli", "processTimeout": "00:00:30"}, "AzureCliCredential"),
    ({"credential": "azuredevelopercli"}, "AzureDeveloperCliCredential"),
    ({"credential": "azurepowershell"}, "AzurePowerShellCredential"),
    (
        {"Credential": {"CredentialSource": "Chained", "Sources": [{"CredentialSource": "AzureCli"}]}},
        "ChainedTokenCredential",
    ),
]


def spec_of(section: dict[str, Any]) -> Any:
    return choose_credential(load_settings({"S": section}, environ={}).section("S"), {})


@pytest.mark.parametrize(("section", "name"), SECTIONS, ids=[name for _, name in SECTIONS])
async def test_all_but_certificates_are_azure_identitys_classes(section: dict[str, Any], name: str) -> None:
    spec = spec_of(section)
    credential = build_credential(spec, asynchronous=False)
    assert type(credential) is getattr(azure.identity, name)
    awaited = build_credential(spec, asynchronous=True)
    assert type(awaited) is getattr(azure.identity.aio, name)
    await awaited.close()


def test_a_browser_cannot_be_awaited() -> None:
    spec = spec_of({"credential": "interactivebrowser"})
    assert isinstance(build_credential(spec, asynchronous=False), azure.identity.InteractiveBrowserCredential)
    with pytest.raises(ConfigurationError, match="no asynchronous form"):
        build_credential(spec, asynchronous=True)


def test_what_a_class_refuses_is_told_with_the_origin() -> None:
    with pytest.raises(ConfigurationError, match="refuses the settings of given in code"):
        build_credential(
            spec_of({"tenantId": "no tenant!", "clientId": "c", "clientSecret": "s"}), asynchronous=False
        )


def test_visual_studio_is_told_to_be_dotnets() -> None:
    with pytest.raises(ConfigurationError, match=r"only \.NET"):
        build_credential(spec_of({"credential": "visualstudio"}), asynchronous=False)


@pytest.mark.parametrize("store", ["azcert's", "dotnet's", "both"])
@pytest.mark.parametrize("form", ["flat", "list"])
async def test_a_thumbprint_is_found_in_azcerts_store_and_in_dotnets(
    azcert_environment: AzcertEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str, form: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AZCERT_STORE_ROOT", str(tmp_path / "stores"))
    pem = azcert_environment.certificate_path.read_bytes()
    key = load_pem_private_key(pem, None)
    assert isinstance(key, RSAPrivateKey)
    certificate = Certificate(x509.load_pem_x509_certificates(pem)[0])
    for name, cls in (("azcert's", DirectoryStore), ("dotnet's", DotnetStore)):
        if store in {name, "both"}:
            cls(MY).add(certificate, key)
    thumbprint = certificate.thumbprint.lower()
    ids = {"tenantId": azcert_environment.tenant_id, "clientId": azcert_environment.client_id}
    item = {
        "SourceType": "StoreWithThumbprint",
        "CertificateStorePath": "CurrentUser/My",
        "CertificateThumbprint": thumbprint,
    }
    located = {"clientCertificate": thumbprint, "clientCertificateStoreLocation": "currentuser"}
    section = ids | (located if form == "flat" else {"ClientCredentials": [item]})
    settings = {"KeyVault": {"vaultUri": azcert_environment.vault_url, "Credential": section}}
    with azcert.AzureClients.from_settings(settings) as clients:
        assert clients.get(SecretClient, "KeyVault").get_secret("myTestSecret1").value == SECRET_VALUE
    async with azcert.aio.AzureClients.from_settings(settings) as awaited:
        assert (await awaited.credential("KeyVault").get_token("https://vault.azure.net/.default")).token


def identity_web(emulator: AzcertEmulator, *items: dict[str, Any]) -> dict[str, Any]:
    return {
        "AzureAd": {
            "TenantId": emulator.tenant_id,
            "ClientId": emulator.client_id,
            "ClientCredentials": list(items),
        },
        "KeyVault": {"vaultUri": emulator.vault_url, "Credential": "$AzureAd"},
    }


def test_the_first_usable_of_a_list_signs_in(azcert_environment: AzcertEmulator) -> None:
    data = base64.b64encode(azcert_environment.certificate_path.read_bytes()).decode()
    settings = identity_web(
        azcert_environment,
        {"SourceType": "Path", "CertificateDiskPath": "/nonexistent.pfx"},
        {
            "SourceType": "StoreWithThumbprint",
            "CertificateStorePath": "CurrentUser/My",
            "CertificateThumbprint": "A" * 40,
        },
        {"SourceType": "Base64Encoded", "Base64EncodedValue": data},
    )
    with azcert.AzureClients.from_settings(settings) as clients:
        assert clients.get(SecretClient, "KeyVault").get_secret("myTestSecret1").value == SECRET_VALUE
        tried = clients.credential("KeyVault").attempts
    assert [each.reason is None for each in tried] == [False, False, True]


async def test_awaited_the_first_usable_of_a_list_signs_in(azcert_environment: AzcertEmulator) -> None:
    from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

    path = str(azcert_environment.certificate_path)
    settings = identity_web(
        azcert_environment,
        {"SourceType": "Path", "CertificateDiskPath": "/nonexistent.pfx"},
        {"SourceType": "Path", "CertificateDiskPath": path},
    )
    async with azcert.aio.AzureClients.from_settings(settings) as clients:
        secret = await clients.get(AsyncSecretClient, "KeyVault").get_secret("myTestSecret1")
    assert secret.value == SECRET_VALUE


def chain(emulator: AzcertEmulator, *certificates: str) -> dict[str, Any]:
    ids = {"TenantId": emulator.tenant_id, "ClientId": emulator.client_id}
    sources = [{"CredentialSource": "ClientCertificate", **ids, "certificate": each} for each in certificates]
    credential = {"CredentialSource": "ChainedTokenCredential", "Sources": sources}
    return {"KeyVault": {"vaultUri": emulator.vault_url, "Credential": credential}}


async def test_a_chain_goes_on_when_this_host_has_not_the_certificate(
    azcert_environment: AzcertEmulator,
) -> None:
    settings = chain(azcert_environment, "/nonexistent.pem", str(azcert_environment.certificate_path))
    with azcert.AzureClients.from_settings(settings) as clients:
        assert type(clients.credential("KeyVault")) is azure.identity.ChainedTokenCredential
        assert clients.get(SecretClient, "KeyVault").get_secret("myTestSecret1").value == SECRET_VALUE
    async with azcert.aio.AzureClients.from_settings(settings) as awaited:
        assert type(awaited.credential("KeyVault")) is azure.identity.aio.ChainedTokenCredential
        assert (await awaited.credential("KeyVault").get_token("https://vault.azure.net/.default")).token


async def test_a_chain_without_any_certificate_lists_why(azcert_environment: AzcertEmulator) -> None:
    settings = chain(azcert_environment, "/nonexistent.pem", "/nonexistent.pfx")
    scope, both = "https://vault.azure.net/.default", r"/nonexistent\.pem(?s:.)*/nonexistent\.pfx"
    clients = azcert.AzureClients.from_settings(settings)
    with clients, pytest.raises(ClientAuthenticationError, match=both):
        clients.credential("KeyVault").get_token(scope)
    async with azcert.aio.AzureClients.from_settings(settings) as awaited:
        with pytest.raises(ClientAuthenticationError, match=both):
            await awaited.credential("KeyVault").get_token(scope)


def test_none_usable_lists_why(azcert_environment: AzcertEmulator) -> None:
    settings = identity_web(
        azcert_environment,
        {"SourceType": "Path", "CertificateDiskPath": "/nonexistent.pfx"},
        {"SourceType": "Path", "CertificateDiskPath": "/nonexistent.pem"},
    )
    clients = azcert.AzureClients.from_settings(settings)
    with clients, pytest.raises(AuthenticationError) as caught:
        clients.get(SecretClient, "KeyVault").get_secret("myTestSecret1")
    assert "/nonexistent.pfx" in str(caught.value)
    assert "/nonexistent.pem" in str(caught.value)


def test_key_vault_references_are_read_when_they_are_needed(azcert_environment: AzcertEmulator) -> None:
    reference = f"@Microsoft.KeyVault(SecretUri={azcert_environment.vault_url}/secrets/myTestSecret1)"
    settings = {"Search": {"endpoint": "https://c", "Password": reference}, "Other": {"x": "y"}}
    with azcert.AzureClients.from_settings(settings) as clients:
        before = len(azcert_environment.requests)
        assert clients.settings.section("Other").text("x") == "y"
        assert len(azcert_environment.requests) == before
        entry = clients.settings.section("Search").entry("Password")
        assert clients.settings.section("Search").text("Password") == SECRET_VALUE
    assert entry is not None
    assert "Key Vault secret https://" in str(entry.origin)
    assert SECRET_VALUE not in repr(entry)


def test_the_environments_certificate_signs_in_through_the_default_chain(
    azcert_environment: AzcertEmulator,
) -> None:
    with azcert.DefaultCredential() as credential:
        client = SecretClient(azcert_environment.vault_url, credential)
        assert client.get_secret("myTestSecret1").value == SECRET_VALUE
        assert [each.credential for each in credential.attempts] == ["EnvironmentCredential"]


def test_a_credential_alone_can_be_had_from_settings(azcert_environment: AzcertEmulator) -> None:
    settings = {"App": {"certificate": str(azcert_environment.certificate_path)}}
    with credential_from_settings(settings, "App") as credential:
        assert credential.get_token("https://vault.azure.net/.default").token
