"""Durations and moments as people type them."""

from __future__ import annotations

import datetime as dt
import re
from typing import TYPE_CHECKING, Any

import click

__all__ = ["DURATION", "MOMENT", "Moment"]

if TYPE_CHECKING:
    _ParamType = click.ParamType[Any]
else:
    # Generic since click 8.4 only.
    _ParamType = click.ParamType

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([+-]?\d+(?:\.\d+)?)\s*([smhd]?)")


class _Duration(_ParamType):
    """A number of seconds, or with a unit: ``90``, ``1.5s``, ``10m``, ``2h``, ``30d``."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        found = _DURATION.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is no duration; write 90, 1.5s, 10m, 2h or 30d.", param, ctx)
        return float(found[1]) * _UNITS[found[2]]


class Moment:
    """A moment, or one relative to now.

    :param set: ISO 8601, or None.
    :param advance: seconds from now, or 0.
    """

    def __init__(self, text: str) -> None:
        self.set: str | None = None
        self.advance = 0.0
        if text[:1] in {"+", "-"}:
            self.advance = DURATION.convert(text, None, None)
        else:
            moment = dt.datetime.fromisoformat(text)
            self.set = (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).isoformat()

    def resolved(self, now: float) -> float:
        """Return it in seconds since the epoch."""
        return dt.datetime.fromisoformat(self.set).timestamp() if self.set else now + self.advance


class _Moment(_ParamType):
    name = "moment"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Moment:
        if isinstance(value, Moment):
            return value
        try:
            return Moment(str(value))
        except ValueError:
            self.fail(f"{value!r} is no moment; write 2030-01-31T12:00:00Z, +30d or -1h.", param, ctx)


DURATION = _Duration()
MOMENT = _Moment()
