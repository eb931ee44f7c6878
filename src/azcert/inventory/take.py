"""Takes an inventory: reads what is not in the ledger yet, and tells how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from azcert.certificate.model import Certificate
from azcert.errors import RegistrationError
from azcert.inventory import reading
from azcert.inventory.model import Examined

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from azcert.inventory.ledger import Ledger
    from azcert.registration.model import Application
    from azcert.registration.sync import Registrations

__all__ = ["Progress", "take"]

_EXPIRED_TOKEN = "Directory_ExpiredPageToken"  # noqa: S105 - Graph's code for an old address of a page
_GONE = 404


@dataclass(frozen=True)
class Progress:
    """How far it is.

    :param stage: ``applications``, ``activity``, ``certificates``.
    :param total: None where Graph does not tell.
    """

    stage: str
    done: int
    total: int | None = None


def take(
    registrations: Registrations,
    ledger: Ledger,
    *,
    deep: bool = False,
    activity: bool = False,
    now: dt.datetime,
    told: Callable[[Progress], None] = lambda _: None,
) -> None:
    """Read the tenant into *ledger*, going on where an earlier run was stopped.

    :param deep: read each application that has a living certificate by itself, to see its key and signature.
    :param activity: read the report on sign-ins.
    :raises azcert.errors.AzcertError: Graph refused or could not be reached; the ledger keeps what was read.
    """
    _applications(registrations, ledger, told)
    if activity:
        _activity(registrations, ledger, told)
    if deep:
        _certificates(registrations, ledger, now, told)


def _applications(registrations: Registrations, ledger: Ledger, told: Callable[[Progress], None]) -> None:
    graph = registrations.graph
    resumed = url = ledger.progress("applications")
    if url is None:
        url = reading.applications_url(graph)
    while url:
        try:
            page = registrations.run(reading.page(graph, url))
        except RegistrationError as error:
            # The address of a page does not last for ever; of one just given it does.
            if url != resumed or error.details.get("graph_code") != _EXPIRED_TOKEN:
                raise
            ledger.forget_applications()
            url = reading.applications_url(graph)
            continue
        ledger.keep_page(page)
        told(Progress("applications", ledger.totals().applications))
        url = page.following


def _activity(registrations: Registrations, ledger: Ledger, told: Callable[[Progress], None]) -> None:
    graph, done = registrations.graph, 0
    url = ledger.progress("uses")
    if url is None:
        url = reading.uses_url(graph)
    while url:
        uses, following = registrations.run(reading.use_page(graph, url))
        ledger.keep_uses(uses, following)
        done += len(uses)
        told(Progress("activity", done))
        url = following or ""


def _certificates(
    registrations: Registrations, ledger: Ledger, now: dt.datetime, told: Callable[[Progress], None]
) -> None:
    waiting = ledger.unexamined(now)
    for done, object_id in enumerate(waiting, 1):
        try:
            found = registrations.run(reading.application(registrations.graph, object_id))
        except RegistrationError as error:
            # Somebody deleted it since it was listed.
            if error.details.get("status") != _GONE:
                raise
            ledger.keep_examined(object_id, ())
        else:
            ledger.keep_examined(object_id, _examined(found))
        told(Progress("certificates", done, len(waiting)))


def _examined(application: Application) -> Iterator[Examined]:
    from cryptography import x509  # noqa: PLC0415 - only a deep inventory reads certificates
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415

    for key in application.keys:
        if not key.key:
            continue
        try:
            certificate = Certificate(x509.load_der_x509_certificate(key.key))
        except ValueError:
            # Keys of other types are no certificates; there is nothing to judge.
            continue
        try:
            algorithm = certificate.leaf.signature_hash_algorithm
        except UnsupportedAlgorithm:
            algorithm = None
        yield Examined(
            key.key_id,
            certificate.key_type,
            certificate.key_size,
            None if algorithm is None else algorithm.name,
        )
