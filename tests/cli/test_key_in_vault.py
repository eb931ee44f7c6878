"""``--key keyvault:...``: the vault makes the key and keeps it; here the vault is the emulator's."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from cryptography.x509.oid import ExtendedKeyUsageOID

from azcert.certificate.proof import holds
from azcert.certificate.signer import Algorithm
from azcert.sources.open import open_source
from corpus.containers import openssl
from corpus.material import Material, certificate_pem, key_pem
from support.command import azcert

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator


@pytest.fixture
def key(azcert_environment: AzcertEmulator) -> str:
    """A place in a vault that the environment's identity may do everything in."""
    documents = azcert_environment.world.documents
    for name, _ in documents.items("role"):
        documents.put("role", name, ["Key Vault Administrator"])
    return f"keyvault:{azcert_environment.vault_name}/app"


def test_the_vault_signs_its_own_certificate(tmp_path: Path, key: str) -> None:
    done = azcert("new", "app", "--key", key, "--dns", "app.contoso.com", "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["source"] == key
    loaded = open_source(key).load()
    assert loaded.certificate.thumbprint == told["thumbprint"]
    usage = loaded.certificate.leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert holds(
        loaded.signer.public_key(), b"data", loaded.signer.sign(b"data", Algorithm.PS256), Algorithm.PS256
    )
    public = x509.load_pem_x509_certificate((tmp_path / "app.cer").read_bytes())
    assert public == loaded.certificate.leaf


def test_an_authority_answers_the_vaults_request(tmp_path: Path, key: str) -> None:
    authority = Material(dt.datetime.now(dt.UTC).replace(microsecond=0))
    made = azcert("csr", "app", "--key", key, "--subject", "CN=app,O=Contoso", folder=tmp_path)
    assert made.returncode == 0, made.stderr
    answer = openssl(
        *("x509", "-req", "-in", "request", "-CA", "ca", "-CAkey", "cakey", "-days", "30"),
        *("-CAcreateserial", "-copy_extensions", "copy", "-out", "out"),
        request=(tmp_path / "app.csr").read_bytes(),
        ca=certificate_pem(authority.root),
        cakey=key_pem(authority.root_key),
    )
    leaf = x509.load_pem_x509_certificate(answer)
    (tmp_path / "answer.p7b").write_bytes(pkcs7.serialize_certificates([authority.root, leaf], Encoding.DER))
    done = azcert("accept", "answer.p7b", "--key", key, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = open_source(key).load()
    assert loaded.certificate.leaf == leaf
    assert loaded.certificate.subject == "CN=app,O=Contoso"


def test_the_answer_to_another_request_is_refused_before_the_vault_is_asked(tmp_path: Path, key: str) -> None:
    authority = Material(dt.datetime.now(dt.UTC).replace(microsecond=0))
    assert azcert("csr", "app", "--key", key, folder=tmp_path).returncode == 0
    (tmp_path / "answer.cer").write_bytes(certificate_pem(authority.leaf))
    done = azcert("accept", "answer.cer", "--key", key, folder=tmp_path)
    assert done.returncode == 1
    assert "CN=app" in done.stderr
    assert key in done.stderr


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("new", "app", "--days", "20"), "months"),
        (("new", "app", "--dns", "10.0.0.1"), "IP addresses"),
        (("accept", "answer.cer"), "not"),
    ],
)
def test_what_the_vault_cannot_do_is_said(
    tmp_path: Path, key: str, arguments: tuple[str, ...], word: str
) -> None:
    authority = Material(dt.datetime.now(dt.UTC).replace(microsecond=0))
    (tmp_path / "answer.cer").write_bytes(certificate_pem(authority.other))
    done = azcert(*arguments, "--key", key, folder=tmp_path)
    assert done.returncode == 1
    assert word in done.stderr
    assert "Traceback" not in done.stderr
