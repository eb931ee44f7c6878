"""Every place x (create, import, sign in, rotate, wrong input): it works, or the refusal says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

from azcert import CertificateCredential
from azcert.aio import CertificateCredential as AsyncCertificateCredential
from azcert.emulator.ready_made import SECRET, SECRET_VALUE
from azcert.errors import AzcertError
from azcert.rotation.plan import Step
from azcert.sources.open import open_source
from support.places import PLACES, Place
from support.rotating import registered, rotation, sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator


@pytest.fixture(params=PLACES, ids=lambda place: place.name)
def place(
    request: pytest.FixtureRequest,
    azcert_environment: AzcertEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Place:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AZCERT_STORE_ROOT", str(tmp_path / "stores"))
    monkeypatch.delenv("AZCERT_PKCS11_PIN", raising=False)
    made: type[Place] = request.param
    return made(tmp_path, azcert_environment, request, monkeypatch)


def refused(error: AzcertError, code: str) -> None:
    """A refusal is one sentence for a person and a code for a program, and says what to do instead."""
    assert error.code == code
    assert error.message.endswith(".")
    assert error.remedy


def test_create(place: Place, azcert_environment: AzcertEmulator) -> None:
    if place.create_code is None:
        assert sign_in(azcert_environment, place.create())
        return
    with pytest.raises(AzcertError) as caught:
        place.create()
    refused(caught.value, place.create_code)


def test_import(place: Place, azcert_environment: AzcertEmulator) -> None:
    if place.import_code is None:
        assert sign_in(azcert_environment, place.take(azcert_environment.certificate_path))
        return
    with pytest.raises(AzcertError) as caught:
        place.take(azcert_environment.certificate_path)
    refused(caught.value, place.import_code)


def test_sign_in(place: Place, azcert_environment: AzcertEmulator) -> None:
    with (
        CertificateCredential(
            azcert_environment.tenant_id, azcert_environment.client_id, certificate=place.ready()
        ) as credential,
        SecretClient(azcert_environment.vault_url, credential) as client,
    ):
        assert client.get_secret(SECRET).value == SECRET_VALUE


async def test_sign_in_with_asyncio(place: Place, azcert_environment: AzcertEmulator) -> None:
    async with (
        AsyncCertificateCredential(
            azcert_environment.tenant_id, azcert_environment.client_id, certificate=place.ready()
        ) as credential,
        AsyncSecretClient(azcert_environment.vault_url, credential) as client,
    ):
        assert (await client.get_secret(SECRET)).value == SECRET_VALUE


def test_rotate(place: Place, azcert_environment: AzcertEmulator, tmp_path: Path) -> None:
    source = place.ready()
    if place.rotate_code is not None:
        with pytest.raises(AzcertError) as caught:
            rotation(azcert_environment, source, tmp_path)
        refused(caught.value, place.rotate_code)
        return
    before = registered(azcert_environment)
    assert rotation(azcert_environment, source, tmp_path).run(force=True) is Step.DONE
    opened = open_source(source)
    found = opened.load()
    found.signer.close()
    opened.close()
    after = registered(azcert_environment)
    assert found.certificate.thumbprint in after - before
    assert len(after) == len(before)
    sign_in(azcert_environment, source)


def test_wrong_input(place: Place) -> None:
    cases = place.wrong()
    told = dict(zip(cases, place.refusals(source for source, _ in cases.values()), strict=True))
    assert {what: error and error.code for what, error in told.items()} == {
        what: code for what, (_, code) in cases.items()
    }
    assert all(error is not None and error.message for error in told.values())
