"""An inventory to be written: what was read, judged by rules at one moment."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from azcert.inventory.findings import Finding, Rules, Severity, findings, is_due

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterator

    from azcert.inventory.ledger import Ledger
    from azcert.inventory.model import Credential, Kind, Totals

__all__ = ["Report", "Row", "Summary"]


class Row(NamedTuple):
    """A credential and what is worth knowing about it."""

    credential: Credential
    findings: tuple[Finding, ...]

    @property
    def severity(self) -> Severity:
        """The worst finding's."""
        return self.findings[0].severity if self.findings else Severity.NOTE


@dataclass(frozen=True)
class Summary:
    """An inventory in a few numbers.

    :param kinds: living credentials by kind.
    :param codes: findings by code, and how many of them are critical or warnings in *severities*.
    :param months: living credentials that end in a month, by ``(year, month, kind)``.
    :param due: those that end within the warning days.
    """

    totals: Totals
    kinds: Counter[Kind] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    severities: Counter[Severity] = field(default_factory=Counter)
    months: Counter[tuple[int, int, Kind]] = field(default_factory=Counter)
    due: int = 0


class Report:
    """Rows in the order in which they end, and their summary. Reads the ledger anew for each."""

    def __init__(self, ledger: Ledger, *, tenant: str, rules: Rules, now: dt.datetime) -> None:
        self._ledger = ledger
        self.tenant = tenant
        self.rules = rules
        self.now = now

    def rows(self) -> Iterator[Row]:
        """Yield a row for every credential; memory holds one."""
        for credential in self._ledger.credentials():
            yield Row(credential, findings(credential, self.rules, self.now))

    def summary(self) -> Summary:
        """Count."""
        summary, due = Summary(self._ledger.totals()), 0
        for row in self.rows():
            credential = row.credential
            summary.codes.update(finding.code for finding in row.findings)
            if row.findings:
                summary.severities[row.severity] += 1
            if credential.end >= self.now:
                summary.kinds[credential.kind] += 1
                summary.months[credential.end.year, credential.end.month, credential.kind] += 1
                due += is_due(credential, self.rules, self.now)
        return Summary(summary.totals, summary.kinds, summary.codes, summary.severities, summary.months, due)
