"""Key Vault references in settings: read once, without keeping an event loop waiting, and explained."""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Any

import pytest
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from hypothesis import given
from hypothesis import strategies as st

import azcert
import azcert.aio
from azcert.config.reading.references import KeyVaultReference, read_key_vault_reference
from azcert.emulator.ready_made import SECRET_VALUE
from azcert.errors import AuthenticationError, AzcertError, ConfigurationError, TransportError
from support.cached import settled
from support.command import azcert as command_line

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

NAME = "myTestSecret1"


def reference(name: str = NAME) -> str:
    return f"@Microsoft.KeyVault(VaultName=kv-demo;SecretName={name})"


@pytest.fixture
def settings(azcert_environment: AzcertEmulator, tmp_path: Path) -> Path:
    """The vault's address itself is a secret, so that a client needs a reference."""
    with azcert.DefaultCredential() as credential:
        client = SecretClient(azcert_environment.vault_url, credential)
        client.set_secret("address", azcert_environment.vault_url)
    azcert_environment.requests.clear()
    return write(tmp_path, {"KeyVault": {"vaultUri": reference("address")}})


def write(folder: Path, document: Any) -> Path:
    path = folder / "appsettings.json"
    path.write_text(json.dumps(document, indent=2))
    return path


def reads(emulator: AzcertEmulator, name: str = NAME) -> int:
    """How many answered requests for a secret reached Key Vault; the 401 of the first one is a challenge."""
    path = f"/secrets/{name}"
    requests = list(emulator.requests)
    return sum(each["path"].startswith(path) and each["status"] != 401 for each in requests)


# Grammar


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("@Microsoft.KeyVault(SecretUri=https://kv-demo.vault.azure.net/secrets/pin)", None),
        ("@Microsoft.KeyVault(SecretUri=https://KV-DEMO.vault.azure.net/secrets/pin/)", None),
        ("@Microsoft.KeyVault(SecretUri=https://kv-demo.vault.azure.net/secrets/pin/1f)", "1f"),
        ("@Microsoft.KeyVault(VaultName=kv-demo;SecretName=pin)", None),
        (" @microsoft.keyvault( secretname = pin ; vaultname = KV-demo; SecretVersion=1f ; ) ", "1f"),
    ],
)
def test_both_forms_name_a_secret(text: str, version: str | None) -> None:
    expected = KeyVaultReference("https://kv-demo.vault.azure.net", "pin", version)
    assert read_key_vault_reference(text) == expected


def test_a_vaults_name_is_of_the_cloud_that_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", "login.microsoftonline.us")
    found = read_key_vault_reference("@Microsoft.KeyVault(VaultName=kv-demo;SecretName=pin)")
    assert found == KeyVaultReference("https://kv-demo.vault.usgovcloudapi.net", "pin")


@pytest.mark.parametrize(
    ("inner", "said"),
    [
        ("", "expected SecretUri="),
        ("pin", "'pin' has no value"),
        ("SecretUri=http://kv.vault.azure.net/secrets/pin", "is no secret's address"),
        ("SecretUri=https://kv.vault.azure.net/keys/pin", "is no secret's address"),
        (
            "SecretUri=https://kv.vault.azure.net/secrets/",
            "is no name or version|has no name|no secret's address",
        ),
        ("SecretUri=https://[::/secrets/pin", "Invalid IPv6"),
        ("VaultName=kv_demo;SecretName=pin", "no vault is called 'kv_demo'"),
        ("VaultName=kv-demo;SecretName=a b", "'a b' is no name"),
        ("VaultName=kv-demo;VaultName=kv-demo;SecretName=pin", "'VaultName' is there twice"),
        ("VaultNme=kv-demo;SecretName=pin", "expected SecretUri="),
    ],
)
def test_a_malformed_reference_is_told_with_file_line_and_key(tmp_path: Path, inner: str, said: str) -> None:
    path = write(tmp_path, {"Search": {"Password": f"@Microsoft.KeyVault({inner})"}})
    with (
        azcert.AzureClients.from_settings(path) as clients,
        pytest.raises(ConfigurationError, match=said) as caught,
    ):
        clients.settings.section("Search").text("Password")
    assert f"The setting Search:Password ({path}, line 3) is no Key Vault reference; " in str(caught.value)


@given(st.text())
def test_whatever_is_in_the_parenthesis_is_read_or_refused(inner: str) -> None:
    try:
        found = read_key_vault_reference(f"@Microsoft.KeyVault({inner})")
    except ValueError:
        return
    assert found is not None
    assert read_key_vault_reference(f"@Microsoft.KeyVault(SecretUri={found})") == found


# For threads


def test_a_secret_that_many_settings_and_threads_name_is_asked_for_once(
    azcert_environment: AzcertEmulator,
) -> None:
    document = {"Search": {f"Key{number}": reference() for number in range(20)}}
    with azcert.AzureClients.from_settings(document) as clients, ThreadPoolExecutor(20) as pool:
        section = clients.settings.section("Search")
        found = pool.map(section.text, [f"Key{number}" for number in range(20)])
        assert set(found) == {SECRET_VALUE}
        assert reads(azcert_environment) == 1


def test_all_can_be_read_at_the_start(azcert_environment: AzcertEmulator) -> None:
    document = {"Search": {"Key": reference(), "Pin": reference()}, "Other": {"x": "y"}}
    with azcert.AzureClients.from_settings(document) as clients:
        clients.ready()
        assert reads(azcert_environment) == 1
        assert clients.settings.section("Search").text("Pin") == SECRET_VALUE
        assert reads(azcert_environment) == 1
        clients.ready()
        assert reads(azcert_environment) == 2, "ready() reads anew"


def test_a_version_is_that_version(azcert_environment: AzcertEmulator) -> None:
    with azcert.DefaultCredential() as credential:
        client = SecretClient(azcert_environment.vault_url, credential)
        version = client.get_secret(NAME).properties.version
        client.set_secret(NAME, "two")
    document = {
        "A": {"Old": f"@Microsoft.KeyVault(VaultName=kv-demo;SecretName={NAME};SecretVersion={version})"}
    }
    with azcert.AzureClients.from_settings({**document, "B": {"New": reference()}}) as clients:
        assert clients.settings.section("A").text("Old") == SECRET_VALUE
        assert clients.settings.section("B").text("New") == "two"


def test_a_client_that_is_made_already_is_had_while_another_one_waits_for_key_vault(
    settings: Path, azcert_environment: AzcertEmulator
) -> None:
    with azcert.DefaultCredential() as credential:
        client = SecretClient(azcert_environment.vault_url, credential)
        client.set_secret("slow", azcert_environment.vault_url)
    values = {"Slow": {"vaultUri": reference("slow")}}
    with (
        azcert.AzureClients.from_settings(settings, values=values) as clients,
        ThreadPoolExecutor(1) as pool,
    ):
        made = clients.get(SecretClient, "KeyVault")
        azcert_environment.requests.clear()
        azcert_environment.faults.add("delay", path="/secrets/slow/", seconds=2)
        waiting = pool.submit(clients.get, SecretClient, "Slow")
        while not azcert_environment.requests:
            wait([waiting], 0.01)
        assert clients.get(SecretClient, "KeyVault") is made
        assert not waiting.done()
        assert waiting.result(30) is not made


# On an event loop


async def ticks_until(job: asyncio.Future[Any]) -> int:
    """Count how often the event loop comes round until *job* is done."""
    ticks = 0
    while not job.done():
        await asyncio.sleep(0.01)
        ticks += 1
    return ticks


async def test_the_loop_goes_on_while_references_are_read(
    settings: Path, azcert_environment: AzcertEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    azcert_environment.faults.add("delay", path="/secrets/address/", seconds=1, times=None)
    clients = azcert.aio.AzureClients.from_settings(settings)
    reading = asyncio.ensure_future(clients.ready())
    assert await ticks_until(reading) >= 5, "a loop that waits comes round once"
    await reading
    asked = len(azcert_environment.requests)
    assert clients.get(AsyncSecretClient, "KeyVault").vault_url == azcert_environment.vault_url
    assert len(azcert_environment.requests) == asked, "from memory"
    await clients.close()
    assert not caplog.records


async def test_async_with_reads_all_references_at_once(
    settings: Path, azcert_environment: AzcertEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    values = {"Search": {"Key": reference(), "Pin": reference()}}
    async with azcert.aio.AzureClients.from_settings(settings, values=values) as clients:
        assert (reads(azcert_environment), reads(azcert_environment, "address")) == (1, 1)
        secret = await clients.get(AsyncSecretClient, "KeyVault").get_secret(NAME)
        assert secret.value == clients.settings.section("Search").text("Key") == SECRET_VALUE
    assert not caplog.records


async def test_past_its_time_a_value_is_answered_at_once_and_asked_for_meanwhile(
    settings: Path, azcert_environment: AzcertEmulator
) -> None:
    async with (
        azcert.aio.DefaultCredential() as credential,
        AsyncSecretClient(azcert_environment.vault_url, credential) as writer,
        azcert.aio.AzureClients.from_settings(settings) as clients,
    ):
        section = clients.settings.section("KeyVault")
        await writer.set_secret("address", "https://moved.vault.azure.net")
        (cache,) = [
            policy
            for reader in clients._references._clients.values()
            for policy in reader._client._client._pipeline._impl_policies
            if isinstance(policy, azcert.SecretCachePolicy)
        ]
        cache._clock = lambda: 1e9
        azcert_environment.faults.add("delay", path="/secrets/address/", seconds=1)
        assert section.text("vaultUri") == azcert_environment.vault_url
        await asyncio.to_thread(settled, cache)
        assert section.text("vaultUri") == "https://moved.vault.azure.net"


async def test_without_it_a_reference_keeps_the_loop_waiting_and_that_is_said_once(
    settings: Path, azcert_environment: AzcertEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    clients = azcert.aio.AzureClients.from_settings(settings, values={"Search": {"Key": reference()}})
    assert clients.get(AsyncSecretClient, "KeyVault").vault_url == azcert_environment.vault_url
    assert clients.settings.section("Search").text("Key") == SECRET_VALUE
    await clients.close()
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(said) == 1
    assert "A Key Vault reference is read while the event loop waits (https://kv-demo" in said[0]
    assert "await clients.ready()" in said[0]


def test_before_a_loop_runs_nothing_is_said(
    settings: Path, azcert_environment: AzcertEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    clients = azcert.aio.AzureClients.from_settings(settings)
    assert clients.get(AsyncSecretClient, "KeyVault").vault_url == azcert_environment.vault_url
    asyncio.run(clients.close())
    assert not caplog.records


def test_on_trio_references_are_read_in_threads_too(
    settings: Path, azcert_environment: AzcertEmulator
) -> None:
    import trio

    async def main() -> None:
        async with azcert.aio.AzureClients.from_settings(settings) as clients:
            assert clients.settings.section("KeyVault").text("vaultUri") == azcert_environment.vault_url

    trio.run(main)
    assert reads(azcert_environment, "address") == 1


async def test_what_cannot_be_read_ends_async_with_and_names_each_setting(
    settings: Path, azcert_environment: AzcertEmulator
) -> None:
    values = {"Search": {"Key": reference("nosuch"), "Pin": "@Microsoft.KeyVault(x)"}}
    with pytest.raises(ConfigurationError, match="2 settings cannot be read:") as caught:
        async with azcert.aio.AzureClients.from_settings(settings, values=values):
            pytest.fail("it is not entered")
    for said in ("Search:Key (given in code)", "There is no secret nosuch", "Search:Pin"):
        assert said in str(caught.value)


# Errors


@pytest.mark.parametrize(
    ("fault", "kind", "code", "said"),
    [
        ({"status": 404}, ConfigurationError, "not-found", "There is no secret myTestSecret1"),
        (
            {"status": 403},
            ConfigurationError,
            "vault-forbidden",
            "azcert app grant secrets-reader --vault kv",
        ),
        ({"status": 400}, ConfigurationError, "vault-refused", "400|Bad Request|invalid status"),
    ],
)
def test_a_refusal_names_file_line_key_secret_and_what_to_do(
    azcert_environment: AzcertEmulator,
    tmp_path: Path,
    fault: dict[str, Any],
    kind: type[AzcertError],
    code: str,
    said: str,
) -> None:
    path = write(tmp_path, {"Search": {"Password": reference()}})
    azcert_environment.faults.add("answer", path="/secrets/*", times=None, **fault)
    with azcert.AzureClients.from_settings(path) as clients, pytest.raises(kind, match=said) as caught:
        clients.settings.section("Search").text("Password")
    assert caught.value.code == code
    assert f"The setting Search:Password ({path}, line 3) is a Key Vault reference that" in str(caught.value)
    assert "kv-demo.vault.azure.net" in str(caught.value)
    assert caught.value.details["line"] == 3


def test_an_outage_and_a_refused_sign_in_are_azure_cores_errors_too(
    azcert_environment: AzcertEmulator, tmp_path: Path
) -> None:
    path = write(tmp_path, {"Search": {"Password": reference()}})
    with azcert.AzureClients.from_settings(path) as clients:
        azcert_environment.faults.add(
            "answer", path="/secrets/*", times=None, status=503, headers={"retry-after-ms": "1"}
        )
        with pytest.raises(TransportError, match="Search:Password") as down:
            clients.settings.section("Search").text("Password")
        assert down.value.details["retryable"]
        azcert_environment.faults.clear()
        assert clients.settings.section("Search").text("Password") == SECRET_VALUE
    document = {
        "Search": {"Password": reference()},
        "KeyVaultReferences": {
            "tenantId": azcert_environment.tenant_id,
            "clientId": "99999999-9999-9999-9999-999999999999",
            "certificate": str(azcert_environment.certificate_path),
        },
    }
    with azcert.AzureClients.from_settings(write(tmp_path, document)) as clients:
        with pytest.raises(AuthenticationError, match="Search:Password") as refused:
            clients.settings.section("Search").text("Password")
        assert refused.value.aadsts == 700016


def test_the_options_of_the_section_that_reads_references_count(azcert_environment: AzcertEmulator) -> None:
    document = {
        "Default": {"Options": {"Diagnostics": {"ApplicationId": "shop"}}},
        "KeyVaultReferences": {"Retry": {"MaxRetries": 0}},
        "Search": {"Password": reference()},
    }
    azcert_environment.faults.add("answer", path="/secrets/*", times=None, status=503)
    with azcert.AzureClients.from_settings(document) as clients:
        with pytest.raises(TransportError):
            clients.settings.section("Search").text("Password")
        assert len([each for each in azcert_environment.requests if NAME in each["path"]]) == 1
    document["KeyVaultReferences"] = {"Retries": 0}
    with (
        azcert.AzureClients.from_settings(document) as clients,
        pytest.raises(ConfigurationError, match=r"KeyVaultReferences:Retries .* is not known here"),
    ):
        clients.settings.section("Search").text("Password")


@pytest.mark.parametrize("section", ["KeyVaultReferences", "Default"])
def test_a_reference_in_the_credential_that_reads_references_is_a_circle(
    azcert_environment: AzcertEmulator, tmp_path: Path, section: str
) -> None:
    credential = {"tenantId": "t", "clientId": "c", "clientSecret": reference("secret")}
    path = write(tmp_path, {section: credential, "Search": {"Password": reference()}})
    with (
        azcert.AzureClients.from_settings(path) as clients,
        pytest.raises(
            ConfigurationError, match="in the credential that reads Key Vault references"
        ) as caught,
    ):
        clients.settings.section("Search").text("Password")
    assert caught.value.code == "circular-reference"
    assert f"{section}:clientSecret ({path}, line 5)" in str(caught.value)
    assert not azcert_environment.requests


def test_after_closing_nothing_is_read(azcert_environment: AzcertEmulator) -> None:
    clients = azcert.AzureClients.from_settings({"Search": {"Password": reference()}})
    section = clients.settings.section("Search")
    clients.close()
    with pytest.raises(ConfigurationError, match="closed"):
        section.text("Password")
    assert not azcert_environment.requests


@pytest.mark.parametrize(
    "key", ["Retry:MaxRetries", "Retry:Delay", "Retry:Mode", "Diagnostics:IsLoggingEnabled", "Nonsense"]
)
def test_a_value_from_key_vault_is_never_in_an_error(azcert_environment: AzcertEmulator, key: str) -> None:
    document = {"KeyVault:vaultUri": azcert_environment.vault_url, f"KeyVault:{key}": reference()}
    with azcert.AzureClients.from_settings({}, values=document) as clients:
        with pytest.raises(AzcertError) as caught:
            clients.get(SecretClient, "KeyVault")
        assert SECRET_VALUE not in str(caught.value)
        assert SECRET_VALUE not in str(caught.value.details)
        assert SECRET_VALUE not in repr(clients.settings.section("KeyVault"))


def test_showing_settings_reads_no_reference(settings: Path, azcert_environment: AzcertEmulator) -> None:
    done = command_line("config", "show", settings)
    assert done.returncode == 0, done.stderr
    assert reference("address") in done.stdout
    assert azcert_environment.vault_url not in done.stdout
    assert not azcert_environment.requests
