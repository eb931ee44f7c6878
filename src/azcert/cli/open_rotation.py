"""From a command's options to a rotation: its place, who changes the application, where its record is."""

from __future__ import annotations

import os
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from azcert.cli.credential_options import PASSWORD_VARIABLE, credential_from
from azcert.cli.output import talk
from azcert.cli.password import with_password

if TYPE_CHECKING:
    from contextlib import ExitStack
    from pathlib import Path

    from azcert.rotation.plan import Step
    from azcert.rotation.run import Rotation, Rules

__all__ = ["open_rotation"]


def open_rotation(
    opened: ExitStack,
    source: str,
    object_id: str | None,
    *,
    scope: str,
    rules: Rules,
    state_folder: Path | None,
    lease: str | None,
    identity: dict[str, Any],
) -> Rotation:
    """Return the rotation that the options of a command stand for.

    :param opened: closes what it needs.
    :param object_id: the application that changes its own keys; without it, who is signed in here does.
    :param lease: URL of the Redis that hosts share, ``none``, or None for that of the token cache.
    :param identity: the options of `azcert.cli.credential_options`.
    """
    from azcert._redact import Secret
    from azcert.cli.directory_identity import registrations
    from azcert.rotation.place import Place, open_place
    from azcert.rotation.prover import Prover
    from azcert.rotation.records.record import LocalRecord, Record, journal_path
    from azcert.rotation.registrar import DirectoryRegistrar, OwnRegistrar, Registrar
    from azcert.rotation.run import Rotation

    password: Secret | None = identity["certificate_password"]
    if password is None and os.environ.get(PASSWORD_VARIABLE):
        password = Secret(os.environ[PASSWORD_VARIABLE])
    journal = journal_path(source, identity["client_id"], state_folder)

    def readable(given: Secret | None) -> Place:
        place = open_place(source, password=given, work=journal.parent)
        place.current()
        return place

    place = with_password(readable, password, name=source)
    as_app = {**identity, "certificate": source, "certificate_password": place.password}
    credential_from(**as_app).close()
    registrar: Registrar
    if object_id:
        own = opened.enter_context(closing(registrations(**as_app)))
        registrar = OwnRegistrar(own, object_id, place.in_use)
    else:
        others = opened.enter_context(closing(registrations(**{**identity, "certificate": None})))
        registrar = DirectoryRegistrar(others, identity["client_id"])
    record: Record = LocalRecord(journal)
    if url := _lease_url(lease):
        from azcert.rotation.records.lease import Lease
        from azcert.rotation.records.shared_record import SharedRecord

        between = opened.enter_context(closing(Lease(url, identity["tenant_id"], identity["client_id"])))
        record = SharedRecord(LocalRecord(journal), between, place)

    def pause(seconds: float) -> None:
        record.hold()
        time.sleep(seconds)

    prover = Prover(
        identity["tenant_id"],
        identity["client_id"],
        scope=scope,
        sleep=pause,
        authority=identity["authority"],
        send_certificate_chain=identity["send_certificate_chain"],
        disable_instance_discovery=identity["disable_instance_discovery"],
    )
    return Rotation(place, registrar, prover, record, rules=rules, told=_tell)


def _lease_url(given: str | None) -> str | None:
    if given is None:
        cache = os.environ.get("AZCERT_TOKEN_CACHE", "").strip()
        return cache.partition("#")[0] if "://" in cache else None
    return None if given == "none" else given


def _tell(step: Step) -> None:
    from azcert.rotation.plan import MEANING

    talk(f"{step}: {MEANING[step]}")
