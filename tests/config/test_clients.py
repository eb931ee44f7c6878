"""Real clients of Azure's packages from settings: parameters by their words, options into the pipeline."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from azure.appconfiguration import AzureAppConfigurationClient
from azure.core.exceptions import HttpResponseError
from azure.keyvault.secrets import SecretClient
from azure.servicebus import TransportType
from azure.storage.blob import BlobServiceClient

import azcert
import azcert.aio
from azcert.config.clients.plan import plan_client
from azcert.config.reading.load import load_settings
from azcert.errors import ConfigurationError
from support.clients import BUS, CLIENTS, NAMES, OPTIONS, VAULT, cls, plan
from support.scripted import Scripted, Token, failed, secret_answer

IDS_AND_SECRET = {"tenantId": "t", "clientId": "c", "clientSecret": "s"}


def test_there_are_fifteen_classes_of_ten_packages() -> None:
    packages = {".".join(module.split(".")[:3]) for module, _, _ in CLIENTS}
    assert len(set(NAMES)) >= 15
    assert len(packages) >= 10


def assert_options_are_in(made: Any) -> None:
    """Look through all that the client is made of for its retry policy, or its settings for AMQP."""
    seen: set[int] = set()
    inside, totals, agents = [made], set(), []
    while inside:
        each = inside.pop()
        if isinstance(each, list | tuple):
            inside += each
        if id(each) in seen or not type(each).__module__.startswith("azure."):
            continue
        seen.add(id(each))
        found = vars(each) if hasattr(each, "__dict__") else {}
        totals |= {value for name, value in found.items() if name in {"total_retries", "retry_total"}}
        agents += [value for value in found.values() if isinstance(value, str) and "contoso-app" in value]
        inside += found.values()
    assert 5 in totals  # storage keeps a generated policy beside its own, and never asks it
    assert agents


@pytest.mark.parametrize(("module", "name", "section"), CLIENTS, ids=NAMES)
def test_a_client_is_made_from_its_section(module: str, name: str, section: dict[str, Any]) -> None:
    with azcert.AzureClients.from_settings({"Default": OPTIONS, "Mine": section}) as clients:
        made = clients.get(cls(module, name), "Mine")
        assert type(made) is cls(module, name)
        assert clients.get(cls(module, name), "mine") is made
        assert_options_are_in(made)


@pytest.mark.parametrize(("module", "name", "section"), CLIENTS, ids=NAMES)
async def test_an_asynchronous_client_is_made_from_the_same_section(
    module: str, name: str, section: dict[str, Any]
) -> None:
    async with azcert.aio.AzureClients.from_settings({"Default": OPTIONS, "Mine": section}) as clients:
        made = clients.get(cls(module, name, aio=True), "Mine")
        assert type(made) is cls(module, name, aio=True)
        assert_options_are_in(made)


async def test_cosmos_is_made_too() -> None:
    # Its synchronous class connects in its constructor.
    from azure.cosmos.aio import CosmosClient

    section = {"accountEndpoint": "https://c.documents.azure.com:443/", "Credential": {"Key": "c2VjcmV0"}}
    async with azcert.aio.AzureClients.from_settings({"Cosmos": section}) as clients:
        assert isinstance(clients.get(CosmosClient, "Cosmos"), CosmosClient)


RETRYING = [
    ("azure.keyvault.secrets", "SecretClient", {"vaultUri": VAULT}, lambda c: c.get_secret("s")),
    (
        "azure.mgmt.resource.resources",
        "ResourceManagementClient",
        {"subscriptionId": "11111111-1111-1111-1111-111111111111"},
        lambda c: c.resource_groups.get("g"),
    ),
    (
        "azure.appconfiguration",
        "AzureAppConfigurationClient",
        {"endpoint": "https://c.azconfig.io"},
        lambda c: c.get_configuration_setting("k"),
    ),
    (
        "azure.storage.blob",
        "BlobServiceClient",
        {"serviceUri": "https://c.blob.core.windows.net"},
        lambda c: c.get_account_information(),
    ),
]


@pytest.mark.parametrize(("module", "name", "section", "call"), RETRYING, ids=[row[1] for row in RETRYING])
def test_retries_delays_and_application_id_reach_the_pipeline(
    module: str, name: str, section: dict[str, Any], call: Any
) -> None:
    transport = Scripted(lambda _: failed(503))
    settings = {"Default": OPTIONS, "Mine": section}
    with azcert.AzureClients.from_settings(settings) as clients:
        client = clients.get(cls(module, name), "Mine", transport=transport, credential=Token())
        with pytest.raises(Exception, match=r"scripted|503"):
            call(client)
    assert len(transport.requests) == 6
    assert "contoso-app" in transport.requests[0].headers["User-Agent"]
    if name != "BlobServiceClient":  # its policy adds a random part to each delay, and waits by itself
        assert [round(delay) for delay in transport.sleeps] == [4, 8, 16, 32]


def test_timeouts_reach_the_transport() -> None:
    settings = {"Default": OPTIONS, "KeyVault": {"vaultUri": VAULT}}
    with azcert.AzureClients.from_settings(settings) as clients:
        client: Any = clients.get(SecretClient, "KeyVault")
        config = client._client._client._pipeline._transport.connection_config
    assert (config.timeout, config.read_timeout) == (7, 7)


def test_a_clients_own_options_win_over_the_defaults() -> None:
    section = {"vaultUri": VAULT, "Options": {"Retry": {"MaxRetries": 3, "Mode": "Fixed"}}}
    transport = Scripted(lambda _: failed(503))
    with azcert.AzureClients.from_settings({"Default": OPTIONS, "KeyVault": section}) as clients:
        client = clients.get(SecretClient, "KeyVault", transport=transport, credential=Token())
        with pytest.raises(Exception, match="scripted"):
            client.get_secret("s")
    assert len(transport.requests) == 4
    assert transport.sleeps == [2, 2]


def test_options_may_stand_beside_the_address_as_in_dotnet() -> None:
    section = {"vaultUri": VAULT, "Retry": {"MaxRetries": 0}, "ServiceVersion": "V7_4", "readTimeout": "3"}
    assert plan(section).keywords == {
        **dict.fromkeys(("retry_total", "retry_connect", "retry_read", "retry_status"), 0),
        "api_version": "7.4",
        "read_timeout": 3,
    }


def test_switching_logging_and_telemetry_off_reaches_the_pipeline(caplog: pytest.LogCaptureFixture) -> None:
    diagnostics = {"IsLoggingEnabled": False, "IsTelemetryEnabled": False}
    section = {"vaultUri": VAULT, "Diagnostics": diagnostics}
    transport = Scripted(lambda _: secret_answer("v"))
    with caplog.at_level(logging.INFO), azcert.AzureClients.from_settings({"KeyVault": section}) as clients:
        clients.get(SecretClient, "KeyVault", transport=transport, credential=Token()).get_secret("s")
    assert "User-Agent" not in transport.requests[0].headers
    assert not [record for record in caplog.records if "http_logging" in record.name]


def test_headers_named_in_settings_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    section = {
        "endpoint": "https://c.azconfig.io",
        "headers": {"X-Contoso": "shown"},
        "Diagnostics": {"LoggedHeaderNames": ["X-Contoso"]},
    }
    transport = Scripted(lambda _: failed(404))
    with caplog.at_level(logging.INFO), azcert.AzureClients.from_settings({"Config": section}) as clients:
        client = clients.get(AzureAppConfigurationClient, "Config", transport=transport, credential=Token())
        with pytest.raises(HttpResponseError):
            client.get_configuration_setting("k")
    assert "shown" in caplog.text


def test_a_section_that_is_a_text_is_a_connection_string() -> None:
    text = "DefaultEndpointsProtocol=https;AccountName=c;AccountKey=c2VjcmV0;EndpointSuffix=core.windows.net"
    for settings in ({"Storage": text}, {"Storage": {"connectionString": text}}):
        with azcert.AzureClients.from_settings(settings) as clients:
            assert clients.get(BlobServiceClient, "Storage").account_name == "c"


@pytest.mark.parametrize(
    "document",
    [{"Mine": VAULT}, {"ConnectionStrings": {"Mine": VAULT}}, {"Mine": {"connectionString": VAULT}}],
)
def test_a_text_that_is_a_url_is_the_address(document: Any) -> None:
    with azcert.AzureClients.from_settings(document) as clients:
        assert clients.plan(SecretClient, "Mine").arguments == {"vault_url": VAULT}
        assert clients.get(SecretClient, "Mine").vault_url == VAULT


def test_a_storage_account_is_named_as_azure_functions_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AzureWebJobsStorage__accountName", "contoso")
    monkeypatch.setenv("AzureWebJobsStorage__credential", "managedidentity")
    monkeypatch.setenv("AzureWebJobsStorage__clientId", "identity")
    hosts = {"blob.BlobServiceClient": "blob", "queue.QueueServiceClient": "queue"}
    with azcert.AzureClients.from_settings({}) as clients:
        for path, host in hosts.items():
            module, _, name = f"azure.storage.{path}".rpartition(".")
            found = clients.plan(cls(module, name), "AzureWebJobsStorage")
            assert found.arguments == {"account_url": f"https://contoso.{host}.core.windows.net"}
            assert found.credential is not None
            assert found.credential.arguments == {"client_id": "identity"}
        with pytest.raises(ConfigurationError, match="accountName"):
            clients.plan(SecretClient, "AzureWebJobsStorage")
    with pytest.raises(ConfigurationError, match="no storage account"):
        plan({"accountName": "evil.example/"}, BlobServiceClient)


def test_a_parameter_that_has_the_name_of_a_web_applications_setting_is_the_clients() -> None:
    section = {"endpoint": "https://c.azurecr.io", "audience": "https://containerregistry.azure.us"}
    client = cls("azure.containerregistry", "ContainerRegistryClient")
    assert plan(section, client).arguments["audience"] == "https://containerregistry.azure.us"
    assert "audience" not in plan({"vaultUri": VAULT, "Audience": "api://web"}).keywords


def test_a_section_within_another_is_another_client() -> None:
    url = "https://{}.blob.core.windows.net".format
    settings = {
        "Storage": {"Archive": {"serviceUri": url("archive")}, "Images": {"serviceUri": url("images")}},
        "AzureClients": {"Reports": {"serviceUri": url("reports")}},
    }
    with azcert.AzureClients.from_settings(settings) as clients:
        for section in ("Storage:Archive", "storage:images", "Reports", "AzureClients:Reports"):
            client = clients.get(BlobServiceClient, section)
            assert client.account_name == section.rpartition(":")[2].lower()


def test_connection_strings_have_a_section_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUSTOMCONNSTR_Bus", f"Endpoint=sb://{BUS}/;SharedAccessKeyName=n;SharedAccessKey=k")
    from azure.servicebus import ServiceBusClient

    with azcert.AzureClients.from_settings({}) as clients:
        assert clients.get(ServiceBusClient, "Bus").fully_qualified_namespace == BUS


def test_a_shared_access_signature_needs_no_credential() -> None:
    found = plan({"serviceUri": "https://c.blob.core.windows.net/?sv=1&sig=abc"}, BlobServiceClient)
    assert found.credential is None


def test_values_of_variables_become_what_the_parameter_is(monkeypatch: pytest.MonkeyPatch) -> None:
    from azure.servicebus import ServiceBusClient

    monkeypatch.setenv("Bus__FullyQualifiedNamespace", BUS)
    monkeypatch.setenv("Bus__TransportType", "AmqpOverWebsocket")
    monkeypatch.setenv("Bus__LoggingEnable", "false")
    monkeypatch.setenv("Bus__RetryTotal", "7")
    settings = load_settings({})
    found = plan_client(ServiceBusClient, settings.section("Bus"), root=settings, environ={})
    assert found.keywords["transport_type"] is TransportType.AmqpOverWebsocket
    assert found.keywords["logging_enable"] is False
    assert found.arguments["retry_total"] == 7


def test_retry_options_of_service_bus_and_event_hubs_are_read() -> None:
    from azure.servicebus import ServiceBusClient

    retry = {"MaximumRetries": 7, "Delay": "00:00:02", "MaximumDelay": "00:00:09", "TryTimeout": "00:00:30"}
    section = {"fullyQualifiedNamespace": BUS, "RetryOptions": retry, "TransportType": "AmqpWebSockets"}
    found = plan(section, ServiceBusClient)
    assert {**found.arguments, **found.keywords} == {
        "fully_qualified_namespace": BUS,
        "retry_total": 7,
        "retry_backoff_factor": 2,
        "retry_backoff_max": 9,
        "try_timeout": 30,
        "transport_type": TransportType.AmqpOverWebsocket,
    }


def test_one_credential_serves_all_clients_with_the_same_settings() -> None:
    cli = {"Credential": {"CredentialSource": "AzureCli"}}
    settings = {
        "A": {"vaultUri": VAULT, **cli},
        "B": {"vaultUri": "https://b.vault.azure.net", "credential": "azurecli"},
        "C": {"vaultUri": VAULT, "credential": "azurecli", "tenantId": "other"},
        "D": {"vaultUri": VAULT, "tenantId": "t", "clientId": "c", "clientSecret": "s"},
        "E": {**IDS_AND_SECRET, "vaultUri": VAULT, "Retry": {"MaxRetries": 9}, "ServiceVersion": "V7_4"},
    }
    with azcert.AzureClients.from_settings(settings) as clients:
        assert clients.credential("A") is clients.credential("B")
        assert clients.credential("C") is not clients.credential("A")
        assert clients.credential("D") is clients.credential("E")
        assert clients.get(SecretClient, "A") is not clients.get(SecretClient, "B")


def test_closing_closes_all_even_if_one_fails() -> None:
    transports = [Scripted(lambda _: secret_answer("v")) for _ in range(3)]
    clients = azcert.AzureClients.from_settings({"KeyVault": {"vaultUri": VAULT}})
    made = [clients.get(SecretClient, "KeyVault", transport=each, credential=Token()) for each in transports]

    def fail() -> None:
        raise OSError("cannot close")

    made[1].close = fail  # type: ignore[method-assign]  # the failure itself is the subject
    with pytest.raises(OSError, match="cannot close"):
        clients.close()
    assert [each.closed for each in transports] == [1, 0, 1]
    with pytest.raises(ConfigurationError, match="closed"):
        clients.get(SecretClient, "KeyVault")
