"""A rotation of the emulator's ready-made app, by the app itself, with a journal of its own."""

from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

from azcert.credential.sync import CertificateCredential
from azcert.emulator.ready_made import OBJECT_ID
from azcert.registration.sync import Registrations
from azcert.rotation.place import open_place
from azcert.rotation.prover import Prover
from azcert.rotation.records.record import LocalRecord
from azcert.rotation.registrar import OwnRegistrar
from azcert.rotation.run import Rotation, Rules
from azcert.sources.key_places.key_place import make_key
from azcert.sources.key_places.signer_place import Wanted
from support.emulated import key_credential

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.certificate.model import Certificate
    from azcert.emulator.fixture import AzcertEmulator
    from azcert.rotation.records.record import Record
    from azcert.rotation.registrar import Registrar

__all__ = ["SCOPE", "make_certificate", "register", "registered", "rotation", "sign_in"]

SCOPE = "https://vault.azure.net/.default"


def rotation(
    emulator: AzcertEmulator,
    source: str,
    folder: Path,
    *,
    overlap: float = 0.0,
    by_authority: bool = False,
    record: Record | None = None,
    registrar: Registrar | None = None,
    **more: Any,
) -> Rotation:
    """Return the rotation of *source*; the environment must be the emulator's."""
    place = open_place(source, work=folder)
    if registrar is None:
        credential = CertificateCredential(emulator.tenant_id, emulator.client_id, certificate=source)
        registrar = OwnRegistrar(Registrations(credential), OBJECT_ID, place.in_use)
    prover = Prover(
        emulator.tenant_id,
        emulator.client_id,
        scope=SCOPE,
        in_a_row=2,
        sleep=lambda _: time.sleep(0.05),
    )
    rules = Rules(overlap=overlap, by_authority=by_authority)
    record = record or LocalRecord(folder / "rotation.json")
    return Rotation(place, registrar, prover, record, rules=rules, **more)


def sign_in(emulator: AzcertEmulator, source: str) -> str:
    """Sign in anew with what *source* gives now; return the token."""
    with CertificateCredential(emulator.tenant_id, emulator.client_id, certificate=source) as credential:
        return credential.get_token(SCOPE).token


def registered(emulator: AzcertEmulator) -> set[str]:
    """Return the thumbprints on the app."""
    app = emulator.world.documents.get("app", emulator.client_id)
    assert app is not None
    return {key["customKeyIdentifier"] for key in app["keyCredentials"]}


def register(emulator: AzcertEmulator, certificate: Certificate, *, beside: bool = False) -> None:
    """Make *certificate* the app's only one, or one beside all others, as an administrator did long ago."""
    app = emulator.world.documents.get("app", emulator.client_id)
    assert app is not None
    others = app["keyCredentials"] if beside else []
    app["keyCredentials"] = [*others, key_credential(certificate.leaf)]
    emulator.world.documents.put("app", emulator.client_id, app)


def make_certificate(source: str, *, days: int = 90) -> Certificate:
    """Make a key with its certificate where *source* says."""
    key = make_key(source, name="app")
    try:
        certificate, _ = key.self_signed(Wanted("app", days=days), now=dt.datetime.now(dt.UTC))
    finally:
        key.close()
    return certificate
