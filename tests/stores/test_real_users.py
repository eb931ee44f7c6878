"""Access to a key, with real users of this machine and real sign-ins to the emulator."""

from __future__ import annotations

import datetime as dt
import subprocess
from typing import TYPE_CHECKING

import pytest

from azcert.certificate import writers
from azcert.emulator.ready_made import SECRET, SECRET_VALUE
from support.command import azcert
from support.stored import key, make

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator
    from stores.conftest import User


@pytest.fixture
def environment(azcert_emulator: AzcertEmulator, public_folder: Path) -> dict[str, str]:
    """What a service needs to meet the emulator: its CA where every user can read it."""
    ca = public_folder / "ca.pem"
    ca.write_bytes(azcert_emulator.ca_path.read_bytes())
    own = str(azcert_emulator.ca_path)
    values = {name: value for name, value in azcert_emulator.environment.items() if value is not None}
    values = {name: str(ca) if value == own else value for name, value in values.items()}
    values.pop("AZURE_CLIENT_CERTIFICATE_PATH", None)
    return values | {"AZCERT_STORE_ROOT": str(public_folder / "stores")}


def read_secret(user: User, source: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return user.azcert("secret", "get", SECRET, "--certificate", source, environment=environment)


@pytest.fixture
def source(azcert_emulator: AzcertEmulator, environment: dict[str, str]) -> str:
    """The app's certificate in LocalMachine/My, imported by root."""
    done = azcert(
        "import", azcert_emulator.certificate_path, "--store", "LocalMachine/My", environment=environment
    )
    assert done.returncode == 0, done.stderr
    return f"store:LocalMachine/My?thumbprint={done.stdout.strip()}"


def test_a_service_signs_in_from_grant_to_revoke_and_not_outside(
    source: str, environment: dict[str, str], service: User
) -> None:
    refused = read_secret(service, source, environment)
    assert refused.returncode == 1
    assert f"{service.name} may not use the private key" in refused.stderr
    assert ".key" in refused.stderr
    assert f"sudo azcert grant {source[-40:]} --store LocalMachine/My --user {service.name}" in refused.stderr

    granted = azcert("grant", source, "--user", service.name, environment=environment)
    assert granted.returncode == 0, granted.stderr
    read = read_secret(service, source, environment)
    assert (read.returncode, read.stdout) == (0, f"{SECRET_VALUE}\n"), read.stderr
    assert azcert("grant", source, environment=environment).stdout == f"user {service.name}\n"

    revoked = azcert("revoke", source, "--user", service.name, environment=environment)
    assert revoked.returncode == 0, revoked.stderr
    again = read_secret(service, source, environment)
    assert again.returncode == 1
    assert "may not use the private key" in again.stderr


def test_a_renewed_certificate_is_granted_to_those_who_had_the_old_one(
    source: str, environment: dict[str, str], service: User, public_folder: Path
) -> None:
    azcert("grant", source, "--user", service.name, environment=environment)
    azcert("new", "renewed", environment=environment, folder=public_folder)
    renewed = azcert(
        "import",
        "renewed.pem",
        *("--store", "LocalMachine/My", "--grants-of", source),
        environment=environment,
        folder=public_folder,
    )
    assert renewed.returncode == 0, renewed.stderr
    listed = azcert("grant", renewed.stdout.strip(), environment=environment)
    assert listed.stdout == f"user {service.name}\n"


def test_a_newer_certificate_without_a_grant_does_not_stop_a_service(
    source: str, environment: dict[str, str], service: User, public_folder: Path
) -> None:
    azcert("grant", source, "--user", service.name, environment=environment)
    newer = make("CN=azcert-demo", start=dt.datetime.now(dt.UTC).replace(microsecond=0))
    pem = public_folder / "newer.pem"
    pem.touch(mode=0o600)
    pem.write_bytes(writers.pem(key(), newer))
    imported = azcert("import", pem, "--store", "LocalMachine/My", environment=environment)
    assert imported.returncode == 0, imported.stderr
    read = read_secret(service, "store:LocalMachine/My?subject=azcert-demo", environment)
    assert (read.returncode, read.stdout) == (0, f"{SECRET_VALUE}\n"), read.stderr
    assert f"sudo azcert grant {newer.thumbprint}" in read.stderr


def test_a_grant_is_for_one_user_only(
    source: str, environment: dict[str, str], service: User, stranger: User
) -> None:
    azcert("grant", source, "--user", service.name, environment=environment)
    assert read_secret(service, source, environment).returncode == 0
    assert read_secret(stranger, source, environment).returncode == 1


def test_a_group_is_granted_and_revoked(
    source: str, environment: dict[str, str], service: User, stranger: User
) -> None:
    assert azcert("grant", source, "--group", service.name, environment=environment).returncode == 0
    assert azcert("grant", source, "--user", stranger.name, environment=environment).returncode == 0
    assert read_secret(service, source, environment).returncode == 0
    assert read_secret(stranger, source, environment).returncode == 0
    azcert("revoke", source, "--group", service.name, environment=environment)
    assert read_secret(service, source, environment).returncode == 1
    assert read_secret(stranger, source, environment).returncode == 0


def test_a_certificate_is_found_by_subject_without_its_key_being_open(
    source: str, environment: dict[str, str], service: User
) -> None:
    listed = service.azcert("list", environment=environment)
    assert listed.returncode == 0, listed.stderr
    assert "closed to you" in listed.stdout
    azcert("grant", source, "--user", service.name, environment=environment)
    assert "closed to you" not in service.azcert("list", environment=environment).stdout
    assert source[-40:] in listed.stdout


def test_a_user_may_neither_change_the_machines_store_nor_grant_in_it(
    source: str, environment: dict[str, str], service: User
) -> None:
    removed = service.azcert("remove", source, "--yes", environment=environment)
    assert removed.returncode == 1
    assert "may not write the store" in removed.stderr
    granted = service.azcert("grant", source, "--user", service.name, environment=environment)
    assert granted.returncode == 1
    assert "may not change who uses the key" in granted.stderr


def test_a_users_own_store_is_closed_to_others(
    azcert_emulator: AzcertEmulator, environment: dict[str, str], service: User, stranger: User
) -> None:
    del environment["AZCERT_STORE_ROOT"]
    pem = service.home / "app.pem"
    pem.write_bytes(azcert_emulator.certificate_path.read_bytes())
    pem.chmod(0o644)
    done = service.azcert("import", pem, environment=environment | {"AZCERT_ALLOW_OPEN_KEY_FILES": "true"})
    assert done.returncode == 0, done.stderr
    source = f"store:CurrentUser/My?thumbprint={done.stdout.strip()}"
    assert read_secret(service, source, environment).returncode == 0

    folder = service.home / ".local" / "share" / "azcert" / "stores" / "my"
    assert stranger.run("ls", folder, environment={}).returncode != 0
    there = {"HOME": str(service.home)}
    refused = stranger.azcert("list", "--store", "CurrentUser/My", environment=environment | there)
    assert refused.returncode == 1
    assert "may not" in refused.stderr


def test_a_planted_store_is_not_trusted_by_root(
    environment: dict[str, str], public_folder: Path, service: User
) -> None:
    planted = public_folder / "stores" / "LocalMachine" / "my"
    planted.mkdir(parents=True)
    for folder in (planted, *planted.parents[:2]):
        subprocess.run(["chown", service.name, str(folder)], check=True)
    refused = azcert("list", "--store", "LocalMachine/My", environment=environment)
    assert refused.returncode == 1
    assert f"belongs to {service.name}" in refused.stderr


def test_acls_are_those_that_getfacl_shows(
    source: str, environment: dict[str, str], public_folder: Path, service: User, stranger: User
) -> None:
    key = next(public_folder.glob("stores/LocalMachine/my/*.key"))
    azcert("grant", source, "--user", service.name, environment=environment)
    azcert("grant", source, "--group", stranger.name, environment=environment)
    shown = subprocess.run(
        ["getfacl", "--absolute-names", "--omit-header", str(key)], capture_output=True, text=True, check=True
    ).stdout.split()
    assert shown == [
        "user::rw-",
        f"user:{service.name}:r--",
        "group::---",
        f"group:{stranger.name}:r--",
        "mask::r--",
        "other::---",
    ]
    # And what setfacl writes is understood.
    subprocess.run(["setfacl", "-m", f"u:{stranger.name}:r", str(key)], check=True)
    assert azcert("grant", source, environment=environment).stdout.splitlines() == sorted(
        [f"group {stranger.name}", *sorted(f"user {name}" for name in (service.name, stranger.name))]
    )
    for kind, name in (("user", service.name), ("group", stranger.name), ("user", stranger.name)):
        azcert("revoke", source, f"--{kind}", name, environment=environment)
    assert key.stat().st_mode & 0o777 == 0o600
    assert azcert("grant", source, environment=environment).stdout == ""
