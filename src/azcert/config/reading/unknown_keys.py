"""Keys that nobody would read: refused, with the nearest known one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert._values import nearest
from azcert.config.reading.layers import fold
from azcert.config.reading.origin import wrong

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azcert.config.reading.settings import Settings

__all__ = ["refuse_unknown", "unknown_key"]

_MANY = 30
_REFERENCE = "docs/settings-reference.md"


def refuse_unknown(
    section: Settings,
    known: Iterable[str],
    *,
    ignored: Iterable[str] = (),
    listed: Iterable[str] | None = None,
) -> None:
    """Refuse keys that nobody would read.

    :param ignored: keys that are let be, and not told to be known.
    :param listed: as in `unknown_key`.
    :raises azcert.errors.ConfigurationError: a key is unknown; the message names the nearest known one.
    """
    folded = {fold(name) for name in (*known, *ignored)}
    for name in section.names():
        if fold(name) not in folded:
            raise unknown_key(section, name, known, listed=listed)


def unknown_key(
    section: Settings, name: str, known: Iterable[str], *, listed: Iterable[str] | None = None
) -> Exception:
    """Return the error about a key that nobody reads.

    :param listed: the known keys to list where none is near; all of them without it.
    """
    entry = section.written(name) or next(iter(section.section(name)), None)
    near = nearest(name, known)
    shown = sorted(set(known if listed is None else listed), key=str.lower)
    more = f"; {_REFERENCE} lists all" if listed is not None or len(shown) > _MANY else ""
    remedy = f"Did you mean {near}?" if near else f"Known here: {', '.join(shown[:_MANY])}{more}."
    assert entry is not None, "a name comes from an entry"  # noqa: S101
    return wrong(entry, "is not known here", code="unknown-setting", remedy=remedy)
