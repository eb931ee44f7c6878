"""``azcert inventory``: every credential of a tenant's app registrations, and what is due."""

from __future__ import annotations

import datetime as dt
import io
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from azcert.cli.credential_options import credential_options
from azcert.cli.output import talk

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.inventory.report import Report, Summary
    from azcert.inventory.take import Progress

__all__ = ["inventory"]

_DUE = 3
_FORMS = {
    "json": "azcert.inventory.writers.json_lines",
    "csv": "azcert.inventory.writers.spreadsheet",
    "prometheus": "azcert.inventory.writers.prometheus",
    "table": "azcert.inventory.writers.table",
}


def _days(name: str, default: int, meaning: str) -> Callable[[Any], Any]:
    return click.option(
        name, type=click.IntRange(0), default=default, show_default=True, metavar="N", help=meaning
    )


@click.command()
@click.option("--json", is_flag=True, help="Write JSON lines: one credential a line.")
@click.option("--csv", is_flag=True, help="Write CSV.")
@click.option("--prometheus", is_flag=True, help="Write Prometheus's text format.")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write a page with a timeline."
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write to FILE, replaced at once."
)
@click.option(
    "--deep", is_flag=True, help="Read each certificate: weak keys, SHA-1. About 150 apps a minute."
)
@click.option(
    "--activity", is_flag=True, help="Read the report on sign-ins: unused ones (AuditLog.Read.All)."
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Keep what was read in FILE, and go on from there after a stop.",
)
@_days("--warn-days", 30, "Ends soon means: within N days.")
@_days("--critical-days", 7, "And is critical within N days.")
@_days("--max-days", 398, "A certificate that lives longer is too long-lived.")
@_days("--max-secret-days", 180, "A secret that lives longer is too long-lived.")
@_days("--unused-days", 90, "Unused means: no sign-in for N days.")
@click.option("--fail-on-due", is_flag=True, help="Exit 3 where something ends within --warn-days.")
@credential_options
def inventory(
    *,
    json: bool,
    csv: bool,
    prometheus: bool,
    html: Path | None,
    out: Path | None,
    deep: bool,
    activity: bool,
    resume: Path | None,
    warn_days: int,
    critical_days: int,
    max_days: int,
    max_secret_days: int,
    unused_days: int,
    fail_on_due: bool,
    **identity: Any,
) -> int:
    """List every certificate and secret of all app registrations this identity can see, and what is due.

    Reading needs Application.Read.All. Signs in with --certificate where one is named (or set in the
    environment), else as whoever is signed in here. What ends first comes first. Nothing is written before
    all was read: a list that looks whole is whole. Graph's throttling is obeyed.

    Exit codes: 0 the inventory was taken, 1 failed (the reason is on stderr; --resume goes on), 2 wrong
    usage, 3 something ends within --warn-days, with --fail-on-due only.

    \b
    Examples:
      azcert inventory
      azcert inventory --html inventory.html --csv --out inventory.csv
      azcert inventory --deep --resume inventory.state --json | jq 'select(.daysLeft < 30)'
      azcert inventory --prometheus --out /var/lib/node_exporter/azcert.prom
      azcert inventory --warn-days 14 --fail-on-due > /dev/null
    """
    from azcert.cli.directory_identity import registrations
    from azcert.cli.saving import refuse_existing
    from azcert.inventory.findings import Rules
    from azcert.inventory.ledger import Ledger
    from azcert.inventory.report import Report
    from azcert.inventory.take import take

    forms = [name for name, given in (("json", json), ("csv", csv), ("prometheus", prometheus)) if given]
    if len(forms) > 1:
        raise click.UsageError("--json, --csv and --prometheus: give one of them; --html goes with each.")
    # Before an hour of reading, not after it.
    refuse_existing([path for path in (out, html, resume) if path is not None], force=True)
    now = dt.datetime.now(dt.UTC)
    tenant = identity["tenant_id"] or "this tenant"
    rules = Rules(warn_days, critical_days, max_days, max_secret_days, unused_days)
    with Ledger(resume, owner=tenant) as ledger:
        with registrations(**identity) as client, _Meter(sys.stderr) as meter:
            take(client, ledger, deep=deep, activity=activity, now=now, told=meter.show)
        report = Report(ledger, tenant=tenant, rules=rules, now=now)
        _write(report, *forms or ["table"], out=out, html=html)
        summary = report.summary()
        ledger.remove()
    _conclude(summary, rules.warn_days)
    return _DUE if fail_on_due and summary.due else 0


def _write(report: Report, form: str, *, out: Path | None, html: Path | None) -> None:
    from importlib import import_module

    write = import_module(_FORMS[form]).write
    if out is None:
        write(report, sys.stdout)
        sys.stdout.flush()  # before what is said about it
    else:
        _to_file(out, report, write)
    if html is not None:
        from azcert.inventory.writers.page import write as write_page

        _to_file(html, report, write_page)


def _to_file(path: Path, report: Report, write: Callable[[Report, TextIO], None]) -> None:
    from azcert.cli.saving import save

    text = io.StringIO(newline="")
    write(report, text)
    save(path, text.getvalue().encode(), private=False, force=True)
    talk(f"Wrote {path}.")


def _conclude(summary: Summary, warn_days: int) -> None:
    from azcert.inventory.findings import MEANING
    from azcert.inventory.model import Kind

    totals = summary.totals
    talk(
        f"{_counted(totals.applications, 'application')} ({totals.bare} without a credential) with "
        f"{_counted(summary.kinds[Kind.CERTIFICATE], 'certificate')} and "
        f"{_counted(summary.kinds[Kind.SECRET], 'secret')} that have not ended; "
        f"{summary.due} end within {warn_days} days."
    )
    for code, meaning in MEANING.items():
        if summary.codes[code]:
            talk(f"  {summary.codes[code]:>6}  {code}: {meaning}")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


class _Meter(ExitStack):
    """Shows on one line of a terminal how far it is; says nothing where nobody looks."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._shown = False
        self._began: dict[str, float] = {}
        self.callback(self._clear)

    def show(self, progress: Progress) -> None:
        if not self._stream.isatty():
            return
        began = self._began.setdefault(progress.stage, time.monotonic())
        text = f"Reading {progress.stage}: {progress.done:,}"
        if progress.total is not None:
            text += f" of {progress.total:,}{_left(progress.done, progress.total, time.monotonic() - began)}"
        if progress.pause:
            text += f"; Microsoft Graph asks for a pause of {progress.pause:.0f} s"
        self._stream.write(f"\r\x1b[K{text}")
        self._stream.flush()
        self._shown = True

    def _clear(self) -> None:
        if self._shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _left(done: int, total: int, seconds: float) -> str:
    """Say how long the rest will take if it goes on as it went, where that is minutes."""
    minutes = seconds / done * (total - done) / 60 if done else 0.0
    return f", about {minutes:.0f} min left" if minutes >= 1 else ""
