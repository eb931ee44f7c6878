"""An inventory for a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert.inventory.model import Kind
from azcert.inventory.writers.text import plain, shortened

if TYPE_CHECKING:
    from typing import TextIO

    from azcert.inventory.report import Report

__all__ = ["write"]

_NAME = 28
_LABEL = 40


def write(report: Report, out: TextIO) -> None:
    """Write a line for each credential, the one that ends first before the others, then the numbers."""
    head = (
        f"{'DAYS':>5}  {'UNTIL':10}  {'KIND':11}  {'APP':{_NAME}}  {'THUMBPRINT OR HINT':{_LABEL}}  FINDINGS"
    )
    out.write(head + "\n")
    for credential, found in report.rows():
        label = credential.label if credential.kind is Kind.CERTIFICATE else f"{credential.label}***"
        line = (
            f"{credential.days_left(report.now):>5}  {credential.end:%Y-%m-%d}  {credential.kind:11}  "
            f"{shortened(plain(credential.app_name), _NAME):{_NAME}}  "
            f"{shortened(plain(label), _LABEL):{_LABEL}}  {'; '.join(each.text for each in found)}"
        )
        out.write(line.rstrip() + "\n")
