"""``azcert app``, as a user types it, against the emulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from azcert.emulator.arm.routes import subscription_of
from azcert.emulator.ready_made import CLIENT_ID
from support.command import azcert

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

pytestmark = pytest.mark.usefixtures("azcert_environment")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    done = azcert("new", "billing", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    return tmp_path / "billing.pem"


def test_an_app_is_made_with_its_certificate_and_settings_and_signs_in(
    azcert_environment: AzcertEmulator, certificate: Path, tmp_path: Path
) -> None:
    settings = tmp_path / ".env"
    made = azcert("app", "create", "billing", "--add", certificate, "--write-env", settings)
    assert made.returncode == 0, made.stderr
    client_id = made.stdout.strip()
    assert settings.read_text().splitlines() == [
        f"AZURE_TENANT_ID={azcert_environment.tenant_id}",
        f"AZURE_CLIENT_ID={client_id}",
        f"AZURE_CLIENT_CERTIFICATE_PATH={certificate}",
    ]
    identity = ["--client-id", client_id, "--certificate", str(certificate)]
    token = azcert("token", "--scope", "https://graph.microsoft.com/.default", *identity)
    assert token.returncode == 0, token.stderr
    assert azcert("app", "show", "billing").stdout.splitlines()[1] == f"client id  {client_id}"
    assert client_id in azcert("app", "list", "--name", "bill").stdout


def test_a_settings_file_that_exists_is_kept(certificate: Path, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("MINE=1\n")
    refused = azcert("app", "create", "billing", "--add", certificate, "--write-env", tmp_path / ".env")
    assert refused.returncode != 0
    assert (tmp_path / ".env").read_text() == "MINE=1\n"
    assert "--force" not in refused.stderr
    assert azcert("app", "list", "--name", "billing").stdout == ""


def test_a_name_that_is_taken_is_not_given_twice_unasked() -> None:
    first = azcert("app", "create", "it's billing")
    again = azcert("app", "create", "It's billing")
    assert (again.returncode, again.stdout) == (1, "")
    assert first.stdout.strip() in again.stderr
    assert azcert("app", "create", "it's billing", "--duplicate").returncode == 0
    assert azcert("app", "create", " ").returncode == 2


def test_a_name_cannot_steer_the_terminal(azcert_environment: AzcertEmulator) -> None:
    app = azcert_environment.world.documents.get("app", CLIENT_ID) or {}
    app["displayName"] = "\x1b]0;gone\x07\x1b[2J"
    azcert_environment.world.documents.put("app", CLIENT_ID, app)
    for command in (["list"], ["show", CLIENT_ID]):
        done = azcert("app", *command)
        assert done.returncode == 0
        assert "gone" in done.stdout
        assert "\x1b" not in done.stdout + done.stderr


def test_the_tenant_is_told_by_graph_where_nobody_named_it(
    azcert_environment: AzcertEmulator, tmp_path: Path
) -> None:
    settings = tmp_path / "appsettings.json"
    # The default chain signs in, as after `az login`: no option names a tenant or a certificate.
    program = (
        "import os, sys\n"
        "from azcert.cli import directory_identity\n"
        "from azcert import CertificateCredential\n"
        f"who = CertificateCredential({azcert_environment.tenant_id!r}, {CLIENT_ID!r}, "
        f"{str(azcert_environment.certificate_path)!r})\n"
        "directory_identity.signed_in = lambda **_: who\n"
        "from azcert.cli.main import main\n"
        "main(sys.argv[1:])"
    )
    unset = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH")
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    command = [sys.executable, "-c", program, "app", "create", "new", "--write-appsettings", str(settings)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(settings.read_text())["Default"]["tenantId"] == azcert_environment.tenant_id


def test_where_nobody_is_signed_in_it_is_said_once_with_what_to_do() -> None:
    unset = dict.fromkeys(("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH"), "")
    done = azcert("app", "list", environment={**unset, "AZURE_TOKEN_CREDENTIALS": "dev"})
    assert done.returncode == 1
    assert "az login" in done.stderr
    assert "--certificate" in done.stderr
    assert done.stderr.count("AzureCliCredential") == 1


def test_a_certificate_is_added_beside_others_and_removed_alone(certificate: Path) -> None:
    def credentials() -> set[str]:
        found = json.loads(azcert("app", "credentials", CLIENT_ID, "--json").stdout)
        return {each["thumbprint"] for each in found["certificates"]}

    (first,) = credentials()
    added = azcert("app", "add-certificate", CLIENT_ID, certificate)
    assert added.returncode == 0, added.stderr
    thumbprint = added.stdout.strip()
    assert credentials() == {first, thumbprint}
    assert azcert("app", "remove-certificate", CLIENT_ID, thumbprint.lower()).returncode == 0
    assert credentials() == {first}


def test_the_last_credential_is_not_removed_without_a_yes() -> None:
    found = json.loads(azcert("app", "credentials", CLIENT_ID, "--json").stdout)
    thumbprint = found["certificates"][0]["thumbprint"]
    asked = azcert("app", "remove-certificate", CLIENT_ID, thumbprint, stdin="n\n")
    assert asked.returncode != 0
    assert "is the last credential with which azcert-demo can sign in" in asked.stderr
    assert thumbprint in azcert("app", "credentials", CLIENT_ID).stdout


def test_a_role_is_given_once_and_told_for_others(azcert_environment: AzcertEmulator) -> None:
    made = azcert("app", "create", "reader")
    client_id = made.stdout.strip()
    subscription = subscription_of(azcert_environment.tenant_id)
    where = ["--vault", "kv-demo", "--app", client_id, "--subscription", subscription]
    printed = azcert("app", "grant", "secrets-reader", *where, "--print")
    assert printed.stdout.startswith("az role assignment create --role 'Key Vault Secrets User' --scope /sub")
    given = azcert("app", "grant", "secrets-reader", *where)
    assert (given.returncode, given.stdout) == (0, ""), given.stderr
    assert "has the role Key Vault Secrets User in kv-demo now" in given.stderr
    assert azcert("app", "grant", "secrets-reader", *where).returncode == 0
    # As one would type it, without a subscription and without `app`.
    again = azcert("grant", "--vault", "kv-demo", "--app", "reader", "secrets-reader")
    assert (again.returncode, "had the role" in again.stderr) == (0, True), again.stderr
    nowhere = azcert("grant", "secrets-reader", "--vault", "kv-none", "--app", "reader")
    assert nowhere.returncode == 1
    assert "None of this identity's subscriptions (1) has a Key Vault 'kv-none'" in nowhere.stderr
    assert "grant secrets-reader" in made.stderr
    assert "admin-consent" in made.stderr


def test_who_may_not_is_told_the_missing_permission(
    azcert_environment: AzcertEmulator, certificate: Path
) -> None:
    made = azcert("app", "create", "weak", "--add", certificate)
    weak = ["--client-id", made.stdout.strip(), "--certificate", str(certificate)]
    listed = azcert("app", "list", *weak)
    assert listed.returncode == 1
    assert "Application.Read.All" in listed.stderr
    assert "Traceback" not in listed.stderr
    unknown = azcert("app", "show", "nobody")
    assert unknown.returncode == 1
    assert "No app registration has the client id, object id or display name 'nobody'." in unknown.stderr
