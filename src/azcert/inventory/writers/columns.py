"""What ends in which month, as stacked columns in SVG, and the same as a table for who cannot see them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from azcert.inventory.model import Kind

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

__all__ = ["columns"]

_MONTHS = 13
_WIDTH, _HEIGHT, _TOP, _FOOT = 1040, 260, 26, 44
_STEP = _WIDTH // _MONTHS
_COLUMN = 44


class _Column(NamedTuple):
    name: str
    year: str
    certificates: int
    secrets: int

    @property
    def total(self) -> int:
        return self.certificates + self.secrets


def columns(months: Counter[tuple[int, int, Kind]], now: dt.datetime) -> Iterator[str]:
    """Yield the figure for this month and the twelve that follow; all later ones would dwarf them."""
    *shown, later = _columns(months, now)
    yield '<figure>\n<div class="legend" aria-hidden="true">'
    for kind in Kind:
        yield '<span><svg viewBox="0 0 10 10">'
        yield f'<rect class="{kind}" width="10" height="10" rx="2"/></svg>{kind}s</span>'
    yield '</div>\n<div class="wide">'
    yield from _drawing(shown)
    yield "</div>\n"
    if later.total:
        yield f"<p>{later.total:,} more {'ends' if later.total == 1 else 'end'} later.</p>\n"
    yield "<details><summary>The same as a table</summary>\n<table><thead><tr><th scope='col'>Month</th>"
    yield "<th scope='col'>Certificates</th><th scope='col'>Secrets</th></tr></thead>\n<tbody>\n"
    for each in (*shown, later):
        yield f"<tr><td>{each.name} {each.year}</td>"
        yield f"<td>{each.certificates:,}</td><td>{each.secrets:,}</td></tr>\n"
    yield "</tbody></table></details>\n</figure>\n"


def _columns(months: Counter[tuple[int, int, Kind]], now: dt.datetime) -> Iterator[_Column]:
    left = dict(months)
    for ahead in range(_MONTHS):
        years, month = divmod(now.month - 1 + ahead, 12)
        year, month = now.year + years, month + 1
        numbers = [left.pop((year, month, kind), 0) for kind in (Kind.CERTIFICATE, Kind.SECRET)]
        yield _Column(f"{dt.date(year, month, 1):%b}", f"{year}", *numbers)
    later = [
        sum(count for (_, _, kind), count in left.items() if kind is wanted)
        for wanted in (Kind.CERTIFICATE, Kind.SECRET)
    ]
    yield _Column("later", "", *later)


def _drawing(shown: list[_Column]) -> Iterator[str]:
    highest = max(1, *(each.total for each in shown))
    scale = (_HEIGHT - _TOP - _FOOT) / highest
    floor = _HEIGHT - _FOOT
    yield f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Credentials that end, by month.">\n'
    year = ""
    for place, each in enumerate(shown):
        middle = place * _STEP + _STEP // 2
        height = 0.0
        for kind, count in ((Kind.CERTIFICATE, each.certificates), (Kind.SECRET, each.secrets)):
            part = count * scale
            if count:
                yield (
                    f'<rect class="{kind}" x="{middle - _COLUMN // 2}" y="{floor - height - part:.1f}" '
                    f'width="{_COLUMN}" height="{max(part - 1, 1):.1f}"/>'
                )
            height += part
        if each.total:
            yield (
                f'<text class="value" x="{middle}" y="{floor - height - 7:.1f}" text-anchor="middle">'
                f"{each.total:,}</text>"
            )
        yield f'<text x="{middle}" y="{floor + 18}" text-anchor="middle">{each.name}</text>'
        if each.year != year:
            yield f'<text x="{middle}" y="{floor + 35}" text-anchor="middle">{each.year}</text>'
            year = each.year
        yield "\n"
    yield f'<path class="rule" d="M0 {floor}.5H{_WIDTH}"/>\n</svg>\n'
