"""``azcert secret`` prints data alone on stdout and takes values from anywhere but the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from support.command import azcert

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

pytestmark = pytest.mark.usefixtures("azcert_environment")


def test_get_prints_the_value_and_nothing_else() -> None:
    done = azcert("secret", "get", "myTestSecret1")
    assert (done.returncode, done.stdout, done.stderr) == (0, "the first secret of kv-demo\n", "")


def test_a_value_from_stdin_comes_back_without_its_line_break() -> None:
    assert azcert("secret", "set", "greeting", "--file", "-", stdin="hello\nworld\n").returncode == 0
    done = azcert("secret", "get", "greeting", "--json")
    found = json.loads(done.stdout)
    assert found["value"] == "hello\nworld"
    assert found["name"] == "greeting"


def test_a_value_can_come_from_a_file_and_is_never_told(tmp_path: Path) -> None:
    (tmp_path / "value").write_text("hunter2")
    done = azcert("secret", "set", "from-file", "--file", tmp_path / "value", "--json")
    assert done.returncode == 0
    assert "hunter2" not in done.stdout + done.stderr


def test_the_command_line_takes_no_value() -> None:
    assert azcert("secret", "set", "name", "value").returncode == 2


def test_list_prints_names_only() -> None:
    done = azcert("secret", "list")
    assert done.stdout.splitlines() == ["myTestSecret1"]
    described = json.loads(azcert("secret", "list", "--json").stdout)
    assert [each["name"] for each in described] == ["myTestSecret1"]
    assert "value" not in described[0]


def test_a_missing_secret_is_one_line_and_exit_code_1() -> None:
    done = azcert("secret", "get", "missing")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("azcert: (SecretNotFound) A secret with (name/id) missing was not found")
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_vault_that_cannot_be_reached_is_told_without_wrappings() -> None:
    done = azcert("secret", "get", "x", "--vault", "nosuch")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("azcert: The service could not be reached: ")
    assert "no vault named nosuch." in done.stderr
    assert "Error(" not in done.stderr


def test_a_vault_may_be_named_by_its_address(azcert_emulator: AzcertEmulator) -> None:
    done = azcert("secret", "get", "myTestSecret1", "--vault", azcert_emulator.vault_url)
    assert done.returncode == 0, done.stderr


def test_something_that_is_no_vault_is_wrong_usage() -> None:
    done = azcert("secret", "get", "x", "--vault", "kv-demo.vault.azure.net")
    assert done.returncode == 2
    assert "neither a vault's name nor an https:// address" in done.stderr


def test_without_an_identity_the_missing_options_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH"):
        monkeypatch.delenv(name)
    done = azcert("secret", "get", "myTestSecret1")
    assert done.returncode == 2
    assert "--tenant (or AZURE_TENANT_ID)" in done.stderr
