"""Where words alone do not tell: parameters with other names, packages with other keywords."""

from __future__ import annotations

__all__ = ["ACCOUNT_HOSTS", "ALIASES", "FAMILIES", "MEMBER_ALIASES"]

ALIASES: dict[str, tuple[str, ...]] = {
    "subscription_id": ("defaultSubscriptionId",),  # ArmClient's parameter
    "key": ("keyId", "keyIdentifier"),  # CryptographyClient
    "container_name": ("blobContainerName",),  # BlobContainerClient
    "fully_qualified_namespace": ("namespace", "serviceBusNamespace", "eventHubNamespace"),
    "conn_str": ("connectionString",),
    "container_url": ("blobContainerUri",),  # ContainerClient.from_container_url
    "file_url": ("shareFileUri",),  # ShareFileClient.from_file_url
}
"""Parameter -> keys that mean it, though their words differ."""

ACCOUNT_HOSTS: dict[str, str] = {
    "azure.storage.blob": "blob",
    "azure.storage.queue": "queue",
    "azure.storage.fileshare": "file",
    "azure.storage.filedatalake": "dfs",
    "azure.data.tables": "table",
}
"""Package -> service in the host of a storage account that is given by ``accountName`` alone.

Azure Functions names the account of an identity-based connection so, in the public cloud ("Connecting to host
storage with an identity", learn.microsoft.com/azure/azure-functions/functions-reference).
"""

MEMBER_ALIASES: dict[str, str] = {
    "AmqpTcp": "Amqp",  # TransportType of Service Bus and Event Hubs
    "AmqpWebSockets": "AmqpOverWebsocket",
}
"""Values of .NET's enumerations -> Python's."""

FAMILIES: dict[str, dict[str, str | None]] = {
    # Its clients make their own logging policy and take no other.
    "azure.keyvault": {"diagnostics": None},
    "azure.data.tables": {"diagnostics": None},
    "azure.storage": {
        # Storage has a retry policy of its own (ExponentialRetry).
        "retry_backoff_factor": "initial_backoff",
        "retry_backoff_max": None,
        "retry_mode": None,
        "diagnostics": None,
        "telemetry": None,
    },
    "azure.servicebus.management": {},
    "azure.servicebus": {
        "connection_timeout": "",
        "read_timeout": "try_timeout",
        "diagnostics": None,
        "logging": None,
        "telemetry": None,
        "retry_connect": "",
        "retry_read": "",
        "retry_status": "",
        "api_version": None,
    },
    "azure.eventhub": {
        "connection_timeout": "",
        "read_timeout": "socket_timeout",
        "diagnostics": None,
        "logging": None,
        "telemetry": None,
        "retry_connect": "",
        "retry_read": "",
        "retry_status": "",
        "api_version": None,
    },
}
"""Packages whose keywords differ from azure-core's: keyword -> theirs, None where they have none.

An empty text is a part of another keyword, with nothing to say of its own."""
