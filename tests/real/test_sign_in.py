"""A key that never leaves its device signs in to Entra ID and reads a secret of Key Vault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from azure.core.exceptions import ClientAuthenticationError
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

from azcert import CertificateCredential
from azcert.aio import CertificateCredential as AsyncCertificateCredential
from azcert.emulator.ready_made import SECRET, SECRET_VALUE
from azcert.emulator.seed import register
from azcert.sources.open import open_source
from support.command import azcert
from support.softhsm import PIN
from support.watched import WatchedSource

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator
    from support.softhsm import SoftHsm
    from support.swtpm import Swtpm

PLACES = ["pkcs11", "tpm", "keyvault"]


@pytest.fixture(params=PLACES)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A source whose key was made in its place by ``azcert new``; its public certificate is in app.cer."""
    name = tmp_path.name
    if request.param == "pkcs11":
        token: SoftHsm = request.getfixturevalue("softhsm")
        uri = token.uri("prod", name, pin_file=request.getfixturevalue("pin_file"))
    elif request.param == "keyvault":
        # The vault is opened by the environment's identity, and makes keys for the one that signs in.
        emulator: AzcertEmulator = request.getfixturevalue("azcert_environment")
        for key, _ in emulator.world.documents.items("role"):
            emulator.world.documents.put("role", key, ["Key Vault Administrator"])
        uri = f"keyvault:{emulator.vault_name}/app"
    else:
        device: Swtpm = request.getfixturevalue("swtpm")
        uri = f"tpm:{tmp_path}/app.tss?tcti={device.tcti}"
    made = azcert("new", "app", "--key", uri, "--json", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    return str(json.loads(made.stdout)["source"])


def registered(emulator: AzcertEmulator, folder: Path) -> None:
    register(emulator.world, emulator.client_id, folder / "app.cer")


def test_it_reads_a_secret(azcert_environment: AzcertEmulator, source: str, tmp_path: Path) -> None:
    registered(azcert_environment, tmp_path)
    with (
        CertificateCredential(
            azcert_environment.tenant_id, azcert_environment.client_id, certificate=source
        ) as credential,
        SecretClient(azcert_environment.vault_url, credential) as client,
    ):
        assert client.get_secret(SECRET).value == SECRET_VALUE


async def test_it_reads_a_secret_and_the_event_loop_never_waits_for_the_device(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    registered(azcert_environment, tmp_path)
    watched = WatchedSource(open_source(source))
    async with (
        AsyncCertificateCredential(
            azcert_environment.tenant_id, azcert_environment.client_id, certificate=watched
        ) as credential,
        AsyncSecretClient(azcert_environment.vault_url, credential) as client,
    ):
        assert (await client.get_secret(SECRET)).value == SECRET_VALUE
    assert set(watched.threads) == {"revision", "load", "algorithms", "sign"}
    assert threading.get_ident() not in set().union(*watched.threads.values())


def test_a_key_that_is_not_registered_is_refused(azcert_environment: AzcertEmulator, source: str) -> None:
    with (
        CertificateCredential(
            azcert_environment.tenant_id, azcert_environment.client_id, certificate=source
        ) as credential,
        pytest.raises(ClientAuthenticationError, match="700027"),
    ):
        credential.get_token("https://vault.azure.net/.default")


SIGN_IN = """
import sys, threading
from azcert import CertificateCredential
failures = []
def sign_in():
    try:
        for _ in range(3):
            with CertificateCredential(sys.argv[1], sys.argv[2], certificate=sys.argv[3]) as credential:
                assert credential.get_token("https://vault.azure.net/.default").token
    except BaseException as error:
        failures.append(error)
threads = [threading.Thread(target=sign_in) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failures, failures
"""


def test_threads_in_processes_sign_in_with_one_device(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    registered(azcert_environment, tmp_path)
    who = [azcert_environment.tenant_id, azcert_environment.client_id, source]
    processes = [subprocess.Popen([sys.executable, "-c", SIGN_IN, *who]) for _ in range(3)]
    assert [process.wait(120) for process in processes] == [0] * 3


def test_sign_test_proves_the_key(source: str) -> None:
    done = azcert("sign-test", source, "-n", "3", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [each["algorithm"] for each in told["algorithms"]] == ["PS256", "RS256"]
    assert all(each["signatures"] == 3 and each["median_seconds"] > 0 for each in told["algorithms"])
    assert told["protection"] in PLACES
    assert told["source"] == source
    assert PIN not in done.stdout + done.stderr


def test_sign_test_for_people(source: str) -> None:
    done = azcert("sign-test", source, "-n", "1")
    assert done.returncode == 0, done.stderr
    assert "PS256" in done.stdout
    assert "all verified" in done.stdout
    assert done.stderr == "The key signs and belongs to its certificate.\n"


def test_sign_test_says_what_is_wrong(tmp_path: Path, softhsm: SoftHsm) -> None:
    done = azcert("sign-test", softhsm.uri("prod", "nobody"), environment={"AZCERT_PKCS11_PIN": PIN})
    assert done.returncode == 1
    assert "nobody" in done.stderr
    assert "Traceback" not in done.stderr
    without = {name: value for name, value in os.environ.items() if name != "AZCERT_PKCS11_PIN"}
    asked = subprocess.run(
        [sys.executable, "-m", "azcert", "sign-test", softhsm.uri("prod", "nobody")],
        env=without,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode == 1
    assert "wants a PIN" in asked.stderr
