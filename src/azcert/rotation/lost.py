"""Whether a rotation can still be gone on with: what its place holds may have changed meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert.errors import SelectionError
from azcert.rotation.staged import find_staged

if TYPE_CHECKING:
    from azcert.rotation.place import Place
    from azcert.rotation.records.journal import Journal

__all__ = ["can_be_undone", "is_lost", "successor_elsewhere"]


def is_lost(journal: Journal, place: Place) -> bool:
    """Tell whether another certificate came into use, or the successor's key is gone.

    :raises SelectionError: ``successor-elsewhere``: gone, but perhaps in use on another host.
    """
    current = place.current().thumbprint
    if _is_successor(journal, current):
        return False
    if current != journal.old:
        return True
    if journal.spki is None:
        return False
    key = find_staged(journal.staged, journal.spki, password=place.password)
    if key is not None:
        key.close()
        return False
    if journal.proven_at is not None:
        raise successor_elsewhere(journal, place)
    return True


def can_be_undone(journal: Journal, place: Place) -> bool:
    """Tell whether the successor is not in use, as far as can be seen from here."""
    current = place.current().thumbprint
    if _is_successor(journal, current):
        return False
    return journal.switched_at is None or current == journal.old


def successor_elsewhere(journal: Journal, place: Place) -> SelectionError:
    """Return the error for a place that gives the old certificate after the successor came into use."""
    successor = journal.successor.thumbprint if journal.successor else ""
    return SelectionError(
        f"{place.name} still gives {journal.old}, whose successor {successor} was ready to be put in use and "
        "is not here: another host has it, or this is an older copy.",
        code="successor-elsewhere",
        remedy="Bring the successor here. Where it is lost for good: azcert rotate --abort, then again.",
        source=place.name,
    )


def _is_successor(journal: Journal, thumbprint: str) -> bool:
    return journal.successor is not None and journal.successor.thumbprint == thumbprint
