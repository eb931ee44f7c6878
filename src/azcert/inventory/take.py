"""Takes an inventory: reads what is not in the ledger yet, and tells how far it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from azcert.certificate.model import Certificate
from azcert.errors import RegistrationError
from azcert.inventory import reading
from azcert.inventory.model import Examined
from azcert.registration.applications import Applications
from azcert.registration.graph import BATCH
from azcert.wire.message import Pause

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from azcert.inventory.ledger import Ledger
    from azcert.registration.model import Application
    from azcert.registration.sync import Registrations
    from azcert.wire.message import Flow

__all__ = ["Progress", "take"]

_EXPIRED_TOKEN = "Directory_ExpiredPageToken"  # noqa: S105 - Graph's code for an old address of a page
_FRUITLESS = 8
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True)
class Progress:
    """How far it is.

    :param stage: ``applications``, ``activity``, ``certificates``.
    :param total: None where Graph does not tell.
    :param pause: seconds for which nothing happens now, because Graph throttles.
    """

    stage: str
    done: int
    total: int | None = None
    pause: float = 0.0


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
    flows = Applications(registrations.graph)

    def read(url: str) -> str | None:
        page = registrations.run(flows.page(url))
        ledger.keep_page(page)
        told(Progress("applications", ledger.totals().applications))
        return page.following

    _pages(ledger.progress("applications"), flows.first_page(), read, ledger.forget_applications)


def _activity(registrations: Registrations, ledger: Ledger, told: Callable[[Progress], None]) -> None:
    done = 0

    def read(url: str) -> str | None:
        nonlocal done
        uses, following = registrations.run(reading.use_page(registrations.graph, url))
        ledger.keep_uses(uses, following)
        done += len(uses)
        told(Progress("activity", done))
        return following

    _pages(ledger.progress("uses"), reading.uses_url(registrations.graph), read, ledger.forget_uses)


def _pages(
    resumed: str | None, first: str, read: Callable[[str], str | None], forget: Callable[[], None]
) -> None:
    """Read page after page, from where an earlier run was stopped; *read* tells the next page's address."""
    url = first if resumed is None else resumed
    while url:
        try:
            url = read(url) or ""
        except RegistrationError as error:
            # The address of a page does not last for ever; of one just given it does.
            if url != resumed or error.details.get("graph_code") != _EXPIRED_TOKEN:
                raise
            forget()
            url = first


def _certificates(
    registrations: Registrations, ledger: Ledger, now: dt.datetime, told: Callable[[Progress], None]
) -> None:
    waiting = ledger.unexamined(now)
    total, fruitless = len(waiting), 0
    while waiting:
        asked, rest = waiting[:BATCH], waiting[BATCH:]
        answers = registrations.run(reading.applications(registrations.graph, asked))
        ledger.keep_examined(
            {each: [] if found is None else list(_examined(found)) for each, found in answers.found.items()}
        )
        waiting = answers.later + rest
        done = total - len(waiting)
        if answers.refused is not None:
            raise answers.refused
        fruitless = 0 if answers.found else fruitless + 1
        if fruitless == _FRUITLESS:
            raise RegistrationError(
                f"Microsoft Graph gave {done:,} of {total:,} applications, then none {_FRUITLESS} times.",
                code="throttled",
                remedy="Try again later; with --resume FILE it goes on from there.",
            )
        pause = 0.0
        if answers.later:
            pause = answers.retry_after or min(2.0 ** (fruitless + 1), _LONGEST_PAUSE)
        told(Progress("certificates", done, total, pause))
        if pause:
            registrations.run(_rest(pause))


def _rest(seconds: float) -> Flow[None]:
    yield Pause(seconds)


def _examined(application: Application) -> Iterator[Examined]:
    from cryptography import x509  # only a deep inventory reads certificates
    from cryptography.exceptions import UnsupportedAlgorithm

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
