"""The page of settings is what the code says, and every variable that is read is on it."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest
from azure.keyvault.secrets import SecretClient

from azcert.config.credentials.kinds import SOURCE_NAMES
from azcert.config.environment import VARIABLES
from azcert.config.reading.load import load_settings
from azcert.config.schema import settings_schema
from azcert.config.sections import Sections
from azcert.config.settings_page import reference_page
from azcert.errors import ConfigurationError
from support.console import ROOT


def test_the_page_is_generated_from_the_code() -> None:
    page = (ROOT / "docs" / "settings-reference.md").read_text(encoding="utf-8")
    assert page == reference_page()


def test_every_variable_of_azcert_is_described() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    found = set(re.findall(r"\bAZCERT_[A-Z0-9_]+\b", source))
    assert found <= set(VARIABLES)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(settings_schema())


@pytest.mark.parametrize("name", ["appsettings", "certificate-file", "environment", "managed-identity"])
def test_the_examples_fit_the_schema(name: str) -> None:
    settings = load_settings(ROOT / "examples" / "appsettings" / f"{name}.json", environ={})
    jsonschema.Draft202012Validator(settings_schema()).validate(
        {name: settings.native(name) for name in settings.names()}
    )


WRONG = [
    {"Retry": {"Delay": "5"}},
    {"Options": {"Retry": {"MaxRetrys": 5}}},
    {"Diagnostics": {"ApplicationId": "x" * 25}},
    {"Cache": {"Ttl": 600}},
    {"RetryOptions": {"Mode": "Linear"}},
    {"ClientCredentials": [{"SourceType": "Path", "CertificatePath": "a.pem"}]},
    {"Credential": {"CredentialSource": "Chained", "Sources": []}},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_the_schema_refuses_what_azcert_refuses(wrong: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(settings_schema())
    section = {"vaultUri": "https://v.vault.azure.net"}
    validator.validate({"KeyVault": section})
    for document in (
        {"KeyVault": {**section, **wrong}},
        {"Default": wrong},
        {"AzureClients": {"KeyVault": {**section, **wrong}}},
    ):
        assert not validator.is_valid(document), document
    settings = load_settings({"KeyVault": {**section, **wrong}}, environ={})
    with pytest.raises(ConfigurationError):
        Sections(settings).plan(SecretClient, "KeyVault")


def test_the_schema_leaves_the_sections_of_others_alone() -> None:
    document = {
        "$schema": "appsettings.schema.json",
        "Logging": {"LogLevel": {"Default": "Debug"}},
        "AllowedHosts": "*",
        "MyApi": {"Retry": {"Times": 5}, "Cache": 600},
    }
    jsonschema.Draft202012Validator(settings_schema()).validate(document)


def test_editors_strike_out_secrets_and_offer_every_credential() -> None:
    schema = settings_schema()["$defs"]
    for name in ("clientSecret", "clientCertificatePassword"):
        assert schema["section"]["properties"][name]["deprecated"]
    for name in ("ClientSecret", "Key", "AccountKey", "SystemAccessToken"):
        assert schema["credential"]["properties"][name]["deprecated"]
    offered = schema["credential"]["properties"]["CredentialSource"]["examples"]
    assert set(offered) == set(SOURCE_NAMES.values())
