"""The official SecretClient reads a secret with a certificate from a store, renewed or not."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from typing import TYPE_CHECKING

import pytest
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from azcert import CertificateCredential, SelectionError
from azcert.aio import CertificateCredential as AsyncCertificateCredential
from azcert.certificate.model import Certificate
from azcert.emulator.ready_made import SECRET, SECRET_VALUE
from azcert.stores.directory.store import DirectoryStore
from azcert.stores.dotnet import DotnetStore
from support.emulated import key_credential
from support.stored import MY, key, make

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

SCOPE = "https://vault.azure.net/.default"


@pytest.fixture
def app(azcert_environment: AzcertEmulator) -> tuple[Certificate, RSAPrivateKey]:
    """The app's certificate and key."""
    pem = azcert_environment.certificate_path.read_bytes()
    private = load_pem_private_key(pem, None)
    assert isinstance(private, RSAPrivateKey)
    return Certificate(x509.load_pem_x509_certificates(pem)[0]), private


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DirectoryStore:
    monkeypatch.setenv("AZCERT_STORE_ROOT", str(tmp_path / "stores"))
    return DirectoryStore(MY)


def credential(emulator: AzcertEmulator, certificate: str) -> CertificateCredential:
    return CertificateCredential(emulator.tenant_id, emulator.client_id, certificate=certificate)


@pytest.mark.parametrize(
    "spelling",
    ["store:CurrentUser/My?thumbprint={0}", "cert:/CurrentUser/My/{0}", "store:CurrentUser/My?subject={1}"],
)
def test_a_secret_is_read(
    azcert_environment: AzcertEmulator,
    app: tuple[Certificate, RSAPrivateKey],
    store: DirectoryStore,
    spelling: str,
) -> None:
    store.add(*app)
    source = spelling.format(app[0].thumbprint, app[0].subject)
    with (
        credential(azcert_environment, source) as signed_in,
        SecretClient(azcert_environment.vault_url, signed_in) as client,
    ):
        assert client.get_secret(SECRET).value == SECRET_VALUE


async def test_a_secret_is_read_in_asyncio(
    azcert_environment: AzcertEmulator, app: tuple[Certificate, RSAPrivateKey], store: DirectoryStore
) -> None:
    store.add(*app)
    async with (
        AsyncCertificateCredential(
            azcert_environment.tenant_id,
            azcert_environment.client_id,
            certificate=f"store:CurrentUser/My?thumbprint={app[0].thumbprint}",
        ) as signed_in,
        AsyncSecretClient(azcert_environment.vault_url, signed_in) as client,
    ):
        assert (await client.get_secret(SECRET)).value == SECRET_VALUE


def test_a_secret_is_read_with_dotnets_certificate(
    azcert_environment: AzcertEmulator,
    app: tuple[Certificate, RSAPrivateKey],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    DotnetStore(MY).add(*app)
    source = f"dotnet:CurrentUser/My?thumbprint={app[0].thumbprint}"
    with credential(azcert_environment, source) as signed_in:
        assert signed_in.get_token(SCOPE).token


def test_a_renewed_certificate_signs_the_next_request(
    azcert_environment: AzcertEmulator, store: DirectoryStore
) -> None:
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    old = make("CN=renewed", start=now - dt.timedelta(days=20))
    new = make("CN=renewed", start=now - dt.timedelta(days=1))
    register(azcert_environment, old, new)
    store.add(old, key())
    with credential(azcert_environment, "store:CurrentUser/My?subject=renewed") as signed_in:
        signed_in.get_token(SCOPE)
        store.add(new, key())
        signed_in.get_token("https://graph.microsoft.com/.default")
    assert [request["assertion"]["header"]["x5t#S256"] for request in azcert_environment.record] == [
        base64.urlsafe_b64encode(hashlib.sha256(each.der).digest()).rstrip(b"=").decode()
        for each in (old, new)
    ]


def register(emulator: AzcertEmulator, *certificates: Certificate) -> None:
    documents = emulator.world.documents
    app = documents.get("app", emulator.client_id)
    assert app is not None
    app["keyCredentials"] = [key_credential(each.leaf) for each in certificates]
    documents.put("app", emulator.client_id, app)


def test_an_absent_certificate_is_an_error_at_once(
    azcert_environment: AzcertEmulator, store: DirectoryStore
) -> None:
    with pytest.raises(SelectionError) as caught:
        credential(azcert_environment, f"store:CurrentUser/My?thumbprint={'0' * 40}")
    assert caught.value.code == "not-found"
    assert str(store.folder) in str(caught.value)
