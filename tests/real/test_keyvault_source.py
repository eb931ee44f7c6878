"""A certificate whose key never leaves Key Vault signs in, opened by another identity."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from azure.keyvault.certificates import CertificateClient, CertificatePolicy
from azure.keyvault.secrets import SecretClient

from azcert import CertificateCredential
from azcert.certificate.proof import holds
from azcert.certificate.signer import Algorithm
from azcert.certificate.writers import public_pem
from azcert.emulator.ready_made import SECRET, SECRET_VALUE
from azcert.emulator.seed import register
from azcert.errors import AccessError, AzcertError, SelectionError, TransportError
from azcert.sources.open import open_source
from azcert.sources.openers.keyvault import KeyVaultSource
from azcert.sources.uris.uri import KeyVaultUri

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator


@pytest.fixture
def opener(azcert_environment: AzcertEmulator) -> Iterator[CertificateCredential]:
    """The identity that opens the vault, and may do everything there."""
    documents = azcert_environment.world.documents
    for key, _ in documents.items("role"):
        documents.put("role", key, ["Key Vault Administrator"])
    with CertificateCredential(
        azcert_environment.tenant_id,
        azcert_environment.client_id,
        certificate=azcert_environment.certificate_path,
    ) as credential:
        yield credential


def create(emulator: AzcertEmulator, opener: CertificateCredential, *, exportable: bool = False) -> str:
    """A new version of the certificate ``app``; return its version."""
    policy = CertificatePolicy(
        issuer_name="Self", subject="CN=vault-app", exportable=exportable, key_type="RSA", key_size=2048
    )
    with CertificateClient(emulator.vault_url, opener) as client:
        client.begin_create_certificate("app", policy).result(30)
        made = client.get_certificate("app").properties
    assert made is not None
    return str(made.version)


def uri(emulator: AzcertEmulator, more: str = "") -> str:
    return f"keyvault:{emulator.vault_name}/app{more}"


def test_the_vault_signs_in_and_a_secret_is_read(
    azcert_environment: AzcertEmulator, opener: CertificateCredential, tmp_path: Path
) -> None:
    create(azcert_environment, opener)
    source = open_source(uri(azcert_environment), credential=opener)
    found = source.load()
    assert found.signer.protection == "keyvault"
    assert "/keys/app/" in found.signer.place
    (tmp_path / "app.cer").write_bytes(public_pem(found.certificate))
    register(azcert_environment.world, azcert_environment.client_id, tmp_path / "app.cer")
    with (
        CertificateCredential(
            azcert_environment.tenant_id, azcert_environment.client_id, certificate=source
        ) as credential,
        SecretClient(azcert_environment.vault_url, credential) as client,
    ):
        assert client.get_secret(SECRET).value == SECRET_VALUE


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_the_certificate_confirms_what_the_vault_signs(
    azcert_environment: AzcertEmulator, opener: CertificateCredential, algorithm: Algorithm
) -> None:
    create(azcert_environment, opener)
    signer = open_source(uri(azcert_environment), credential=opener).load().signer
    assert holds(signer.public_key(), b"data", signer.sign(b"data", algorithm), algorithm)
    signer.close()
    with pytest.raises(AzcertError) as caught:
        signer.sign(b"data", algorithm)
    assert caught.value.code == "closed"


def test_a_new_version_is_followed_and_a_disabled_one_is_not(
    azcert_environment: AzcertEmulator, opener: CertificateCredential
) -> None:
    seconds = 0.0
    first = create(azcert_environment, opener)
    source = KeyVaultSource(
        KeyVaultUri(azcert_environment.vault_name, "app"), credential=opener, monotonic=lambda: seconds
    )
    old = source.load()
    assert first in old.signer.place
    before = source.revision()
    azcert_environment.clock.advance(1)
    second = create(azcert_environment, opener)
    assert source.revision() == before
    seconds = 301.0
    assert source.revision() != before
    new = source.load()
    assert second in new.signer.place
    assert source.load(skip=frozenset({new.certificate.thumbprint})).certificate == old.certificate
    with CertificateClient(azcert_environment.vault_url, opener) as client:
        client.update_certificate_properties("app", second, enabled=False)
    assert first in source.load().signer.place
    with CertificateClient(azcert_environment.vault_url, opener) as client:
        client.update_certificate_properties("app", first, enabled=False)
    with pytest.raises(SelectionError) as caught:
        source.load()
    assert caught.value.code == "not-found"
    assert "not enabled" in caught.value.message


def test_one_version_can_be_named(azcert_environment: AzcertEmulator, opener: CertificateCredential) -> None:
    first = create(azcert_environment, opener)
    create(azcert_environment, opener)
    found = open_source(uri(azcert_environment, f"/{first}"), credential=opener).load()
    assert first in found.signer.place


def test_an_exportable_key_is_downloaded_when_that_is_asked_for(
    azcert_environment: AzcertEmulator, opener: CertificateCredential
) -> None:
    create(azcert_environment, opener, exportable=True)
    found = open_source(uri(azcert_environment, "?download=true"), credential=opener).load()
    assert found.signer.protection == "memory"
    signature = found.signer.sign(b"data", Algorithm.PS256)
    assert holds(found.signer.public_key(), b"data", signature, Algorithm.PS256)
    public = open_source(uri(azcert_environment), credential=opener).load().certificate
    assert found.certificate.thumbprint == public.thumbprint


def test_a_key_that_is_not_exportable_is_not_downloaded(
    azcert_environment: AzcertEmulator, opener: CertificateCredential
) -> None:
    create(azcert_environment, opener)
    with pytest.raises(AzcertError) as caught:
        open_source(uri(azcert_environment, "?download=true"), credential=opener).load()
    assert caught.value.code == "key-not-exportable"
    assert "download=true" in (caught.value.remedy or "")


def test_an_expired_certificate_is_refused(
    azcert_environment: AzcertEmulator, opener: CertificateCredential
) -> None:
    create(azcert_environment, opener)
    source = KeyVaultSource(
        KeyVaultUri(azcert_environment.vault_name, "app"),
        credential=opener,
        now=lambda: dt.datetime.now(dt.UTC) + dt.timedelta(days=1000),
    )
    with pytest.raises(AzcertError) as caught:
        source.load()
    assert caught.value.code == "expired"


def test_a_missing_certificate_is_named_and_changes_the_revision(
    azcert_environment: AzcertEmulator, opener: CertificateCredential
) -> None:
    source = open_source(f"keyvault:{azcert_environment.vault_name}/nobody", credential=opener)
    with pytest.raises(SelectionError) as caught:
        source.load()
    assert caught.value.code == "not-found"
    assert source.revision() == frozenset()


def test_a_vault_that_is_not_there_is_no_answer(
    azcert_environment: AzcertEmulator, opener: CertificateCredential
) -> None:
    with pytest.raises(TransportError) as caught:
        open_source("keyvault:no-such-vault/app", credential=opener).load()
    assert "no-such-vault" in caught.value.message


def test_an_identity_without_a_role_is_told_which_one(
    azcert_environment: AzcertEmulator, opener: CertificateCredential
) -> None:
    create(azcert_environment, opener)
    documents = azcert_environment.world.documents
    for key, _ in documents.items("role"):
        documents.delete("role", key)
    with pytest.raises(AccessError) as caught:
        open_source(uri(azcert_environment), credential=opener).load()
    assert caught.value.code == "vault-forbidden"
    assert "Key Vault Crypto User" in (caught.value.remedy or "")
