"""Seed files: what they say comes to be, and what is wrong in them is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from jsonschema import Draft202012Validator

from azcert.emulator.entra.directory import find_app, find_tenant, registered_keys, secret_state
from azcert.emulator.ready_made import CLIENT_ID, TENANT_ID, client_pem, ready_made
from azcert.emulator.seed import check, plant, read_seed, register
from azcert.emulator.seed_schema import SCHEMA
from azcert.emulator.world import World
from azcert.errors import CertificateError, ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

CONTOSO = """
tenants:
  - domains: [contoso.com]
    apps:
      - name: worker
        certificates: [worker.pem, {file: old.cer, displayName: old}]
        secrets: [first-secret, {text: second-secret, expires: "2020-01-01T00:00:00Z"}]
      - name: reader
    vaults:
      - name: kv-contoso
        suffix: vault.usgovcloudapi.net
        retentionDays: 7
        secrets:
          plain: value
          rich: {value: v, contentType: text/plain, tags: {team: a}, enabled: false}
        roles: {worker: [Key Vault Secrets User], reader: [Key Vault Reader]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pem = client_pem("worker")
    (tmp_path / "worker.pem").write_bytes(pem)
    certificate = x509.load_pem_x509_certificate(client_pem("old"))
    (tmp_path / "old.cer").write_bytes(certificate.public_bytes(Encoding.DER))
    (tmp_path / "seed.yaml").write_text(CONTOSO)
    return tmp_path


def test_a_seed_file_becomes_tenants_apps_and_vaults(folder: Path) -> None:
    world = World()
    identity = plant(world, read_seed(folder / "seed.yaml"), folder)
    assert identity.tenant_id == TENANT_ID
    assert identity.certificate == folder / "worker.pem"
    assert identity.pem is None
    assert identity.vault_url == "https://kv-contoso.vault.usgovcloudapi.net"
    assert find_tenant(world, "CONTOSO.com")
    app = find_app(world, identity.client_id, TENANT_ID)
    assert app is not None
    assert [key["displayName"] for key in app["keyCredentials"]] == ["CN=worker", "old"]
    assert len(registered_keys(world, app)) == 2
    assert secret_state(world, app, "first-secret")[0] == "good"
    assert secret_state(world, app, "second-secret")[0] == "wrong"
    vault = world.documents.get("vault", "kv-contoso")
    assert vault == {
        "name": "kv-contoso",
        "tenant": TENANT_ID,
        "suffix": "vault.usgovcloudapi.net",
        "retentionDays": 7,
    }
    assert world.documents.get("role", f"kv-contoso/{app['servicePrincipalId']}") == [
        "Key Vault Secrets User"
    ]
    rich = world.documents.get("secret", "kv-contoso/rich")
    assert rich is not None
    assert rich["versions"][0]["attributes"]["enabled"] is False
    assert rich["versions"][0]["tags"] == {"team": "a"}


def test_ids_are_the_same_at_every_start(folder: Path) -> None:
    seed = read_seed(folder / "seed.yaml")
    assert plant(World(), seed, folder).client_id == plant(World(), seed, folder).client_id


def test_json_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "seed.json").write_text(json.dumps(ready_made()))
    identity = plant(World(), read_seed(tmp_path / "seed.json"), tmp_path)
    assert identity.client_id == CLIENT_ID
    assert identity.pem


def test_the_ready_made_tenant_is_a_valid_seed() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    check(ready_made(), "ready-made")


def seed(**changes: Any) -> dict[str, Any]:
    return {"tenants": [{"apps": [{"name": "a"}], "vaults": [{"name": "kv-a"}], **changes}]}


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        ({}, "its top", "'tenants' is a required property"),
        (seed(id="x"), "tenants[0].id", "does not match"),
        (seed(apps=[{"nme": "a"}]), "tenants[0].apps[0]", "nme"),
        (seed(vaults=[{"name": "x"}]), "tenants[0].vaults[0].name", "does not match"),
        (seed(vaults=[{"name": "kv-a", "roles": {"b": []}}]), "roles.b", "no app of this tenant"),
        (seed(vaults=[{"name": "kv-a", "roles": {"a": ["Boss"]}}]), "roles.a", "unknown role 'Boss'"),
        (seed(vaults=[{"name": "kv-a", "secrets": {"a_b": "x"}}]), "secrets", "a_b"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    content: dict[str, Any], place: str, words: str, tmp_path: Path
) -> None:
    file = tmp_path / "seed.json"
    file.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError) as caught:
        read_seed(file)
    assert caught.value.code == "seed-invalid"
    for expected in (str(file), place, words):
        assert expected in caught.value.message


@pytest.mark.parametrize("text", ["{", "- [", "\x00"])
def test_what_cannot_be_read_is_told(text: str, tmp_path: Path) -> None:
    for name in ("seed.json", "seed.yaml"):
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigurationError, match=name):
            read_seed(tmp_path / name)
    with pytest.raises(ConfigurationError, match="absent"):
        read_seed(tmp_path / "absent.yaml")


def test_a_certificate_that_is_not_there_leaves_the_world_as_it_was(folder: Path) -> None:
    (folder / "old.cer").unlink()
    world = World()
    with pytest.raises(ConfigurationError, match=r"old\.cer"):
        plant(world, read_seed(folder / "seed.yaml"), folder)
    assert world.documents.snapshot() == []


def test_a_certificate_is_registered_once(folder: Path) -> None:
    world = World()
    identity = plant(world, ready_made(), folder, fresh=False)
    for _ in range(2):
        register(world, identity.client_id, folder / "worker.pem")
    app = find_app(world, CLIENT_ID, TENANT_ID)
    assert app is not None
    assert [key["displayName"] for key in app["keyCredentials"]] == ["CN=worker"]
    (folder / "nothing.pem").write_text("nothing")
    with pytest.raises(CertificateError):
        register(world, identity.client_id, folder / "nothing.pem")
