"""``azcert secret`` prints data alone on stdout and takes values from anywhere but the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from azure.keyvault.secrets import SecretClient

from azcert import DefaultCredential
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


def test_a_missing_secret_names_it_and_its_vault_and_what_to_do() -> None:
    done = azcert("secret", "get", "missing")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "azcert: There is no secret missing in kv-demo.vault.azure.net.\n"
        "See what there is: azcert secret list --vault kv-demo\n"
    )
    done = azcert("secret", "get", "myTestSecret1", "--version", "0" * 32)
    assert f"no version {'0' * 32} of the secret myTestSecret1 in kv-demo" in done.stderr


@pytest.mark.parametrize("name", ["", "bad name!", "a/b", "../keys", "x" * 128, "straße"])
def test_what_is_no_secrets_name_is_wrong_usage_and_asks_nobody(
    name: str, azcert_emulator: AzcertEmulator
) -> None:
    done = azcert("secret", "get", name)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is no secret's name: letters, digits and hyphens, at most 127." in done.stderr
    assert not azcert_emulator.requests


def test_a_disabled_secret_is_told_with_the_command_that_enables_it(azcert_emulator: AzcertEmulator) -> None:
    with DefaultCredential() as credential, SecretClient(azcert_emulator.vault_url, credential) as client:
        client.update_secret_properties("myTestSecret1", enabled=False)
    done = azcert("secret", "get", "myTestSecret1")
    assert (done.returncode, done.stdout) == (1, "")
    assert (
        "Could not read the secret myTestSecret1 of kv-demo.vault.azure.net: it is disabled." in done.stderr
    )
    assert "az keyvault secret set-attributes --vault-name kv-demo --name myTestSecret1" in done.stderr


@pytest.mark.parametrize(
    ("command", "role"),
    [
        (("get", "myTestSecret1"), "secrets-reader"),
        (("list",), "secrets-reader"),
        (("set", "x", "--file", "-"), "secrets-officer"),
    ],
)
def test_without_a_right_the_role_is_named(
    command: tuple[str, ...], role: str, azcert_emulator: AzcertEmulator
) -> None:
    documents = azcert_emulator.world.documents
    for key, _ in documents.items("role"):
        documents.put("role", key, [])
    done = azcert("secret", *command, stdin="value")
    assert (done.returncode, done.stdout) == (1, "")
    assert "this identity has no right to." in done.stderr
    assert f"azcert app grant {role} --vault kv-demo" in done.stderr


def test_what_is_no_value_is_not_stored(tmp_path: Path, azcert_emulator: AzcertEmulator) -> None:
    (tmp_path / "key.pfx").write_bytes(b"\xff\xfe\x00")
    done = azcert("secret", "set", "x", "--file", tmp_path / "key.pfx")
    assert done.returncode == 1
    assert "no UTF-8 text" in done.stderr
    done = azcert("secret", "set", "x", "--file", "-", stdin="\n")
    assert done.returncode == 1
    assert "The value is empty; nothing was stored." in done.stderr
    done = azcert("secret", "set", "x", stdin="value\n")
    assert done.returncode == 2
    assert "There is no terminal to ask for the value on" in done.stderr
    assert not azcert_emulator.requests


def test_line_breaks_within_a_value_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "value").write_bytes(b"one\r\ntwo\n\r\n")
    assert azcert("secret", "set", "x", "--file", tmp_path / "value").returncode == 0
    assert json.loads(azcert("secret", "get", "x", "--json").stdout)["value"] == "one\r\ntwo\n"


def test_a_vault_that_cannot_be_reached_is_told_without_wrappings() -> None:
    done = azcert("secret", "get", "x", "--vault", "nosuch")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("azcert: Could not read the secret x of nosuch.vault.azure.net: ")
    assert "no vault named nosuch." in done.stderr
    assert "Error(" not in done.stderr


def test_a_vault_may_be_named_by_its_address(azcert_emulator: AzcertEmulator) -> None:
    done = azcert("secret", "get", "myTestSecret1", "--vault", azcert_emulator.vault_url)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("vault", "said"),
    [
        ("kv-demo.vault.azure.net", "no vault is called 'kv-demo.vault.azure.net'"),
        ("a b", "3 to 24 letters, digits and single hyphens, a letter first"),
        ("x" * 25, "3 to 24 letters"),
        ("http://kv-demo.vault.azure.net", "no vault is called"),
        ("https://kv-demo.vault.azure.net/secrets/x", "which is https://kv-demo.vault.azure.net."),
    ],
)
def test_something_that_is_no_vault_is_wrong_usage(vault: str, said: str) -> None:
    done = azcert("secret", "get", "x", "--vault", vault)
    assert done.returncode == 2
    assert said in done.stderr


def test_without_an_identity_the_missing_options_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH"):
        monkeypatch.delenv(name)
    done = azcert("secret", "get", "myTestSecret1")
    assert done.returncode == 2
    assert "--tenant (or AZURE_TENANT_ID)" in done.stderr
