"""What a client writes it reads: every write of the official client makes its cache forget the secret."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

import azcert
import azcert.aio
from azcert.emulator.ready_made import SECRET_VALUE
from azcert.vault.requests import ANY, Change, Read, meaning
from support.cached import RULES, VAULT, Clock, Reader, Vault
from support.scripted import AsyncScripted, AsyncToken, secret_answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azcert.emulator.fixture import AzcertEmulator

NAME = "myTestSecret1"


@pytest.fixture
def client(azcert_environment: AzcertEmulator) -> Iterator[SecretClient]:
    documents = azcert_environment.world.documents
    for key, _ in documents.items("role"):
        documents.put("role", key, ["Key Vault Administrator"])
    with (
        azcert.DefaultCredential() as credential,
        SecretClient(
            azcert_environment.vault_url,
            credential,
            per_call_policies=[azcert.SecretCachePolicy()],
        ) as client,
    ):
        assert client.get_secret(NAME).value == SECRET_VALUE
        yield client


def test_a_new_value_is_read_at_once_and_its_version_too(client: SecretClient) -> None:
    stored = client.set_secret(NAME, "two")
    assert client.get_secret(NAME).value == "two"
    assert client.get_secret(NAME, stored.properties.version).value == "two"


def test_changed_properties_are_read_at_once(client: SecretClient) -> None:
    pinned = client.get_secret(NAME).properties.version
    client.get_secret(NAME, pinned)
    client.update_secret_properties(NAME, tags={"colour": "green"})
    assert client.get_secret(NAME).properties.tags == {"colour": "green"}
    assert client.get_secret(NAME, pinned).properties.tags == {"colour": "green"}


def test_a_deleted_secret_is_gone_at_once_and_back_when_it_is_recovered(client: SecretClient) -> None:
    client.begin_delete_secret(NAME).wait()
    with pytest.raises(ResourceNotFoundError):
        client.get_secret(NAME)
    client.begin_recover_deleted_secret(NAME).wait()
    assert client.get_secret(NAME).value == SECRET_VALUE


def test_a_restored_secret_is_read_anew_though_the_request_does_not_name_it(
    client: SecretClient, azcert_environment: AzcertEmulator
) -> None:
    backup = client.backup_secret(NAME)
    client.set_secret(NAME, "two")
    assert client.get_secret(NAME).value == "two"
    # Somebody else deletes and purges it; this client still keeps the second value.
    with azcert.DefaultCredential() as credential:
        other = SecretClient(azcert_environment.vault_url, credential)
        other.begin_delete_secret(NAME).wait()
        other.purge_deleted_secret(NAME)
        assert client.get_secret(NAME).value == "two"
        client.restore_secret_backup(backup)
    assert client.get_secret(NAME).value == SECRET_VALUE


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/secrets/A/", Read(f"{VAULT}/secrets/A/", "contoso.vault.azure.net", "a", pinned=False)),
        ("GET", "/secrets/a/1f", Read(f"{VAULT}/secrets/a/1f", "contoso.vault.azure.net", "a", pinned=True)),
        ("GET", "/secrets", None),
        ("GET", "/secrets/a/versions", None),
        ("GET", "/deletedsecrets/a", None),
        ("GET", "/keys/a", None),
        ("POST", "/secrets/a/backup", None),
        ("PUT", "/secrets/A", Change("contoso.vault.azure.net", "a")),
        ("PATCH", "/secrets/a/1f", Change("contoso.vault.azure.net", "a")),
        ("DELETE", "/deletedsecrets/a", Change("contoso.vault.azure.net", "a")),
        ("POST", "/deletedsecrets/a/recover", Change("contoso.vault.azure.net", "a")),
        ("POST", "/secrets/restore", Change("contoso.vault.azure.net", ANY)),
        ("PUT", "/secrets/restore", Change("contoso.vault.azure.net", "restore")),
    ],
)
def test_what_a_request_means(method: str, path: str, expected: Any) -> None:
    assert meaning(method, f"{VAULT}{path}") == expected


def test_who_reads_after_a_write_does_not_join_a_question_from_before_it() -> None:
    reader = Reader()
    asked, release = threading.Event(), threading.Event()

    def slow() -> Any:
        asked.set()
        release.wait(10)
        return secret_answer("old")

    reader.vault.fault = slow
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(reader.get)
        asked.wait(10)
        reader.vault.fault = None
        reader.client.set_secret("s", "written")
        assert reader.get() == "written"
        release.set()
        assert first.result(10) == "old"
    assert reader.get() == "written"


async def test_awaited_who_reads_after_a_write_does_not_join_a_question_from_before_it() -> None:
    vault, asked, release = Vault(), asyncio.Event(), asyncio.Event()
    cache = azcert.aio.SecretCachePolicy(RULES, clock=Clock())

    async def slow() -> Any:
        asked.set()
        await release.wait()
        return secret_answer("old")

    vault.fault = slow
    async with AsyncSecretClient(
        VAULT, AsyncToken(), transport=AsyncScripted(vault), per_call_policies=[cache]
    ) as client:
        first = asyncio.ensure_future(client.get_secret("s"))
        await asked.wait()
        vault.fault = None
        await client.set_secret("s", "written")
        assert (await client.get_secret("s")).value == "written"
        release.set()
        assert (await first).value == "old"
        assert (await client.get_secret("s")).value == "written"


def test_the_newest_value_can_be_asked_for() -> None:
    reader = Reader()
    reader.get()
    reader.vault.value = "two"
    assert reader.get() == "one"
    newest = reader.client.get_secret("s", headers={"Cache-Control": "no-cache"})
    assert newest.value == "two"
    assert reader.get() == "two"
    assert reader.vault.reads == 2
