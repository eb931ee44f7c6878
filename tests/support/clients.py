"""Client classes of Azure's packages, and a section of settings that makes each."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from azure.keyvault.secrets import SecretClient

from azcert.config.clients.plan import plan_client
from azcert.config.reading.load import load_settings

__all__ = ["BUS", "CLIENTS", "NAMES", "OPTIONS", "VAULT", "cls", "plan"]

VAULT = "https://contoso.vault.azure.net"
BUS = "contoso.servicebus.windows.net"
KEY = f"{VAULT}/keys/k/{'1' * 32}"

# Module, class and section.
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
    """Return the class, or its asynchronous namesake."""
    return getattr(import_module(_AIO.get(module, f"{module}.aio") if aio else module), name)


def plan(section: Any, client: type = SecretClient) -> Any:
    """Return how *client* is made from a section."""
    settings = load_settings({"Client": section}, environ={})
    return plan_client(client, settings.section("Client"), root=settings, environ={})
