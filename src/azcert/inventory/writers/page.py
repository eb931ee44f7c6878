"""An inventory as one HTML page that a manager can read: nothing outside of it is loaded, no script runs."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from itertools import islice
from typing import TYPE_CHECKING

from azcert.inventory.findings import Severity
from azcert.inventory.model import Kind
from azcert.inventory.writers.columns import columns
from azcert.inventory.writers.text import plain

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Iterator
    from typing import TextIO

    from azcert.inventory.report import Report, Row, Summary

__all__ = ["LIMIT", "write"]

LIMIT = 500
"""Rows of a table; a page of ten thousand is read by nobody, and CSV has them all."""

_YEAR = 365
_BAR = 300
_SIGNS = {
    Severity.CRITICAL: "\N{BLACK CIRCLE} Critical: ",
    Severity.WARNING: "\N{BLACK UP-POINTING TRIANGLE} ",
}

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="referrer" content="no-referrer">
<title>App credentials of {tenant}</title>
<style>
{style}</style>
</head>
<body>
<main>
"""
_COLUMNS = """<thead><tr><th scope="col">Application</th><th scope="col">Kind</th><th scope="col">Ends</th>
<th scope="col" class="number">Days left</th><th scope="col" class="bar">Today to a year from now</th>
<th scope="col">Worth knowing</th></tr></thead>
"""


def write(report: Report, out: TextIO) -> None:
    """Write the page: the numbers, what ends in which month, what needs attention, what ends next."""
    summary = report.summary()
    tenant = _text(report.tenant)
    style = files("azcert.inventory.writers").joinpath("page.css").read_text(encoding="utf-8")
    out.write(_HEAD.format(tenant=tenant, style=style))
    out.write(f"<h1>App credentials of {tenant}</h1>\n")
    out.write(f'<p class="soft">Read on {report.now:%d %B %Y, %H:%M} UTC</p>\n')
    out.write(f"<p>{_sentence(report, summary)}</p>\n")
    out.writelines(_tiles(report, summary))
    out.write('<section aria-labelledby="months">\n<h2 id="months">What ends in which month</h2>\n')
    out.writelines(columns(summary.months, report.now))
    out.write("</section>\n")
    _table(
        report,
        out,
        "attention",
        "Needs attention",
        "Critical first, then warnings, in the order in which they end.",
        summary.severities[Severity.CRITICAL] + summary.severities[Severity.WARNING],
        _attention(report),
    )
    _table(
        report,
        out,
        "next",
        "Valid, the next to end first",
        "Certificates and secrets that have not ended.",
        sum(summary.kinds.values()),
        (row for row in report.rows() if row.credential.end >= report.now),
    )
    rules = report.rules
    out.write(
        f"</main>\n<footer>Rules: ends soon within {rules.warn_days} days, critical within "
        f"{rules.critical_days}; a certificate may live {rules.max_certificate_days} days, a secret "
        f"{rules.max_secret_days}. Made by azcert inventory.</footer>\n</body>\n</html>\n"
    )


def _sentence(report: Report, summary: Summary) -> str:
    expired = sum(
        1 for row in report.rows() if row.credential.end < report.now and row.severity is Severity.CRITICAL
    )
    ended, secrets = summary.codes["expired"] - expired, summary.kinds[Kind.SECRET]
    due = _counted(summary.due, "credential ends", "credentials end") if summary.due else "No credential ends"
    parts = [f"<strong>{due}</strong> within {report.rules.warn_days} days."]
    if expired:
        parts.append(
            f"{_counted(expired, 'ended lately and has no successor', 'ended lately and have no successor')}."
        )
    if ended:
        other, others = (" other has", " others have") if expired else (" has", " have")
        parts.append(f"{ended:,}{other if ended == 1 else others} ended and can be removed.")
    if secrets:
        parts.append(
            f"{_counted(secrets, 'secret should be a certificate', 'secrets should be certificates')}."
        )
    return " ".join(parts)


def _tiles(report: Report, summary: Summary) -> Iterator[str]:
    tiles = (
        ("Applications", summary.totals.applications, ""),
        ("Valid certificates", summary.kinds[Kind.CERTIFICATE], ""),
        ("Valid secrets", summary.kinds[Kind.SECRET], ""),
        (f"End within {report.rules.warn_days} days", summary.due, "warning" if summary.due else ""),
        ("Critical", summary.severities[Severity.CRITICAL], "critical"),
        ("Warnings", summary.severities[Severity.WARNING], "warning"),
    )
    yield '<dl class="tiles">\n'
    for name, number, kind in tiles:
        yield f'<div class="{kind if number else ""}"><dt>{name}</dt><dd>{number:,}</dd></div>\n'
    yield "</dl>\n"


def _attention(report: Report) -> Iterator[Row]:
    for severity in (Severity.CRITICAL, Severity.WARNING):
        yield from (row for row in report.rows() if row.findings and row.severity is severity)


def _table(
    report: Report, out: TextIO, name: str, title: str, meaning: str, count: int, rows: Iterable[Row]
) -> None:
    out.write(f'<section aria-labelledby="{name}">\n<h2 id="{name}">{title}</h2>\n')
    if not count:
        out.write("<p>Nothing.</p>\n</section>\n")
        return
    shown = f"All {count:,}." if count <= LIMIT else f"The first {LIMIT:,} of {count:,}; --csv has them all."
    out.write(f'<div class="wide" role="region" aria-labelledby="{name}" tabindex="0"><table>\n')
    out.write(f"<caption>{meaning} {shown}</caption>\n{_COLUMNS}<tbody>\n")
    out.writelines(_row(row, report.now) for row in islice(rows, LIMIT))
    out.write("</tbody>\n</table></div>\n</section>\n")


def _row(row: Row, now: dt.datetime) -> str:
    credential = row.credential
    label = credential.label if credential.kind is Kind.CERTIFICATE else f"{credential.label}***"
    days = credential.days_left(now)
    found = "".join(
        f'<li class="{each.severity.name.lower()}">{_SIGNS.get(each.severity, "")}{_text(each.text)}</li>'
        for each in row.findings
    )
    return (
        f'<tr><td class="name">{_text(credential.app_name)}'
        f'<span class="id">{_text(credential.app_id)}</span></td>'
        f'<td class="kind">{credential.kind}<span class="id">{_text(label)}</span></td>'
        f'<td class="date" data-label="Ends">{credential.end:%Y-%m-%d}</td>'
        f'<td class="number" data-label="Days left">{days}</td>'
        f'<td class="bar">{_bar(credential.kind, days)}</td>'
        f'<td class="found">{f"<ul>{found}</ul>" if found else ""}</td></tr>\n'
    )


def _bar(kind: Kind, days: int) -> str:
    # The same is said in the column before: a reader of screens need not hear it twice.
    width = max(0, min(days, _YEAR)) * _BAR // _YEAR
    quarters = "".join(f'<path class="rule" d="M{_BAR * each // 4} 0V20"/>' for each in range(5))
    arrow = f'<path class="{kind}" d="M{_BAR} 4l8 6l-8 6z"/>' if days > _YEAR else ""
    return (
        f'<svg viewBox="0 0 {_BAR + 10} 20" preserveAspectRatio="none" aria-hidden="true">{quarters}'
        f'<rect class="{kind}" y="4" width="{max(width, 2)}" height="12" rx="2"/>{arrow}</svg>'
    )


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _text(text: str) -> str:
    return escape(plain(text))
