"""``azcert migrate`` against the emulator: from a secret that signs in to a certificate that does."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azcert.credential.sync import CertificateCredential
from azcert.errors import AuthenticationError, ConfigurationError
from azcert.migration.run import Migration, Step, make_certificate
from azcert.migration.settings import BACKUP, open_settings
from azcert.registration.sync import Registrations
from azcert.rotation.prover import Prover
from support.command import azcert
from support.fleet import client_id, plant_app, secret
from support.rotating import SCOPE

if TYPE_CHECKING:
    from azcert.emulator.fixture import AzcertEmulator

APP = client_id(77)
SECRET = "Abc8Q~the-secret-of-billing"
NOW = dt.datetime.now(dt.UTC)


@pytest.fixture
def env(azcert_environment: AzcertEmulator, tmp_path: Path) -> Path:
    kept = secret(NOW - dt.timedelta(days=9), NOW + dt.timedelta(days=90), name="first") | {
        "secretText": SECRET
    }
    other = secret(NOW - dt.timedelta(days=9), NOW + dt.timedelta(days=90), name="other") | {"hint": "Xyz"}
    plant_app(azcert_environment, 77, "billing", [], [kept, other])
    path = tmp_path / ".env"
    path.write_text(
        f"# keep me\nAZURE_TENANT_ID={azcert_environment.tenant_id}\nAZURE_CLIENT_ID={APP}\n"
        f"AZURE_CLIENT_SECRET={SECRET}\n"
    )
    path.chmod(0o640)
    return path


def credentials(emulator: AzcertEmulator) -> tuple[int, list[str]]:
    app: dict[str, Any] = emulator.world.documents.get("app", APP) or {}
    return len(app["keyCredentials"]), [each["displayName"] for each in app["passwordCredentials"]]


def sign_in(emulator: AzcertEmulator, source: Path) -> None:
    with CertificateCredential(emulator.tenant_id, APP, certificate=str(source)) as credential:
        assert credential.get_token(SCOPE).token


def test_an_env_file_names_a_certificate_and_the_secret_is_gone(
    azcert_environment: AzcertEmulator, env: Path
) -> None:
    before = env.read_text()
    done = azcert("migrate", env, "--yes", "--remove-secret")
    assert done.returncode == 0, done.stderr
    key = env.with_name(f"{APP}.pem")
    assert env.read_text() == before.replace(
        f"AZURE_CLIENT_SECRET={SECRET}", f"AZURE_CLIENT_CERTIFICATE_PATH={key}"
    )
    assert env.stat().st_mode & 0o777 == 0o640
    backup = Path(f"{env}{BACKUP}")
    assert (backup.read_text(), backup.stat().st_mode & 0o777) == (before, 0o600)
    assert key.stat().st_mode & 0o777 == 0o600
    assert credentials(azcert_environment) == (1, ["other"])
    assert SECRET not in done.stdout + done.stderr
    assert f"+ AZURE_CLIENT_CERTIFICATE_PATH={key}" in done.stderr
    # azure-identity reads the file as a shell exports it.
    program = (
        "from azure.identity import EnvironmentCredential\n"
        f"print(len(EnvironmentCredential().get_token({SCOPE!r}).token))"
    )
    script = f'set -a; . {env}; unset AZURE_CLIENT_CERTIFICATE_PASSWORD; exec {sys.executable} -c "$0"'
    read = subprocess.run(["bash", "-c", script, program], capture_output=True, text=True, check=False)
    assert read.returncode == 0, read.stderr
    assert int(read.stdout) > 100


def test_a_dry_run_shows_all_and_changes_nothing(azcert_environment: AzcertEmulator, env: Path) -> None:
    before = env.read_text()
    done = azcert("migrate", env, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["make", "register", "prove", "rewrite"]
    assert "- AZURE_CLIENT_SECRET=[redacted]" in done.stderr
    assert env.read_text() == before
    assert [path.name for path in env.parent.iterdir()] == [".env"]
    assert credentials(azcert_environment) == (0, ["first", "other"])


def test_without_a_terminal_nothing_is_decided_for_anybody(
    azcert_environment: AzcertEmulator, env: Path
) -> None:
    assert azcert("migrate", env).returncode == 2
    assert credentials(azcert_environment) == (0, ["first", "other"])
    kept = azcert("migrate", env, "--yes")
    assert kept.returncode == 0
    assert "--remove-secret" in kept.stderr
    assert credentials(azcert_environment) == (1, ["first", "other"])
    later = azcert("migrate", env, "--remove-secret")
    assert later.returncode == 0, later.stderr
    assert credentials(azcert_environment) == (1, ["other"])


def test_an_appsettings_section_is_read_by_azcerts_clients_afterwards(
    azcert_environment: AzcertEmulator, env: Path
) -> None:
    path = env.with_name("appsettings.json")
    section = {"tenantId": azcert_environment.tenant_id, "clientId": APP, "clientSecret": SECRET}
    text = json.dumps({"KeyVault": {"vaultUri": azcert_environment.vault_url, **section}}, indent=2)
    path.write_text("// ours\n" + text + "\n")
    done = azcert("migrate", path, "--yes", "--out", env.with_name("app.pem"))
    assert done.returncode == 0, done.stderr
    assert path.read_text().startswith("// ours\n")
    checked = azcert("config", "check", path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_microsoft_identity_webs_list_is_migrated_in_its_layer_and_its_secret_removed_last(
    azcert_environment: AzcertEmulator, env: Path
) -> None:
    env.unlink()
    base, layer = env.with_name("appsettings.json"), env.with_name("appsettings.Production.json")
    ids = {"TenantId": azcert_environment.tenant_id, "ClientId": APP}
    base.write_text(json.dumps({"AzureAd": {"Instance": "https://login.microsoftonline.com/", **ids}}))
    item = {"SourceType": "ClientSecret", "ClientSecret": SECRET}
    layer.write_text("// ours\n" + json.dumps({"AzureAd": {"ClientCredentials": [item]}}, indent=2))
    asked = azcert("migrate", base, "--yes")
    assert asked.returncode == 1
    assert f"azcert migrate {layer}" in asked.stderr
    done = azcert("migrate", layer, "--yes", "--out", env.with_name("app.pem"))
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("\n+ ") == 2
    whole = json.loads(layer.read_text().removeprefix("// ours\n"))
    path = str(env.with_name("app.pem"))
    assert whole == {"AzureAd": {"ClientCredentials": [{"SourceType": "Path", "CertificateDiskPath": path}]}}
    other = env.with_name(".env")
    other.write_text(f"AZURE_CLIENT_ID={APP}\nAZURE_CLIENT_SECRET={SECRET}\n")
    used = azcert("migrate", layer, "--remove-secret")
    assert used.returncode == 1
    assert f"also in {other}" in used.stderr
    assert credentials(azcert_environment) == (1, ["first", "other"])
    other.unlink()
    assert azcert("migrate", layer, "--remove-secret").returncode == 0
    assert credentials(azcert_environment) == (1, ["other"])


def test_where_this_identity_may_not_an_administrator_is_told_what_to_do(
    azcert_environment: AzcertEmulator, env: Path
) -> None:
    denied = {"error": {"code": "Authorization_RequestDenied", "message": "no"}}
    fault = {"host": "graph.microsoft.com", "status": 403, "body": denied, "times": None}
    azcert_environment.faults.add("answer", **fault)
    before = env.read_text()
    done = azcert("migrate", env, "--yes")
    assert done.returncode == 1
    assert f"azcert app add-certificate {APP}" in done.stderr
    assert env.read_text() == before
    azcert_environment.faults.clear()
    assert azcert("app", "add-certificate", APP, env.with_name(f"{APP}.cer")).returncode == 0
    azcert_environment.faults.add("answer", **fault)
    again = azcert("migrate", env, "--yes")
    assert again.returncode == 0, again.stderr
    sign_in(azcert_environment, env.with_name(f"{APP}.pem"))


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


@pytest.mark.parametrize("stop_at", list(Step))
def test_stopped_at_any_step_the_secret_still_works_and_the_next_run_ends_well(
    azcert_environment: AzcertEmulator, env: Path, stop_at: Step
) -> None:
    def told(step: Step) -> None:
        if step is stop_at:
            raise Killed

    before = env.read_text()
    with pytest.raises(Killed):
        migration(azcert_environment, env, told).run(lambda _: True)
    assert env.read_text() == before
    assert credentials(azcert_environment)[1] == ["first", "other"]
    assert migration(azcert_environment, env, lambda _: None).run(lambda _: True)
    assert credentials(azcert_environment) == (1, ["first", "other"])
    sign_in(azcert_environment, env.with_name("app.pem"))


def test_a_certificate_that_is_not_taken_leaves_the_settings(
    azcert_environment: AzcertEmulator, env: Path
) -> None:
    azcert_environment.delays.propagation = 3600
    before = env.read_text()
    with pytest.raises(AuthenticationError):
        migration(azcert_environment, env, lambda _: None, patience=0).run(lambda _: True)
    assert env.read_text() == before


def migration(emulator: AzcertEmulator, env: Path, told: Any, **options: Any) -> Migration:
    key = env.with_name("app.pem")
    who = CertificateCredential(
        emulator.tenant_id, emulator.client_id, certificate=str(emulator.certificate_path)
    )
    prover = Prover(emulator.tenant_id, APP, scope=SCOPE, in_a_row=2, **options)

    def make() -> None:
        make_certificate(key, name="billing", days=90, like=env)

    return Migration(open_settings(env, environ={}), str(key), make, Registrations(who), prover, prover, told)


def test_another_file_under_the_copys_name_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("AZURE_CLIENT_ID=c\nAZURE_CLIENT_SECRET=s\n")
    backup = Path(f"{path}{BACKUP}")
    backup.write_text("AZURE_CLIENT_SECRET=the only copy of another one\n")
    settings = open_settings(path, environ={})
    with pytest.raises(ConfigurationError, match=BACKUP):
        settings.write(settings.change("/etc/app.pem"))
    assert path.read_text() == "AZURE_CLIENT_ID=c\nAZURE_CLIENT_SECRET=s\n"
    assert "the only copy" in backup.read_text()
