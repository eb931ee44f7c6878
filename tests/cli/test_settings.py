"""``azcert token`` and ``azcert secret`` sign in as a section of a settings file says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from azcert.emulator.ready_made import SECRET_VALUE
from support.command import azcert

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

SCOPE = "https://vault.azure.net/.default"


@pytest.fixture
def settings(azcert_environment: AzcertEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings that say everything; no variable says who signs in, or to which vault."""
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH", "KEY_VAULT_NAME"):
        monkeypatch.delenv(name)
    sections = {
        "KeyVault": {
            "vaultUri": azcert_environment.vault_url,
            "tenantId": azcert_environment.tenant_id,
            "clientId": azcert_environment.client_id,
            "certificate": str(azcert_environment.certificate_path),
        },
        "Search": {"Credential": {"CredentialSource": "ApiKey", "Key": "hunter2"}},
    }
    path = tmp_path / "appsettings.json"
    path.write_text(json.dumps(sections))
    return path


def test_a_token_for_the_identity_of_a_section(settings: Path) -> None:
    done = azcert("token", "--scope", SCOPE, "--settings", settings, "--section", "KeyVault", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["token"].count(".") == 2


def test_the_section_says_which_vault_too(settings: Path) -> None:
    done = azcert("secret", "get", "myTestSecret1", "--settings", settings, "--section", "KeyVault")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{SECRET_VALUE}\n", "")


def test_a_section_alone_is_looked_for_in_the_working_directory(settings: Path) -> None:
    done = azcert("secret", "list", "--section", "KeyVault", folder=settings.parent)
    assert done.stdout.splitlines() == ["myTestSecret1"]


def test_a_section_goes_before_the_variable_and_the_vault_option_before_both(
    settings: Path, azcert_environment: AzcertEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_VAULT_NAME", "kv-nowhere")
    chosen = ("--settings", settings, "--section", "KeyVault")
    assert azcert("secret", "get", "myTestSecret1", *chosen).returncode == 0
    values = json.loads(settings.read_text())
    values["KeyVault"]["vaultUri"] = "https://kv-nowhere.vault.azure.net"
    settings.write_text(json.dumps(values))
    done = azcert("secret", "get", "myTestSecret1", *chosen, "--vault", azcert_environment.vault_url)
    assert done.stdout == f"{SECRET_VALUE}\n"


def test_a_section_and_an_identity_on_the_command_line_contradict(settings: Path) -> None:
    for command in (("token", "--scope", SCOPE), ("secret", "list")):
        done = azcert(*command, "--settings", settings, "--section", "KeyVault", "--client-id", "other")
        assert done.returncode == 2
        assert "--client-id and --settings or --section: give one of them." in done.stderr


def test_without_a_section_and_a_vault_the_ways_to_name_one_are_told(settings: Path) -> None:
    done = azcert("secret", "list", "--settings", settings)
    assert done.returncode == 2
    assert "--vault (or KEY_VAULT_NAME, or --section)" in done.stderr


@pytest.mark.parametrize(
    ("section", "said"),
    [("KeyVualt", "Did you mean KeyVault?"), ("Search", "asks for a key, which gets no token")],
)
def test_a_section_that_gives_no_credential_is_one_line(settings: Path, section: str, said: str) -> None:
    done = azcert("token", "--scope", SCOPE, "--settings", settings, "--section", section)
    assert (done.returncode, done.stdout) == (1, "")
    assert said in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr
