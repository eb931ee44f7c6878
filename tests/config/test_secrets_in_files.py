"""Secrets in settings files: they work, are warned of once, and are never shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobServiceClient

import azcert
import azcert.aio
from azcert.config.reading.load import load_settings
from azcert.config.sections import Sections
from support.clients import VAULT

if TYPE_CHECKING:
    from pathlib import Path


SHARED_KEY = {"accountName": "c", "accountKey": "aHVudGVy"}


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
