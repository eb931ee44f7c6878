"""Microsoft's libraries and common clients, unchanged, under ``azcert emulator run``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from azcert.emulator.ready_made import SECRET_VALUE, TENANT_ID

PROGRAMS = Path(__file__).parent / "programs"
RUN = [sys.executable, "-m", "azcert", "emulator", "run"]


def run(*command: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*RUN, *options, "--", *command], capture_output=True, text=True, timeout=120, check=False
    )


def output(*command: str, options: tuple[str, ...] = ()) -> list[str]:
    done = run(*command, options=options)
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout.splitlines()


def python(name: str, options: tuple[str, ...] = ()) -> list[str]:
    return output(sys.executable, str(PROGRAMS / name), options=options)


def test_no_program_knows_the_emulator() -> None:
    for program in PROGRAMS.iterdir():
        if program.is_file():
            assert "azcert" not in program.read_text()


def test_azure_identity_and_secrets() -> None:
    assert python("secrets_sync.py") == [
        f"value: {SECRET_VALUE}",
        "disabled: Forbidden",
        "purged: SecretNotFound",
        "restored: green",
    ]


def test_azure_identity_and_secrets_in_asyncio() -> None:
    assert python("secrets_async.py") == [f"value: {SECRET_VALUE}", "listed: 41", "deleted: ['n1']"]


def test_default_azure_credential() -> None:
    assert python("default_credential.py") == [f"value: {SECRET_VALUE}"]


def test_msal() -> None:
    assert python("msal_client.py") == [f"value: {SECRET_VALUE}", "error: [500011]"]


def test_microsoft_graph_s_sdk() -> None:
    assert python("graph.py") == [
        "found: ['from the SDK']",
        "principal: True",
        "password: True",
        "keys: 1",
        "bytes on $select: True",
        "batch: [200, 404]",
        "passwords: 0",
        "pages: ['azcert-demo', 'from the SDK']",
        "deleted: Request_ResourceNotFound",
    ]


def test_curl_trusts_the_emulator_and_is_refused_elsewhere() -> None:
    authority = f"https://login.microsoftonline.com/{TENANT_ID}"
    assert output("bash", str(PROGRAMS / "discovery.sh")) == [
        f'"token_endpoint":"{authority}/oauth2/v2.0/token"',
        "status 401",
        "refused: 56",
        "untrusted: 60",
    ]


def test_node_trusts_the_emulator() -> None:
    assert output("node", str(PROGRAMS / "discovery.mjs")) == [
        f"issuer: https://login.microsoftonline.com/{TENANT_ID}/v2.0"
    ]


@pytest.mark.parametrize("days", ["+400d", "-400d"])
def test_the_clock_is_the_service_s_own(days: str) -> None:
    done = run(sys.executable, str(PROGRAMS / "default_credential.py"), options=("--clock", days))
    assert done.returncode != 0
    assert "AADSTS" in done.stderr
