"""What Key Vault's refusals are explained as; the texts are those of its documentation and recordings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from azure.core.exceptions import AzureError, ClientAuthenticationError, ServiceRequestError
from azure.keyvault.secrets import SecretClient

from azcert.errors import AccessError, AuthenticationError, AzcertError, SelectionError, TransportError
from azcert.vault.address import read_vault
from azcert.vault.refusal import explain
from azcert.vault.table import Answer
from support.cached import VAULT
from support.scripted import Scripted, Token


def answer(status: int, code: str, inner: str | None = None) -> Answer:
    error: dict[str, Any] = {"code": code, "message": f"{code}: words.\r\nMore words."}
    if inner:
        error["innererror"] = {"code": inner}
    headers = {"content-type": "application/json"}
    return Answer(status, "refused", headers, json.dumps({"error": error}).encode())


def refused(answered: Answer | Exception) -> AzureError:
    def script(_: Any) -> Answer:
        if isinstance(answered, Exception):
            raise answered
        return answered

    client = SecretClient(VAULT, Token(), transport=Scripted(script), retry_total=0)
    with pytest.raises(AzureError) as caught:
        client.set_secret("pin", "hunter2")
    return caught.value


@pytest.mark.parametrize(
    ("answered", "kind", "code", "said"),
    [
        (answer(404, "SecretNotFound"), SelectionError, "not-found", "azcert secret list --vault contoso"),
        (answer(403, "Forbidden", "SecretDisabled"), AccessError, "secret-disabled", "--name pin --enabled"),
        (answer(403, "Forbidden", "ForbiddenByFirewall"), AccessError, "vault-firewall", "firewall"),
        (answer(403, "Forbidden", "ForbiddenByRbac"), AccessError, "vault-forbidden", "secrets-officer"),
        (answer(403, "Forbidden", "AccessDenied"), AccessError, "vault-forbidden", "permission set"),
        (answer(401, "Unauthorized"), AccessError, "vault-unauthorized", "tenant"),
        (ClientAuthenticationError("AADSTS7000222"), AccessError, "vault-unauthorized", "AADSTS7000222"),
        (
            answer(409, "Conflict", "ObjectIsDeletedButRecoverable"),
            AzcertError,
            "secret-deleted",
            "az keyvault secret recover --vault-name contoso --name pin",
        ),
        (answer(400, "BadParameter"), AzcertError, "vault-refused", "BadParameter: words"),
        (answer(429, "Throttled"), TransportError, "vault-unavailable", "Try again later."),
        (ServiceRequestError("no route"), TransportError, "vault-unavailable", "HTTPS_PROXY"),
    ],
)
def test_a_refusal_says_what_it_means_and_what_to_do(
    answered: Answer | Exception, kind: type[AzcertError], code: str, said: str
) -> None:
    error = explain(refused(answered), "store", VAULT, "pin")
    assert type(error) is kind
    assert error.code == code
    assert said in str(error)
    assert "contoso" in str(error)
    assert "hunter2" not in str(error)
    assert "\r" not in str(error)


def test_azcerts_own_errors_stay_as_they_are() -> None:
    error = AuthenticationError("AADSTS700027")
    assert explain(error, "read", VAULT, "pin") is error


@pytest.mark.parametrize(
    ("text", "authority", "url"),
    [
        ("kv-demo", None, "https://kv-demo.vault.azure.net"),
        ("KV-Demo", None, "https://kv-demo.vault.azure.net"),
        ("kv-demo", "login.microsoftonline.us", "https://kv-demo.vault.usgovcloudapi.net"),
        ("kv-demo", "https://login.chinacloudapi.cn/", "https://kv-demo.vault.azure.cn"),
        ("https://kv.example.org:8443/", None, "https://kv.example.org:8443"),
    ],
)
def test_a_vault_by_name_or_address(text: str, authority: str | None, url: str) -> None:
    assert read_vault(text, authority) == url


@pytest.mark.parametrize(
    "text", ["", "ab", "1kv", "a--b", "kv-", "kv_demo", "kv.demo", "https://", "https://u@kv/"]
)
def test_what_is_no_vault(text: str) -> None:
    with pytest.raises(ValueError):
        read_vault(text)
