"""Keys and whole addresses in settings: what the clients that take them are given."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from azure.core.credentials import AzureKeyCredential, AzureNamedKeyCredential, AzureSasCredential
from azure.keyvault.secrets import SecretClient

import azcert
import azcert.aio
from azcert.config.clients.shape import shape_of
from azcert.config.credentials.key_credentials import fitting
from azcert.errors import ConfigurationError
from support.clients import CLIENTS, OPTIONS, VAULT, cls

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


@pytest.mark.parametrize(("module", "name", "credential", "expected"), KEYS, ids=[row[1] for row in KEYS])
async def test_asynchronous_clients_take_the_same_keys(
    module: str, name: str, credential: Any, expected: Any
) -> None:
    section = next(section for _, found, section in CLIENTS if found == name)
    settings = {"Mine": {**section, "Credential": credential}}
    async with azcert.aio.AzureClients.from_settings(settings) as clients:
        client = cls(module, name, aio=True)
        accepted = shape_of(client).parameters["credential"].type
        assert type(fitting(clients.credential("Mine"), client, accepted)) is expected
        assert type(clients.get(client, "Mine")) is client


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
