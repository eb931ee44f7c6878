"""``azcert config``: what is printed, what is redacted, which exit code."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from azcert.cli.config import config
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """{
  "KeyVault": { "vaultUri": "https://contoso.vault.azure.net", "credential": "azurecli" }
}"""
SECRET = """{
  "KeyVault": {
    "vaultUri": "https://contoso.vault.azure.net",
    "tenantId": "t", "clientId": "c", "clientSecret": "hunter2"
  }
}"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.json").write_text(GOOD)
    (tmp_path / "secret.json").write_text(SECRET)
    (tmp_path / "bad.json").write_text('{"KeyVault": {"credential": "azureclii"}}')
    return CliRunner()


def test_show_prints_values_with_their_origins(run: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KeyVault__Retry__MaxRetries", "5")
    done = run.invoke(config, ["show", "good.json"])
    assert done.exit_code == 0
    assert "KeyVault:credential = azurecli   (good.json, line 2)" in done.stdout
    assert "5   (environment variable KeyVault__Retry__MaxRetries)" in done.stdout


def test_show_never_prints_a_secret(run: CliRunner) -> None:
    for options in ([], ["--json"], ["--section", "KeyVault"], ["--section", "KeyVault", "--json"]):
        done = run.invoke(config, ["show", "secret.json", *options])
        assert done.exit_code == 0
        assert "hunter2" not in done.output
        assert "[redacted]" in done.output


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("clientSecret", "$ecret", False),
        ("clientCertificatePassword", "env:hunter2", False),
        ("accountKey", "aHVudGVy", False),
        ("signature", "sv=1", False),
        ("certificate", "pkcs11:object=a?pin-value=1234", False),
        ("key", "https://v.vault.azure.net/keys/k", True),
        ("clientSecret", "$Shared:Secret", True),
        ("clientCertificatePasswordFrom", "env:PW", True),
    ],
)
def test_show_knows_secrets_from_what_only_names_one(
    run: CliRunner, tmp_path: Path, key: str, value: str, shown: bool
) -> None:
    (tmp_path / "appsettings.json").write_text(json.dumps({"A": {key: value}}))
    assert (value in run.invoke(config, ["show"]).output) is shown


def test_a_password_that_looks_like_a_reference_is_in_no_error(run: CliRunner, tmp_path: Path) -> None:
    document = {"A": {"tenantId": "t", "clientId": "c", "clientSecret": "$hunter2:x"}}
    (tmp_path / "appsettings.json").write_text(json.dumps(document))
    done = run.invoke(config, ["check"])
    assert (done.exit_code, "hunter2" in done.output) == (1, False)
    assert "write $$" in done.output


def test_show_tells_which_credential_a_section_asks_for(run: CliRunner) -> None:
    done = run.invoke(config, ["show", "good.json", "--section", "KeyVault", "--json"])
    assert json.loads(done.stdout)["credential"] == {"kind": "AzureCliCredential"}


def test_show_tells_the_credential_in_words_with_its_origin(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "appsettings.json").write_text(
        '{"Default": {"tenantId": "t", "clientId": "c", "certificate": "a.pfx",\n'
        ' "clientCertificatePasswordFrom": "env:PW"}, "KeyVault": {"vaultUri": "https://v"}}'
    )
    done = run.invoke(config, ["show", "--section", "KeyVault"])
    assert done.stdout.splitlines() == [
        "KeyVault:vaultUri = https://v   (appsettings.json, line 2)",
        "credential = CertificateCredential   (appsettings.json, line 1)",
        "  tenant_id = t",
        "  client_id = c",
        "  certificate = a.pfx",
        "  password = env:PW",
    ]


def test_show_of_a_section_that_is_not_there_names_the_nearest(run: CliRunner) -> None:
    done = run.invoke(config, ["show", "good.json", "--section", "KeyVualt"])
    assert isinstance(done.exception, ConfigurationError)
    assert "Did you mean KeyVault?" in str(done.exception)


def test_references_to_key_vault_are_neither_read_nor_wrong(run: CliRunner, tmp_path: Path) -> None:
    reference = "@Microsoft.KeyVault(SecretUri=https://v.vault.azure.net/secrets/s)"
    section = {"tenantId": "t", "clientId": "c", "clientSecret": reference, "vaultUri": "https://v"}
    (tmp_path / "appsettings.json").write_text(json.dumps({"KeyVault": section}))
    client = "KeyVault=azure.keyvault.secrets.SecretClient"
    assert run.invoke(config, ["check", "--strict", "--client", client]).exit_code == 0
    shown = json.loads(run.invoke(config, ["show", "--section", "KeyVault", "--json"]).stdout)
    assert reference in [row["value"] for row in shown["settings"]]
    assert shown["credential"]["kind"] == "ClientSecretCredential"


def test_clients_are_checked_with_the_defaults_and_in_azure_clients(run: CliRunner, tmp_path: Path) -> None:
    (tmp_path / "appsettings.json").write_text(
        '{"Default": {"credential": "azurecli"}, "AzureClients": {"Vault": {"vaultUri": "https://v"}}}'
    )
    client = "Vault=azure.keyvault.secrets.SecretClient"
    assert run.invoke(config, ["check", "--client", client]).exit_code == 0
    (tmp_path / "appsettings.json").write_text('{"Default": {"credential": "azurecli", "Rettry": {"a": 1}}}')
    assert "Did you mean Retry?" in run.invoke(config, ["check"]).stdout


@pytest.mark.parametrize("text", [None, '{"Logging": {"LogLevel": "Debug"}}'])
def test_a_check_with_nothing_to_check_fails(run: CliRunner, tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "appsettings.json").write_text(text)
    done = run.invoke(config, ["check"])
    assert done.exit_code == 1
    assert ("no section describes" if text else "There are no settings") in done.stderr


def test_check_is_content_with_good_settings(run: CliRunner) -> None:
    client = "KeyVault=azure.keyvault.secrets.SecretClient"
    done = run.invoke(config, ["check", "good.json", "--strict", "--client", client])
    assert (done.exit_code, done.stdout) == (0, "")


def test_check_fails_for_a_wrong_credential_and_a_client_that_does_not_fit(run: CliRunner) -> None:
    done = run.invoke(config, ["check", "bad.json"])
    assert done.exit_code == 1
    assert "Did you mean azurecli?" in done.stdout
    client = "KeyVault=azure.storage.blob.BlobServiceClient"
    done = run.invoke(config, ["check", "bad.json", "--json", "--client", client])
    assert {each["code"] for each in json.loads(done.stdout)} == {"unknown-credential", "incomplete-client"}


def test_a_secret_in_a_file_is_advice_and_fails_when_strict(run: CliRunner) -> None:
    done = run.invoke(config, ["check", "secret.json"])
    assert done.exit_code == 0
    assert "advice: The setting KeyVault:clientSecret (secret.json, line 4)" in done.stdout
    assert "the environment variable KeyVault__clientSecret" in done.stdout
    assert run.invoke(config, ["check", "secret.json", "--strict"]).exit_code == 1


def test_a_key_that_is_almost_a_known_one_is_advice(run: CliRunner, tmp_path: Path) -> None:
    file = tmp_path / "appsettings.json"
    file.write_text(
        '{"Vault": {"vaultUri": "https://v.example", "clientCertificatPath": "a.pem", "tenantId": "t"}}'
    )
    found = run.invoke(config, ["check", str(file)])
    assert found.exit_code == 0
    assert found.stdout.startswith("advice: ")
    assert "Vault:clientCertificatPath" in found.stdout
    assert "Did you mean clientCertificatePath?" in found.stdout
    assert "vaultUri" not in found.stdout
    assert run.invoke(config, ["check", str(file), "--strict"]).exit_code == 1


def test_a_client_is_written_as_section_and_class(run: CliRunner) -> None:
    assert run.invoke(config, ["check", "good.json", "--client", "KeyVault"]).exit_code == 2


def test_schema_prints_json(run: CliRunner) -> None:
    assert json.loads(run.invoke(config, ["schema"]).stdout)["type"] == "object"
