"""Sections that do not fit their client: what is said, whatever stands where it does not belong."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

import azcert
import azcert.aio
from azcert.config.check import check_settings
from azcert.config.reading.load import load_settings
from azcert.config.sections import Sections
from azcert.errors import ConfigurationError
from support.clients import BUS, VAULT, plan


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
        "Default": {"Language": "en", "Domain": "contoso.com"},
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
