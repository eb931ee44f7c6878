"""The cache in Microsoft's clients while Key Vault or Entra ID, both emulated, throttle, fail or are gone."""

from __future__ import annotations

import asyncio
import base64
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

import azcert
import azcert.aio
from azcert.emulator.ready_made import SECRET_VALUE
from support.cached import Clock, settled

if TYPE_CHECKING:
    from azcert.emulator.fixture import AzcertEmulator

NAME = "myTestSecret1"
READERS = 30
RULES = azcert.CacheRules(ttl=100, refresh_ahead=0, stale=1000, patience=0.2)
FAULTS: dict[str, dict[str, Any]] = {
    "throttled": {"action": "answer", "status": 429, "headers": {"Retry-After": "0"}},
    "failing": {"action": "answer", "status": 503},
    "slow": {"action": "delay", "seconds": 3},
    "gone": {"action": "reset"},
}


def reads(emulator: AzcertEmulator) -> int:
    """How many requests for the secret reached Key Vault."""
    return sum(request["path"].startswith(f"/secrets/{NAME}") for request in list(emulator.requests))


@pytest.mark.parametrize("fault", FAULTS)
def test_no_reader_fails_while_key_vault_is_in_trouble(
    azcert_environment: AzcertEmulator, fault: str
) -> None:
    clock = Clock()
    cache = azcert.SecretCachePolicy(RULES, clock=clock)
    with (
        azcert.DefaultCredential() as credential,
        SecretClient(azcert_environment.vault_url, credential, per_call_policies=[cache]) as client,
        ThreadPoolExecutor(READERS) as pool,
    ):
        assert client.get_secret(NAME).value == SECRET_VALUE
        before = reads(azcert_environment)
        azcert_environment.faults.add(path="/secrets/*", times=None, **FAULTS[fault])
        clock.now += 150
        for _ in range(3):
            found = pool.map(lambda _: client.get_secret(NAME).value, range(READERS))
            assert set(found) == {SECRET_VALUE}
        asked = reads(azcert_environment) - before
        assert cache.statistics.stale == 3 * READERS
        assert asked == 1, "90 readers, one question; then a pause"


@pytest.mark.parametrize("fault", FAULTS)
async def test_awaited_no_reader_fails_while_key_vault_is_in_trouble(
    azcert_environment: AzcertEmulator, fault: str
) -> None:
    clock = Clock()
    cache = azcert.aio.SecretCachePolicy(RULES, clock=clock)
    async with (
        azcert.aio.DefaultCredential() as credential,
        AsyncSecretClient(azcert_environment.vault_url, credential, per_call_policies=[cache]) as client,
    ):
        await client.get_secret(NAME)
        before = reads(azcert_environment)
        azcert_environment.faults.add(path="/secrets/*", times=None, **FAULTS[fault])
        clock.now += 150
        for _ in range(3):
            found = await asyncio.gather(*(client.get_secret(NAME) for _ in range(READERS)))
            assert {each.value for each in found} == {SECRET_VALUE}
        assert cache.statistics.stale == 3 * READERS
        # aiohttp itself repeats a request whose kept connection turned out to be cut.
        asked = reads(azcert_environment) - before
        assert asked <= (2 if fault == "gone" else 1), "90 readers, one question; then a pause"


@pytest.mark.parametrize("status", [429, 503])
def test_an_outage_of_entra_leaves_what_is_kept_readable(
    azcert_environment: AzcertEmulator, status: int
) -> None:
    clock = Clock()
    cache = azcert.SecretCachePolicy(RULES, clock=clock)
    # Key Vault wants another token (continuous access evaluation), and Entra ID cannot give one.
    claims = base64.b64encode(b'{"access_token":{"nbf":{"essential":true,"value":"1"}}}').decode()
    authority = f"https://login.microsoftonline.com/{azcert_environment.tenant_id}"
    challenge = (
        f'Bearer authorization="{authority}", resource="https://vault.azure.net", '
        f'error="insufficient_claims", claims="{claims}"'
    )
    with (
        azcert.CertificateCredential(
            azcert_environment.tenant_id,
            azcert_environment.client_id,
            certificate=azcert_environment.certificate_path,
            retry_total=0,
        ) as credential,
        SecretClient(
            azcert_environment.vault_url, credential, per_call_policies=[cache], retry_total=0
        ) as client,
    ):
        client.get_secret(NAME)
        azcert_environment.faults.add(
            "answer", path="/secrets/*", times=None, status=401, headers={"WWW-Authenticate": challenge}
        )
        azcert_environment.faults.add("answer", path="*/token", times=None, status=status)
        clock.now += 150
        for _ in range(3):
            assert client.get_secret(NAME).value == SECRET_VALUE
            settled(cache)
        asked = [each for each in azcert_environment.requests if each["path"].endswith("/token")]
        assert asked[-1]["status"] == status, "Entra ID was asked again"
