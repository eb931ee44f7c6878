"""The pytest fixtures, as a user's tests see them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import ClientAuthenticationError, ResourceNotFoundError
from azure.identity import CertificateCredential, DefaultAzureCredential
from azure.identity.aio import DefaultAzureCredential as AsyncDefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

if TYPE_CHECKING:
    from azcert.emulator.fixture import AzcertEmulator


def client(emulator: AzcertEmulator) -> SecretClient:
    return SecretClient(emulator.vault_url, DefaultAzureCredential())


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_finds_the_emulator_fresh(azcert_environment: AzcertEmulator, turn: int) -> None:
    with client(azcert_environment) as secrets:
        with pytest.raises(ResourceNotFoundError):
            secrets.get_secret("made-by-a-test")
        secrets.set_secret("made-by-a-test", str(turn))
        assert secrets.get_secret("made-by-a-test").value == str(turn)
    azcert_environment.clock.advance(1000)
    azcert_environment.delays.latency = 0.001
    azcert_environment.faults.add("reset", times=None)


def test_clocks_delays_and_faults_of_earlier_tests_are_gone(azcert_emulator: AzcertEmulator) -> None:
    assert azcert_emulator.clock.offset == 0
    assert azcert_emulator.delays.latency == 0
    assert azcert_emulator.faults.waiting() == []
    assert not azcert_emulator.requests


async def test_asyncio_clients_need_no_change_either(azcert_environment: AzcertEmulator) -> None:
    async with (
        AsyncDefaultAzureCredential() as credential,
        AsyncSecretClient(azcert_environment.vault_url, credential) as secrets,
    ):
        assert (await secrets.get_secret("myTestSecret1")).name == "myTestSecret1"


def test_without_the_environment_options_lead_a_client_there(azcert_emulator: AzcertEmulator) -> None:
    options = {
        "proxies": {"https": azcert_emulator.proxy_url},
        "connection_verify": str(azcert_emulator.ca_path),
    }
    credential = CertificateCredential(
        azcert_emulator.tenant_id,
        azcert_emulator.client_id,
        str(azcert_emulator.certificate_path),
        **options,
    )
    with credential, SecretClient(azcert_emulator.vault_url, credential, **options) as secrets:
        assert secrets.get_secret("myTestSecret1").value
    assert [sent["aadsts"] for sent in azcert_emulator.record] == [None]


def test_the_clock_makes_a_certificate_expire(azcert_environment: AzcertEmulator) -> None:
    azcert_environment.clock.advance(366 * 86400)
    with client(azcert_environment) as secrets, pytest.raises(ClientAuthenticationError, match="AADSTS"):
        secrets.get_secret("myTestSecret1")


def test_the_plugin_imports_nothing_of_azcert_until_it_is_used() -> None:
    program = (
        "import sys, pytest, azcert.emulator.pytest_plugin\n"
        "print([name for name in sys.modules if name.split('.')[0] in {'cryptography', 'uvicorn', 'azure'}])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
