"""One parser per type of text that comes from outside: booleans, time spans, whole numbers, names."""

from __future__ import annotations

import datetime as dt
import difflib
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["nearest", "parse_boolean", "parse_integer", "parse_timespan", "words"]

_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
_TIMESPAN = re.compile(
    r"(?:(?P<days>\d{1,8})(?:\.|:(?=\d+:\d+:)))?"
    r"(?P<hours>\d{1,2}):(?P<minutes>\d{1,2})(?::(?P<seconds>\d{1,2})(?:\.(?P<fraction>\d{1,7}))?)?",
    re.ASCII,
)
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_HOURS, _SIXTY = 24, 60


def parse_boolean(text: str) -> bool | None:
    """Return what *text* says: ``true``, ``1``, ``yes`` or their opposites in any case; None for others.

    .NET's configuration knows ``true`` and ``false``; its Azure SDK and JavaScript's also take ``1``.
    """
    return _BOOLEANS.get(text.strip().lower())


def parse_timespan(text: str) -> dt.timedelta | None:
    """Return the duration that .NET's ``TimeSpan`` text ``[d.]hh:mm[:ss[.fffffff]]`` stands for, or None.

    A bare number is None too: .NET reads it as days, and nobody who writes it means days.
    Source: learn.microsoft.com/dotnet/api/system.timespan.parse
    """
    match = _TIMESPAN.fullmatch(text.strip())
    if match is None:
        return None
    hours, minutes, seconds = int(match["hours"]), int(match["minutes"]), int(match["seconds"] or 0)
    if hours >= _HOURS or minutes >= _SIXTY or seconds >= _SIXTY:
        return None
    return dt.timedelta(
        days=int(match["days"] or 0),
        hours=hours,
        minutes=minutes,
        seconds=seconds,
        microseconds=int((match["fraction"] or "").ljust(7, "0")) // 10,
    )


def parse_integer(text: str) -> int | None:
    """Return the whole number that *text* is, or None."""
    return int(text) if _INTEGER.fullmatch(text.strip()) else None


def words(name: str) -> tuple[str, ...]:
    """Return the words of a name: ``vaultUri``, ``vault_uri`` and ``Vault-URI`` have the same."""
    return tuple(word.lower() for word in _WORD.findall(name))


def nearest(name: str, known: Iterable[str], *, likeness: float = 0.6) -> str | None:
    """Return the known name most like *name*, if any is; case and separators do not count.

    :param likeness: from 0, anything, to 1, the same name: difflib's ratio.
    """
    plain = {"".join(words(each)) or each.lower(): each for each in known}
    found = difflib.get_close_matches("".join(words(name)) or name.lower(), plain, n=1, cutoff=likeness)
    return plain[found[0]] if found else None
