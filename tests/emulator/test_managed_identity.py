"""The endpoints of managed identities, through Microsoft's credentials and by hand."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests

from azcert.emulator.ready_made import CLIENT_ID, SECRET_VALUE, SERVICE_PRINCIPAL_ID
from azcert.emulator.session import Options, Session, session

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SYNC = """
import os
from azure.identity import DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
vault = f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net"
for credential in (MAKE):
    print(SecretClient(vault, credential).get_secret("myTestSecret1").value)
"""
ASYNC = """
import asyncio, os
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential
from azure.keyvault.secrets.aio import SecretClient
vault = f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net"
async def main():
    for credential in (MAKE):
        async with credential, SecretClient(vault, credential) as client:
            print((await client.get_secret("myTestSecret1")).value)
asyncio.run(main())
"""
MAKE = f"""(
    ManagedIdentityCredential(), DefaultAzureCredential(), ManagedIdentityCredential(client_id="{CLIENT_ID}"),
    ManagedIdentityCredential(identity_config={{"object_id": "{SERVICE_PRINCIPAL_ID}"}}),
)"""
RUN = [sys.executable, "-m", "azcert", "emulator", "run"]
QUERY = {"api-version": "2018-02-01", "resource": "https://vault.azure.net"}
SERVICE_QUERY = {"api-version": "2019-08-01", "resource": "https://vault.azure.net"}


@pytest.mark.parametrize("form", ["imds", "app-service"])
@pytest.mark.parametrize("program", [SYNC, ASYNC], ids=["sync", "aio"])
def test_microsoft_s_credentials_sign_in_without_a_key(form: str, program: str) -> None:
    done = subprocess.run(
        [*RUN, "--managed-identity", form, "--", sys.executable, "-c", program.replace("MAKE", MAKE)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout == f"{SECRET_VALUE}\n" * 4, done.stderr


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with session(tmp_path_factory.mktemp("imds"), Options(managed_identity="imds")) as running:
        yield running


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Session]:
    with session(tmp_path, Options(managed_identity="app-service")) as running:
        yield running


def ask(running: Session, **changes: Any) -> requests.Response:
    url = f"{running.environment['AZURE_POD_IDENTITY_AUTHORITY_HOST']}/metadata/identity/oauth2/token"
    asked = {"params": QUERY, "headers": {"Metadata": "true"}, **changes}
    return requests.get(url, timeout=10, **asked)


def test_the_client_is_told_no_key(machine: Session) -> None:
    assert machine.environment["AZURE_CLIENT_CERTIFICATE_PATH"] is None
    assert machine.environment["AZURE_CLIENT_ID"] is None


def test_an_imds_answer_has_text_values_only(machine: Session) -> None:
    body = ask(machine).json()
    assert all(isinstance(value, str) for value in body.values())
    assert {"access_token", "expires_in", "expires_on", "resource", "token_type", "client_id"} <= set(body)
    assert int(body["expires_in"]) > 7200


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"headers": {}}, "invalid_request", "metadata header"),
        ({"headers": {"Metadata": "True"}}, "invalid_request", "metadata header"),
        (
            {"headers": {"Metadata": "true", "X-Forwarded-For": "10.0.0.1"}},
            "invalid_request",
            "metadata header",
        ),
        ({"params": {"api-version": "2018-02-01"}}, "invalid_request", "resource"),
        ({"params": {**QUERY, "client_id": "no-such-client"}}, "invalid_request", "Identity not found"),
        ({"params": {**QUERY, "resource": "https://nowhere.example"}}, "invalid_resource", "AADSTS500011"),
    ],
)
def test_imds_refuses(machine: Session, changes: dict[str, Any], error: str, words: str) -> None:
    answer = ask(machine, **changes)
    assert answer.status_code == 400
    assert answer.json()["error"] == error
    assert words in answer.json()["error_description"]


def test_faults_strike_here_too(machine: Session) -> None:
    faults = machine.emulator.world.faults
    faults.add("answer", host="127.0.0.1", status=410)
    assert ask(machine).status_code == 410
    faults.add("reset", host="127.0.0.1")
    with pytest.raises(requests.ConnectionError, match="reset"):
        ask(machine)
    faults.add("truncate", host="127.0.0.1")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        ask(machine)
    assert ask(machine).status_code == 200


def test_app_service_wants_its_header(service: Session) -> None:
    url, header = service.environment["IDENTITY_ENDPOINT"], service.environment["IDENTITY_HEADER"]
    assert url
    assert header
    good = {"X-IDENTITY-HEADER": header}
    assert requests.get(url, params=SERVICE_QUERY, timeout=10).status_code == 401
    assert (
        requests.get(url, params=SERVICE_QUERY, headers={"X-IDENTITY-HEADER": "x"}, timeout=10).status_code
        == 401
    )
    body = requests.get(url, params=SERVICE_QUERY, headers=good, timeout=10).json()
    assert list(body) == ["access_token", "expires_on", "resource", "token_type", "client_id"]
    unknown = requests.get(url, params={**SERVICE_QUERY, "client_id": "x"}, headers=good, timeout=10)
    assert unknown.status_code == 400
    assert unknown.json()["message"].startswith("No User Assigned or Delegated Managed Identity found")
    bare = requests.get(url, params={"api-version": "2019-08-01"}, headers=good, timeout=10)
    assert bare.status_code == 400
