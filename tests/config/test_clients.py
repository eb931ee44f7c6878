"""Real clients of Azure's packages from settings: parameters by their words, options into the pipeline."""

from __future__ import annotations

import logging
from importlib import import_module
from typing import Any

import pytest
from azure.appconfiguration import AzureAppConfigurationClient
from azure.core.exceptions import HttpResponseError
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from azure.servicebus import TransportType
from azure.storage.blob import BlobServiceClient

import azcert
import azcert.aio
from azcert.config.client_plan import plan_client
from azcert.config.load import load_settings
from azcert.errors import ConfigurationError
from support.scripted import Scripted, Token, failed, secret_answer

VAULT = "https://contoso.vault.azure.net"
BUS = "contoso.servicebus.windows.net"
KEY = f"{VAULT}/keys/k/{'1' * 32}"

# Class, its module, its section, and one attribute of the made client that shows where it will connect.
CLIENTS: list[tuple[str, str, Any]] = [
    ("azure.keyvault.secrets", "SecretClient", {"vaultUri": VAULT}),
    ("azure.keyvault.keys", "KeyClient", {"VaultUri": VAULT}),
    ("azure.keyvault.keys.crypto", "CryptographyClient", {"keyId": KEY}),
    ("azure.keyvault.certificates", "CertificateClient", {"vault_url": VAULT}),
    ("azure.storage.blob", "BlobServiceClient", {"serviceUri": "https://c.blob.core.windows.net"}),
    (
        "azure.storage.blob",
        "ContainerClient",
        {"accountUrl": "https://c.blob.core.windows.net", "blobContainerName": "box"},
    ),
    (
        "azure.storage.queue",
        "QueueServiceClient",
        {"queueServiceUri": "https://c.queue.core.windows.net", "blobServiceUri": "https://c.blob"},
    ),
    (
        "azure.storage.fileshare",
        "ShareServiceClient",
        {"serviceUri": "https://c.file.core.windows.net", "TokenIntent": "backup"},
    ),
    ("azure.storage.filedatalake", "DataLakeServiceClient", {"serviceUri": "https://c.dfs.core.windows.net"}),
    ("azure.data.tables", "TableServiceClient", {"serviceUri": "https://c.table.core.windows.net"}),
    (
        "azure.data.tables",
        "TableClient",
        {"endpoint": "https://c.table.core.windows.net", "tableName": "orders"},
    ),
    ("azure.servicebus", "ServiceBusClient", {"fullyQualifiedNamespace": BUS}),
    ("azure.servicebus.management", "ServiceBusAdministrationClient", {"namespace": BUS}),
    (
        "azure.eventhub",
        "EventHubProducerClient",
        {"fullyQualifiedNamespace": BUS, "eventHubName": "clicks"},
    ),
    (
        "azure.eventhub",
        "EventHubConsumerClient",
        {"fullyQualifiedNamespace": BUS, "eventHubName": "clicks", "consumerGroup": "$Default"},
    ),
    ("azure.appconfiguration", "AzureAppConfigurationClient", {"endpoint": "https://c.azconfig.io"}),
    ("azure.monitor.query", "LogsQueryClient", {"endpoint": "https://api.loganalytics.io/v1"}),
    ("azure.monitor.ingestion", "LogsIngestionClient", {"endpoint": "https://c.ingest.monitor.azure.com"}),
    ("azure.search.documents", "SearchClient", {"endpoint": "https://c.search", "indexName": "books"}),
    ("azure.ai.textanalytics", "TextAnalyticsClient", {"endpoint": "https://c.cognitiveservices.azure.com"}),
    ("azure.eventgrid", "EventGridPublisherClient", {"endpoint": "https://c", "namespaceTopic": "t"}),
    ("azure.containerregistry", "ContainerRegistryClient", {"endpoint": "https://c.azurecr.io"}),
    ("azure.mgmt.resource.resources", "ResourceManagementClient", {"defaultSubscriptionId": "1" * 8}),
]
NAMES = [name for _, name, _ in CLIENTS]
_AIO = {
    "azure.servicebus.management": "azure.servicebus.aio.management",
    "azure.keyvault.keys.crypto": "azure.keyvault.keys.crypto.aio",
}
OPTIONS = {
    "Credential": {"CredentialSource": "AzureCli"},
    "Options": {
        "Retry": {"MaxRetries": 5, "Delay": "00:00:02", "MaxDelay": "00:01:00", "NetworkTimeout": "00:00:07"},
        "Diagnostics": {"ApplicationId": "contoso-app"},
    },
}


def cls(module: str, name: str, *, aio: bool = False) -> Any:
    return getattr(import_module(_AIO.get(module, f"{module}.aio") if aio else module), name)


def test_there_are_fifteen_classes_of_ten_packages() -> None:
    packages = {".".join(module.split(".")[:3]) for module, _, _ in CLIENTS}
    assert len(set(NAMES)) >= 15
    assert len(packages) >= 10


@pytest.mark.parametrize(("module", "name", "section"), CLIENTS, ids=NAMES)
def test_a_client_is_made_from_its_section(module: str, name: str, section: dict[str, Any]) -> None:
    with azcert.AzureClients.from_settings({"Default": OPTIONS, "Mine": section}) as clients:
        made = clients.get(cls(module, name), "Mine")
        assert type(made) is cls(module, name)
        assert clients.get(cls(module, name), "mine") is made


@pytest.mark.parametrize(("module", "name", "section"), CLIENTS, ids=NAMES)
async def test_an_asynchronous_client_is_made_from_the_same_section(
    module: str, name: str, section: dict[str, Any]
) -> None:
    async with azcert.aio.AzureClients.from_settings({"Default": OPTIONS, "Mine": section}) as clients:
        made = clients.get(cls(module, name, aio=True), "Mine")
        assert type(made) is cls(module, name, aio=True)


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


def plan(section: Any, client: type = SecretClient) -> Any:
    settings = load_settings({"Client": section}, environ={})
    return plan_client(client, settings.section("Client"), root=settings, environ={})


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


def test_one_credential_serves_all_clients_with_the_same_settings() -> None:
    cli = {"Credential": {"CredentialSource": "AzureCli"}}
    settings = {
        "A": {"vaultUri": VAULT, **cli},
        "B": {"vaultUri": "https://b.vault.azure.net", "credential": "azurecli"},
        "C": {"vaultUri": VAULT, "credential": "azurecli", "tenantId": "other"},
    }
    with azcert.AzureClients.from_settings(settings) as clients:
        assert clients.credential("A") is clients.credential("B")
        assert clients.credential("C") is not clients.credential("A")
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


def test_a_client_of_the_other_kind_is_refused_with_the_right_factory() -> None:
    clients = azcert.AzureClients.from_settings({"KeyVault": {"vaultUri": VAULT}})
    with clients, pytest.raises(ConfigurationError, match=r"azcert\.aio\.AzureClients"):
        clients.get(AsyncSecretClient, "KeyVault")


WRONG: list[tuple[Any, str, str]] = [
    ({"vaultUrl": VAULT, "vaultUri": VAULT, "RetryTotl": 3}, "unknown-setting", "retry_total"),
    ({"Retry": {}}, "incomplete-client", "needs vault_url"),
    ({"vaultUri": VAULT, "indexName": "x"}, "unknown-setting", "indexName"),
    ({"vaultUri": VAULT, "Retry": {"MaxRetrys": 3}}, "unknown-setting", "MaxRetries"),
    ({"vaultUri": VAULT, "Retry": {"Delay": "3"}}, "wrong-type", "00:00:30"),
    ({"vaultUri": VAULT, "Retry": {"Mode": "random"}}, "wrong-value", "Exponential"),
    ({"vaultUri": VAULT, "connection_verify": "false"}, "verification-off", "file"),
    ({"vaultUri": VAULT, "serviceUri": "https://x"}, "two-addresses", "serviceUri"),
    ({"vaultUri": VAULT, "Diagnostics": {"ApplicationId": "x" * 25}}, "wrong-value", "24"),
    ({"vaultUri": VAULT, "Cache": {"Tll": "00:00:01"}}, "unknown-setting", "Ttl"),
    ("Endpoint=x", "wrong-setting", "connection string"),
]


@pytest.mark.parametrize(("section", "code", "part"), WRONG, ids=[str(row[0]) for row in WRONG])
def test_what_does_not_fit_is_said(section: Any, code: str, part: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        plan(section)
    assert caught.value.code == code
    assert part in str(caught.value)


def test_a_missing_section_names_those_that_are_there() -> None:
    clients = azcert.AzureClients.from_settings({"KeyVault": {"vaultUri": VAULT}})
    with clients, pytest.raises(ConfigurationError, match="Did you mean KeyVault"):
        clients.get(SecretClient, "KeyVaults")


def test_a_secret_in_a_settings_file_is_warned_of_once(
    tmp_path: Any, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "appsettings.json"
    path.write_text(
        f'{{"V": {{"vaultUri": "{VAULT}", "tenantId": "t", "clientId": "c", "clientSecret": "hunter2"}}}}'
    )
    for _ in range(3):
        with azcert.AzureClients.from_settings(path) as clients:
            clients.get(SecretClient, "V")
    warnings = [record.getMessage() for record in caplog.records if record.name == "azcert.config"]
    assert len(warnings) == 1
    assert "V:clientSecret" in warnings[0]
    assert f"{path}, line 1" in warnings[0]
    assert "V__clientSecret" in warnings[0]
    assert "hunter2" not in caplog.text


def test_no_repr_shows_a_secret() -> None:
    secret = {"tenantId": "t", "clientId": "c", "clientSecret": "hunter2"}
    settings = {"V": {"vaultUri": VAULT, **secret}, "Storage": "AccountName=c;AccountKey=hunter2"}
    with azcert.AzureClients.from_settings(settings) as clients:
        found = clients.plan(SecretClient, "V")
        shown = [
            repr(each) for each in (clients, clients.settings, found, found.credential, *clients.settings)
        ]
        shown.append(str(clients.credential_spec("V").as_dict()))
    assert "hunter2" not in "".join(shown)
