"""An inventory as CSV (RFC 4180), for a spreadsheet."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from azcert.inventory.writers.text import plain

if TYPE_CHECKING:
    from typing import TextIO

    from azcert.inventory.report import Report

__all__ = ["HEAD", "cell", "write"]

HEAD = (
    "app",
    "client_id",
    "kind",
    "thumbprint_or_hint",
    "name",
    "key_id",
    "start",
    "end",
    "days_left",
    "severity",
    "findings",
    "details",
    "key_type",
    "key_bits",
    "signature_hash",
    "last_used",
)

# What spreadsheets take for the beginning of a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def cell(text: str) -> str:
    """Return a name as a cell that no spreadsheet computes."""
    shown = plain(text)
    return "'" + shown if text.startswith(_FORMULA) or shown.startswith(_FORMULA) else shown


def write(report: Report, out: TextIO) -> None:
    """Write a head and a line for each credential, the one that ends first before the others."""
    writer = csv.writer(out)
    writer.writerow(HEAD)
    for row in report.rows():
        credential = row.credential
        used = credential.last_used
        writer.writerow(
            (
                cell(credential.app_name),
                credential.app_id,
                credential.kind,
                cell(credential.label),
                cell(credential.name),
                credential.key_id,
                f"{credential.start:%Y-%m-%d %H:%M:%S}",
                f"{credential.end:%Y-%m-%d %H:%M:%S}",
                credential.days_left(report.now),
                row.severity.name.lower() if row.findings else "",
                " ".join(each.code for each in row.findings),
                "; ".join(each.text for each in row.findings),
                credential.key_type or "",
                credential.key_size or "",
                credential.signature_hash or "",
                f"{used:%Y-%m-%d %H:%M:%S}" if used else "",
            )
        )
