"""How a rotation begins: what it notes before anything is done, and what an authority's answer must be."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from azcert.errors import ConfigurationError
from azcert.rotation.records.journal import Journal
from azcert.rotation.successor import issued

if TYPE_CHECKING:
    import datetime as dt

    from azcert.rotation.place import Place
    from azcert.rotation.records.record import Record
    from azcert.rotation.registrar import Registrar
    from azcert.rotation.successor import Answer

__all__ = ["accepted", "begin", "begun_otherwise"]


def begin(place: Place, registrar: Registrar, record: Record, *, by_authority: bool) -> Journal:
    """Return the journal of a rotation that has done nothing yet.

    :param by_authority: an authority issues the successor.
    :raises ConfigurationError: ``not-rotatable``: only an authority can issue it.
    """
    old = place.current()
    if not old.is_self_signed and not by_authority:
        raise ConfigurationError(
            f"The certificate of {place.name} was issued by {old.issuer}; a self-signed successor would "
            "not be what it is.",
            code="not-rotatable",
            remedy=f"Ask its authority for the next one: azcert rotate {quote(place.name)} --csr FILE",
            source=place.name,
        )
    known = registrar.key_ids(old.thumbprint)
    return Journal(
        source=place.name,
        old=old.thumbprint,
        old_key_id=known[0] if known else record.remembered_id(old.thumbprint),
        staged=place.next_key(),
        by_authority=by_authority,
    )


def accepted(journal: Journal | None, answer: Answer, place: Place, *, now: dt.datetime) -> Journal | None:
    """Return the journal with the authority's certificate in it; None where that is in use already.

    :raises azcert.errors.AzcertError: nothing was asked, or this does not answer it, or the source would not
        give it.
    """
    if journal is None and answer.holds(place.current()):
        return None
    if journal is None or journal.asked_key is None:
        raise ConfigurationError(
            f"No rotation of {place.name} waits for the answer of an authority.",
            code="nothing-asked",
            remedy=f"Make the request first: azcert rotate {quote(place.name)} --csr FILE",
            source=place.name,
        )
    if journal.successor is None:
        successor = issued(answer, journal.asked_key, place=journal.staged, now=now)
        place.judge(successor)
        return journal.with_successor(successor)
    if not answer.holds(journal.successor):
        raise ConfigurationError(
            f"{place.name} is being rotated to {journal.successor.thumbprint} already, which {answer.name} "
            "does not hold.",
            code="answered-already",
            remedy="Let that end without --accept, or undo it with --abort.",
            source=place.name,
        )
    return journal


def begun_otherwise(place: Place) -> ConfigurationError:
    """Return the error for a request while a self-signed successor is on its way."""
    return ConfigurationError(
        f"A rotation of {place.name} to a self-signed certificate has begun.",
        code="begun-otherwise",
        remedy="Let it end, or undo it with --abort; then ask the authority.",
        source=place.name,
    )
