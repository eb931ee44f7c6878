"""The default chain: any source in the environment, azure-identity's chain, an error that explains."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import DefaultAzureCredential

import azcert
import azcert.aio
from azcert._redact import Secret
from azcert.credential.chain.environment import certificate_from, plan_default
from azcert.errors import AuthenticationError, ConfigurationError, SelectionError
from azcert.vault.outcome import Outcome, judge_error

if TYPE_CHECKING:
    from azcert.emulator.fixture import AzcertEmulator

IDS = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}
CERTIFICATE = {**IDS, "AZURE_CLIENT_CERTIFICATE_PATH": "store:CurrentUser/My?thumbprint=" + "A" * 40}
NO_IMDS = {"exclude_managed_identity_credential": True}
SCOPE = "https://vault.azure.net/.default"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith(("AZURE_", "MSI_", "IDENTITY_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", "/nonexistent")


@pytest.mark.parametrize(
    ("text", "expected"), [("", False), ("false", False), ("0", False), ("true", True), ("1", True)]
)
def test_the_chain_switch_is_a_boolean(text: str, expected: bool) -> None:
    found = certificate_from({**CERTIFICATE, "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN": text})
    assert found is not None
    assert found.send_certificate_chain is expected


def test_a_chain_switch_that_is_no_boolean_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="neither true nor false"):
        certificate_from({**CERTIFICATE, "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN": "maybe"})


def test_a_secret_beside_the_certificate_wins_and_an_empty_one_does_not() -> None:
    assert certificate_from({**CERTIFICATE, "AZURE_CLIENT_SECRET": "s"}) is None
    assert certificate_from({**CERTIFICATE, "AZURE_CLIENT_SECRET": ""}) is not None


@pytest.mark.parametrize("missing", sorted(CERTIFICATE))
def test_all_three_variables_are_needed(missing: str) -> None:
    assert certificate_from({**CERTIFICATE, missing: ""}) is None


def test_the_password_is_a_secret() -> None:
    found = certificate_from({**CERTIFICATE, "AZURE_CLIENT_CERTIFICATE_PASSWORD": "hunter2"})
    assert found is not None
    assert isinstance(found.password, Secret)
    assert "hunter2" not in repr(found)


@pytest.mark.parametrize(
    ("selection", "options", "ours", "theirs"),
    [
        ("", {}, True, True),
        ("prod", {}, True, True),
        ("dev", {}, False, True),
        ("EnvironmentCredential", {}, True, False),
        ("azureclicredential", {}, False, True),
        ("", {"exclude_environment_credential": True}, False, True),
        ("dev", {"exclude_environment_credential": False}, True, True),
        ("environmentcredential", {"exclude_cli_credential": False}, True, True),
    ],
)
def test_selection_and_exclusions_are_respected(
    selection: str, options: dict[str, Any], ours: bool, theirs: bool
) -> None:
    plan = plan_default(options, {**CERTIFICATE, "AZURE_TOKEN_CREDENTIALS": selection})
    assert (plan.certificate is not None, plan.chain_options is not None) == (ours, theirs)


def test_a_misspelt_keyword_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match="exclude_cli_credential"):
        azcert.DefaultCredential(exclude_cli_credentials=True)


@pytest.mark.parametrize(
    ("selection", "options", "message"),
    [
        ("azureclii", {}, "azureclicredential"),
        ("", {"require_envvar": True}, "AZURE_TOKEN_CREDENTIALS"),
        ("azureclicredential", {"exclude_cli_credential": True}, "Every credential"),
    ],
)
def test_a_selection_that_selects_nothing_is_a_message(
    monkeypatch: pytest.MonkeyPatch, selection: str, options: dict[str, Any], message: str
) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", selection)
    for cls in (azcert.DefaultCredential, azcert.aio.DefaultCredential):
        with pytest.raises(ConfigurationError, match=message) as caught:
            cls(**options)
        assert caught.value.code == "wrong-selection"


def test_a_certificate_that_is_not_there_stops_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**IDS, "AZURE_CLIENT_CERTIFICATE_PATH": "env:NO_SUCH_CERTIFICATE"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SelectionError, match="NO_SUCH_CERTIFICATE"):
        azcert.DefaultCredential()


def assert_explains(error: AuthenticationError) -> None:
    assert isinstance(error, ClientAuthenticationError)
    tried = [each["credential"] for each in error.details["attempts"]]
    assert tried[0] == "EnvironmentCredential"
    assert "AzureCliCredential" in tried
    text = str(error)
    assert "not set: AZURE_TENANT_ID, AZURE_CLIENT_ID" in text
    assert "az login" in text
    assert SCOPE in text
    for each in error.details["attempts"]:
        assert each["reason"]
        assert each["remedy"]
        assert each["milliseconds"] >= 0


def test_the_error_lists_each_attempt_why_and_what_would_help() -> None:
    with azcert.DefaultCredential(**NO_IMDS) as credential:
        with pytest.raises(AuthenticationError) as caught:
            credential.get_token(SCOPE)
        assert_explains(caught.value)
        with pytest.raises(AuthenticationError):
            credential.get_token_info(SCOPE)
        assert len(credential.attempts) == len(caught.value.details["attempts"])


async def test_awaited_the_error_lists_the_same() -> None:
    async with azcert.aio.DefaultCredential(**NO_IMDS) as credential:
        with pytest.raises(AuthenticationError) as caught:
            await credential.get_token(SCOPE)
    assert_explains(caught.value)


def test_the_links_are_azure_identitys_own_in_its_order() -> None:
    theirs = [
        getattr(each, "_credential_name", type(each).__name__)
        for each in DefaultAzureCredential(**NO_IMDS).credentials
    ]
    with azcert.DefaultCredential(**NO_IMDS) as credential, pytest.raises(AuthenticationError) as caught:
        credential.get_token(SCOPE)
    assert [each["credential"] for each in caught.value.details["attempts"]] == theirs


def test_variables_narrow_the_chain_and_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "azureclicredential")
    with azcert.DefaultCredential() as credential, pytest.raises(AuthenticationError) as caught:
        credential.get_token(SCOPE)
    assert [each["credential"] for each in caught.value.details["attempts"]] == ["AzureCliCredential"]
    assert "AZURE_TOKEN_CREDENTIALS=azureclicredential" in str(caught.value)


OUTAGES: dict[str, tuple[str, dict[str, Any]]] = {
    "failing": ("answer", {"path": "*/token", "status": 503}),
    "failing with words": (
        "answer",
        {"path": "*/token", "status": 503, "body": {"error": "temporarily_unavailable"}},
    ),
    "throttled": ("answer", {"path": "*/token", "status": 429, "headers": {"Retry-After": "7200"}}),
    "reset": ("reset", {"path": "*/token"}),
    "unreachable": ("unreachable", {"host": "login.microsoftonline.com"}),
}


def in_trouble(monkeypatch: pytest.MonkeyPatch, emulator: AzcertEmulator, outage: str, link: str) -> float:
    """Let Entra ID not answer the environment's certificate or secret; return when it can be asked again."""
    if link == "secret":
        monkeypatch.setenv("AZURE_CLIENT_SECRET", "hunter2")
    action, options = OUTAGES[outage]
    emulator.faults.add(action, times=None, **options)
    return time.time()


def assert_tells_the_outage(error: AuthenticationError, outage: str, link: str, since: float) -> None:
    # azure-identity's synchronous secret hides the answer, and its Retry-After, behind MSAL's error.
    kept = "throttled" in outage and (link != "secret of the synchronous chain")
    assert error.details["retry_at"] >= since + (7200 if kept else 0) - 1
    assert error.details["retry_at"] <= time.time() + 7200
    if link != "certificate":
        assert [each["credential"] for each in error.details["attempts"]] == ["EnvironmentCredential"]
        assert "nobody decided on it: try again" in str(error)
    assert judge_error(error) is Outcome.TROUBLE
    assert "hunter2" not in str(error)


@pytest.mark.parametrize("link", ["certificate", "secret"])
@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_is_told_with_the_time_to_ask_again(
    monkeypatch: pytest.MonkeyPatch, azcert_environment: AzcertEmulator, outage: str, link: str
) -> None:
    since = in_trouble(monkeypatch, azcert_environment, outage, link)
    with azcert.DefaultCredential(retry_total=0) as credential, pytest.raises(AuthenticationError) as caught:
        credential.get_token(SCOPE)
    told = "secret of the synchronous chain" if link == "secret" else link
    assert_tells_the_outage(caught.value, outage, told, since)


@pytest.mark.parametrize("link", ["certificate", "secret"])
@pytest.mark.parametrize("outage", OUTAGES)
async def test_awaited_an_outage_is_told_the_same(
    monkeypatch: pytest.MonkeyPatch, azcert_environment: AzcertEmulator, outage: str, link: str
) -> None:
    since = in_trouble(monkeypatch, azcert_environment, outage, link)
    async with azcert.aio.DefaultCredential(retry_total=0) as credential:
        with pytest.raises(AuthenticationError) as caught:
            await credential.get_token(SCOPE)
    assert_tells_the_outage(caught.value, outage, link, since)


async def test_a_refusal_is_no_outage(
    monkeypatch: pytest.MonkeyPatch, azcert_environment: AzcertEmulator
) -> None:
    in_trouble(monkeypatch, azcert_environment, "reset", "secret")
    azcert_environment.faults.clear()
    with azcert.DefaultCredential() as credential, pytest.raises(AuthenticationError) as caught:
        credential.get_token(SCOPE)
    assert "AADSTS7000215" in str(caught.value)
    assert "retry_at" not in caught.value.details
    async with azcert.aio.DefaultCredential() as awaited:
        with pytest.raises(AuthenticationError) as caught:
            await awaited.get_token(SCOPE)
    assert "retry_at" not in caught.value.details
