"""The credential against a service that verifies what it gets, with whatever can go wrong on the way."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from typing import TYPE_CHECKING, Any

import pytest
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azcert import CertificateCredential
from azcert.aio import CertificateCredential as AsyncCredential
from azcert.credential.freshness import Freshness
from azcert.emulator.seed import register
from azcert.errors import AuthenticationError
from support.command import azcert
from support.token_endpoint import make_certificate

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

SCOPE = "https://vault.azure.net/.default"
TOKEN_PATH = "*/oauth2/v2.0/token"


def sync(emulator: AzcertEmulator, **arguments: Any) -> CertificateCredential:
    arguments.setdefault("certificate_path", emulator.certificate_path)
    return CertificateCredential(emulator.tenant_id, emulator.client_id, **arguments)


def aio(emulator: AzcertEmulator, **arguments: Any) -> AsyncCredential:
    arguments.setdefault("certificate_path", emulator.certificate_path)
    return AsyncCredential(emulator.tenant_id, emulator.client_id, **arguments)


def ask(emulator: AzcertEmulator, kind: str, **arguments: Any) -> str:
    """Get one token with a new credential of that kind."""
    if kind == "sync":
        with sync(emulator, **arguments) as credential:
            return credential.get_token(SCOPE).token

    async def main() -> str:
        async with aio(emulator, **arguments) as one:
            try:
                return (await one.get_token(SCOPE)).token
            finally:
                # asyncio lets go of a broken TLS connection in the next rounds of its loop.
                await asyncio.sleep(0.05)

    return asyncio.run(main())


KINDS = ["sync", "aio"]


@pytest.mark.parametrize("chain", [False, True])
def test_the_official_client_reads_a_secret_with_it(azcert_environment: AzcertEmulator, chain: bool) -> None:
    with (
        sync(azcert_environment, send_certificate_chain=chain) as credential,
        SecretClient(azcert_environment.vault_url, credential) as client,
    ):
        client.set_secret("colour", "blue")
        assert client.get_secret("colour").value == "blue"
    (token_request,) = azcert_environment.record
    header = token_request["assertion"]["header"]
    assert header["alg"] == "PS256"
    assert ("x5c" in header) is chain


@pytest.mark.parametrize("chain", [False, True])
async def test_the_official_async_client_reads_a_secret_with_it(
    azcert_environment: AzcertEmulator, chain: bool
) -> None:
    async with (
        aio(azcert_environment, send_certificate_chain=chain) as credential,
        AsyncSecretClient(azcert_environment.vault_url, credential) as client,
    ):
        await client.set_secret("colour", "blue")
        assert (await client.get_secret("colour")).value == "blue"
    (token_request,) = azcert_environment.record
    assert ("x5c" in token_request["assertion"]["header"]) is chain


@pytest.mark.parametrize("kind", KINDS)
def test_a_certificate_of_somebody_else_is_refused_with_what_to_do(
    azcert_environment: AzcertEmulator, kind: str, tmp_path: Path
) -> None:
    make_certificate(tmp_path / "other.pem")
    with pytest.raises(AuthenticationError, match="compare the thumbprint") as caught:
        ask(azcert_environment, kind, certificate_path=tmp_path / "other.pem")
    assert caught.value.aadsts == 700027
    assert caught.value.trace_id
    assert caught.value.correlation_id


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("hours", [-5, 30])
def test_a_clock_that_is_hours_wrong_does_not_stop_it(
    azcert_environment: AzcertEmulator,
    kind: str,
    hours: int,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    make_certificate(tmp_path / "app.pem")
    register(azcert_environment.world, azcert_environment.client_id, tmp_path / "app.pem")
    azcert_environment.clock.advance(3600 * hours)
    with caplog.at_level(logging.WARNING, "azcert"):
        assert ask(azcert_environment, kind, certificate_path=tmp_path / "app.pem")
    assert len([one for one in caplog.records if "clock" in one.getMessage()]) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_renewal_that_is_registered_late_fails_no_call(
    azcert_environment: AzcertEmulator, kind: str, tmp_path: Path
) -> None:
    path = tmp_path / "app.pem"
    shutil.copy(azcert_environment.certificate_path, path)
    make_certificate(tmp_path / "next.pem", name="next")

    async def main() -> list[str]:
        async with aio(azcert_environment, certificate_path=path) as one:
            return [await renew(await step) for step in map(one.get_token, scopes)]

    scopes = [SCOPE, "https://graph.microsoft.com/.default", "https://management.azure.com/.default"]
    calls = 0

    async def renew(token: Any) -> str:
        nonlocal calls
        calls += 1
        if calls == 1:
            (tmp_path / "next.pem").replace(path)
        if calls == 2:
            register(azcert_environment.world, azcert_environment.client_id, path)
        return str(token.token)

    if kind == "aio":
        tokens = asyncio.run(main())
    else:
        with sync(azcert_environment, certificate_path=path) as credential:
            tokens = [asyncio.run(renew(credential.get_token(scope))) for scope in scopes]
    assert len(set(tokens)) == 3


FAULTS = st.sampled_from(
    [
        {"action": "answer", "status": 429},
        {"action": "answer", "status": 429, "headers": {"Retry-After": "0"}},
        {"action": "answer", "status": 500, "body": "oops"},
        {"action": "answer", "status": 503},
        {"action": "truncate"},
        {"action": "close"},
        {"action": "reset"},
    ]
)


@pytest.mark.parametrize("kind", KINDS)
@settings(
    max_examples=6,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(faults=st.lists(FAULTS, max_size=3))
def test_three_faults_in_any_order_are_survived(
    azcert_environment: AzcertEmulator, kind: str, faults: list[dict[str, Any]]
) -> None:
    azcert_environment.renew()
    for fault in faults:
        azcert_environment.faults.add(**{"path": TOKEN_PATH, **fault})
    assert ask(azcert_environment, kind, retry_backoff_factor=0.01)
    assert not azcert_environment.faults.waiting()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", ["unreachable", "untrusted"])
def test_a_proxy_that_cannot_reach_entra_is_told_as_an_authentication_error(
    azcert_environment: AzcertEmulator, kind: str, action: str
) -> None:
    azcert_environment.faults.add(action, times=None)
    with pytest.raises(AuthenticationError, match=r"login\.microsoftonline\.com"):
        ask(azcert_environment, kind, retry_backoff_factor=0.01)
    azcert_environment.faults.clear()


def test_a_valid_token_outlives_an_outage(azcert_environment: AzcertEmulator) -> None:
    with sync(azcert_environment, retry_backoff_factor=0.01) as credential:
        token = credential.get_token(SCOPE)
        slot = credential._engine.table.find(((SCOPE,), azcert_environment.tenant_id, False))
        assert slot is not None
        azcert_environment.faults.add("answer", path=TOKEN_PATH, times=None, status=503)
        slot.fresh_until = 0.0
        for _ in range(200):
            assert credential.get_token(SCOPE) == token
        while not slot.failures:
            time.sleep(0.001)
        assert credential.get_token(SCOPE) == token
        wanted = credential._engine.wanted((SCOPE,), None, None, False, "get_token")
        assert credential._engine.in_memory(wanted, None)[1] is Freshness.USE, "it pauses"
    assert len([one for one in azcert_environment.requests if one["path"].endswith("/token")]) == 2


def test_the_command_prints_the_token_alone(azcert_environment: AzcertEmulator) -> None:
    done = azcert("token", "--scope", SCOPE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(".") == 2
    assert done.stdout.count("\n") == 1


def test_the_command_fails_with_the_explanation_and_no_secret(
    azcert_environment: AzcertEmulator, tmp_path: Path
) -> None:
    make_certificate(tmp_path / "other.pem")
    done = azcert("token", "--scope", SCOPE, "--certificate", tmp_path / "other.pem", "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "AADSTS700027" in done.stderr
    assert "azcert show" in done.stderr
    assert "Traceback" not in done.stderr
    assert "eyJ" not in done.stderr, "no assertion"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--scope"),
        (["--scope", SCOPE, "--send-chain", "maybe"], "neither true nor false"),
        (["--scope", SCOPE, "--certificate", ""], "--certificate (or AZURE_CLIENT_CERTIFICATE_PATH)"),
    ],
)
def test_wrong_usage_of_the_command_exits_2(
    azcert_environment: AzcertEmulator, arguments: list[str], said: str
) -> None:
    done = azcert("token", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
