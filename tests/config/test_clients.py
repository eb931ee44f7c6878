"""Real clients of Azure's packages from settings: parameters by their words, options into the pipeline."""

from __future__ import annotations

import inspect
import json
import logging
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from azure.appconfiguration import AzureAppConfigurationClient
from azure.core.credentials import AzureKeyCredential, AzureNamedKeyCredential, AzureSasCredential
from azure.core.exceptions import HttpResponseError
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from azure.servicebus import TransportType
from azure.storage.blob import BlobServiceClient
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

import azcert
import azcert.aio
from azcert.config.check import check_settings
from azcert.config.client_plan import plan_client
from azcert.config.load import load_settings
from azcert.config.sections import Sections
from azcert.errors import ConfigurationError
from support.scripted import Scripted, Token, failed, secret_answer

if TYPE_CHECKING:
    from pathlib import Path

IDS_AND_SECRET = {"tenantId": "t", "clientId": "c", "clientSecret": "s"}
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


SHARED_KEY = {"accountName": "c", "accountKey": "aHVudGVy"}
KEYS: list[tuple[str, str, Any, Any]] = [
    # Class, its section's credential, and the type that the made client is given.
    ("azure.search.documents", "SearchClient", {"Key": "hunter2"}, AzureKeyCredential),
    ("azure.eventgrid", "EventGridPublisherClient", {"key": "hunter2"}, AzureKeyCredential),
    ("azure.storage.blob", "BlobServiceClient", SHARED_KEY, AzureNamedKeyCredential),
    ("azure.storage.blob", "ContainerClient", {"signature": "sv=1&sig=aHVudGVy"}, AzureSasCredential),
    ("azure.storage.queue", "QueueServiceClient", {"key": "aHVudGVy"}, str),
    ("azure.data.tables", "TableServiceClient", {"name": "c", "key": "aHVudGVy"}, AzureNamedKeyCredential),
    ("azure.servicebus", "ServiceBusClient", {"name": "c", "key": "aHVudGVy"}, AzureNamedKeyCredential),
]


@pytest.mark.parametrize(("module", "name", "credential", "expected"), KEYS, ids=[row[1] for row in KEYS])
def test_keys_reach_the_clients_that_take_them(
    module: str, name: str, credential: Any, expected: Any
) -> None:
    section = next(section for _, found, section in CLIENTS if found == name)
    given: list[Any] = []

    class Client(cls(module, name)):  # type: ignore[misc]  # the class is a variable
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            given.append(keywords["credential"])
            super().__init__(*arguments, **keywords)

        __init__.__signature__ = inspect.signature(cls(module, name))  # type: ignore[attr-defined]

    Client.__name__ = name
    with azcert.AzureClients.from_settings({"Mine": {**section, "Credential": credential}}) as clients:
        clients.get(Client, "Mine")
        assert "hunter2" not in repr(clients.plan(Client, "Mine"))
    assert [type(each) for each in given] == [expected]


def test_a_client_without_keys_refuses_one_and_says_what_it_takes() -> None:
    settings = {"KeyVault": {"vaultUri": VAULT, "Credential": {"Key": "hunter2"}}}
    with azcert.AzureClients.from_settings(settings) as clients, pytest.raises(ConfigurationError) as caught:
        clients.get(SecretClient, "KeyVault")
    assert caught.value.code == "no-key-accepted"
    assert "TokenCredential" in str(caught.value)
    assert "hunter2" not in str(caught.value)


ADDRESSES = [
    # Class, the key of its address, the address, and what the client takes out of it.
    ("azure.storage.blob.BlobClient", "blobUri", "https://c.blob.core.windows.net/box/a/b.txt", "a/b.txt"),
    ("azure.storage.blob.ContainerClient", "blobContainerUri", "https://c.blob.core.windows.net/box", "box"),
    ("azure.storage.queue.QueueClient", "queueUri", "https://c.queue.core.windows.net/jobs", "jobs"),
    ("azure.storage.fileshare.ShareClient", "shareUri", "https://c.file.core.windows.net/share", "share"),
]


@pytest.mark.parametrize(("path", "key", "url", "name"), ADDRESSES, ids=[row[0] for row in ADDRESSES])
async def test_a_whole_address_makes_a_client_as_in_dotnet(path: str, key: str, url: str, name: str) -> None:
    module, _, client = path.rpartition(".")
    section: dict[str, Any] = {key: url, "Retry": {"MaxRetries": 1}}
    if client == "ShareClient":
        section["TokenIntent"] = "backup"
    settings = {"Default": OPTIONS, "Mine": section}
    with azcert.AzureClients.from_settings(settings) as clients:
        found = clients.plan(cls(module, client), "Mine")
        assert found.credential is not None
        assert (found.credential.kind, found.keywords["retry_total"]) == ("AzureCliCredential", 1)
        assert name in vars(clients.get(cls(module, client), "Mine")).values()
    async with azcert.aio.AzureClients.from_settings(settings) as awaited:
        made = awaited.get(cls(module, client, aio=True), "Mine")
        assert type(made) is cls(module, client, aio=True)
        assert name in vars(made).values()


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


def test_a_value_of_no_enumeration_is_told_the_members() -> None:
    from azure.servicebus import ServiceBusClient

    with pytest.raises(ConfigurationError, match=r"Amqp, AmqpOverWebsocket\. Did you mean Amqp\?") as caught:
        plan({"fullyQualifiedNamespace": BUS, "TransportType": "Amq"}, ServiceBusClient)
    assert caught.value.code == "wrong-value"


def test_unknown_keys_of_the_defaults_are_refused() -> None:
    settings = {"Default": {"credential": "azurecli", "Rettry": {"MaxRetries": 1}}, "V": {"vaultUri": VAULT}}
    with azcert.AzureClients.from_settings(settings) as clients, pytest.raises(ConfigurationError) as caught:
        clients.plan(SecretClient, "V")
    assert "Default:Rettry:MaxRetries" in str(caught.value)
    assert "Did you mean Retry?" in str(caught.value)


def test_a_section_named_default_that_is_about_other_things_is_let_be() -> None:
    settings = {
        "Default": {"Language": "en"},
        "AzureDefaults": {"credential": "azurecli"},
        "V": {"vaultUri": VAULT},
    }
    with azcert.AzureClients.from_settings(settings) as clients:
        assert clients.credential_spec("V").kind == "AzureCliCredential"


NAMES_OF_KEYS = [
    "vaultUri", "Credential", "CredentialSource", "Sources", "Options", "Retry", "MaxRetries", "Diagnostics",
    "LoggedHeaderNames", "Cache", "Ttl", "ConnectionString", "Arguments", "ClientCredentials", "SourceType",
    "tenantId", "clientId", "certificate", "clientCertificate", "clientCertificateStoreLocation", "Authority",
    "additionallyAllowedTenants", "tokenCachePersistenceOptions", "Key", "headers", "read_timeout", "0", "x",
]  # fmt: skip
TEXTS = ["", "x", VAULT, "$Client", "$Client:Credential", "00:00:01", "Path", "ChainedToken", "Environment"]
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.sampled_from(TEXTS))
KEYWORDS = st.sampled_from(NAMES_OF_KEYS)
TREES = st.recursive(
    VALUES,
    lambda inner: st.one_of(st.dictionaries(KEYWORDS, inner, max_size=4), st.lists(inner, max_size=2)),
    max_leaves=12,
)


@examples(suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@example({"vaultUri": VAULT, "headers": [{"x": "y"}, "$Client"]}, {})
@example({"Credential": None}, {"ClientCredentials": ["$Client:Credential"]})
@given(st.dictionaries(KEYWORDS, TREES, max_size=6), st.dictionaries(KEYWORDS, TREES, max_size=3))
def test_whatever_stands_where_it_does_not_belong_is_a_message(
    section: dict[str, Any], defaults: dict[str, Any]
) -> None:
    given_settings = load_settings({"Client": section, "Default": defaults}, environ={})
    with suppress(ConfigurationError):
        assert Sections(given_settings).plan(SecretClient, "Client").arguments["vault_url"]
    check_settings(given_settings, {"Client": SecretClient})


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


def test_a_name_is_no_class() -> None:
    clients = azcert.AzureClients.from_settings({"KeyVault": {"vaultUri": VAULT}})
    with clients, pytest.raises(ConfigurationError, match="'SecretClient' is no class"):
        clients.get("SecretClient", "KeyVault")  # type: ignore[arg-type]  # the mistake itself


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
    ({"vaultUri": VAULT, "Retry": 5}, "wrong-type", "section"),
    ({"vaultUri": VAULT, "Options": "fast"}, "wrong-type", "section"),
    ({"vaultUri": VAULT, "RetryOptions": {"MaximumRetris": 3}}, "unknown-setting", "MaximumRetries"),
    ({"vaultUri": "kv-demo"}, "wrong-value", "https://"),
    ({"vaultUri": [VAULT]}, "wrong-type", "takes one value"),
    ({"vaultUri": ""}, "incomplete-client", "vaultUri (empty)"),
    ({"vaultUri": VAULT, "connection_verify": "false"}, "verification-off", "file"),
    ({"vaultUri": VAULT, "serviceUri": "https://x"}, "two-addresses", "serviceUri"),
    ({"vaultUri": VAULT, "Diagnostics": {"ApplicationId": "x" * 25}}, "wrong-value", "24"),
    ({"vaultUri": VAULT, "Cache": {"Tll": "00:00:01"}}, "unknown-setting", "Ttl"),
    ("Endpoint=x", "wrong-setting", "It needs vault_url"),
    (
        {"vaultUri": VAULT, "fooBar": 1},
        "unknown-setting",
        "verify_challenge_resource; docs/settings-reference.md",
    ),
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


IDS = {"tenantId": "t", "clientId": "c"}
SECRETS: list[tuple[str, Any, type]] = [
    # The key that is warned of, its section, and a client that reads it.
    ("clientSecret", {**IDS, "clientSecret": "aHVudGVy"}, SecretClient),
    (
        "clientCertificatePassword",
        {**IDS, "certificate": "a.pfx", "clientCertificatePassword": "p"},
        SecretClient,
    ),
    (
        "systemAccessToken",
        {**IDS, "credential": "azurepipelines", "serviceConnectionId": "i", "systemAccessToken": "p"},
        SecretClient,
    ),
    ("Credential:Key", {"Credential": {"Key": "aHVudGVy"}}, BlobServiceClient),
    ("Credential:accountKey", {"Credential": SHARED_KEY}, BlobServiceClient),
    ("Credential:signature", {"Credential": {"signature": "sv=1"}}, BlobServiceClient),
    (
        "ClientCredentials:0:CertificatePassword",
        {
            **IDS,
            "ClientCredentials": [{"SourceType": 3, "CertificateDiskPath": "a", "CertificatePassword": "p"}],
        },
        SecretClient,
    ),
    (
        "ClientCredentials:0:Base64EncodedValue",
        {**IDS, "ClientCredentials": [{"SourceType": "Base64Encoded", "Base64EncodedValue": "AAAA"}]},
        SecretClient,
    ),
    ("ConnectionString", {"ConnectionString": "AccountName=c;AccountKey=aHVudGVy"}, BlobServiceClient),
    ("serviceUri", {"serviceUri": "https://c.blob.core.windows.net?sv=1&sig=aHVudGVy"}, BlobServiceClient),
]


@pytest.mark.parametrize("suffix", [".json", ".yaml"])
@pytest.mark.parametrize(("key", "section", "client"), SECRETS, ids=[row[0] for row in SECRETS])
def test_every_secret_in_a_file_works_and_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, suffix: str, key: str, section: Any, client: type
) -> None:
    address = {SecretClient: {"vaultUri": VAULT}, BlobServiceClient: {"serviceUri": "https://c.blob"}}[client]
    whole = section if {"ConnectionString", "serviceUri"} & set(section) else {**address, **section}
    path = tmp_path / f"appsettings{suffix}"
    path.write_text(json.dumps({"A": whole}) if suffix == ".json" else yaml.safe_dump({"A": whole}))
    for _ in range(2):
        Sections(load_settings(path, environ={})).plan(client, "A")
    (warning,) = [record.getMessage() for record in caplog.records if "is a secret" in record.getMessage()]
    assert f"The setting A:{key} ({path}, line " in warning
    assert f"the environment variable A__{key.replace(':', '__')}" in warning
    assert "aHVudGVy" not in caplog.text


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
