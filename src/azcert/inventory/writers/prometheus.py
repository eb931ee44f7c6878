"""An inventory in Prometheus's text format, for the node exporter's textfile collector or a push gateway.

https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert.inventory.findings import MEANING

if TYPE_CHECKING:
    from typing import TextIO

    from azcert.inventory.report import Report

__all__ = ["label", "write"]

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def label(text: str) -> str:
    """Return *text* as it stands between the quotes of a label's value."""
    return text.translate(_ESCAPES)


def write(report: Report, out: TextIO) -> None:
    """Write a series for each credential, and the numbers."""
    _head(out, "azcert_credential_expiry_timestamp_seconds", "When a credential of an app registration ends.")
    for row in report.rows():
        each = row.credential
        labels = {
            "tenant": report.tenant,
            "app": each.app_name,
            "app_id": each.app_id,
            "kind": str(each.kind),
            "key_id": each.key_id,
            "label": each.label,
        }
        text = ",".join(f'{name}="{label(value)}"' for name, value in labels.items())
        out.write(f"azcert_credential_expiry_timestamp_seconds{{{text}}} {each.end.timestamp():.0f}\n")
    summary = report.summary()
    tenant = label(report.tenant)
    _head(out, "azcert_credential_findings", "How many credentials have a finding.")
    for code in MEANING:
        text = f'tenant="{tenant}",code="{code}"'
        out.write(f"azcert_credential_findings{{{text}}} {summary.codes[code]}\n")
    numbers = {
        "azcert_applications": ("App registrations in the tenant.", summary.totals.applications),
        "azcert_credentials_due": ("Credentials that end within the warning days.", summary.due),
        "azcert_inventory_timestamp_seconds": ("When this was read.", round(report.now.timestamp())),
    }
    for name, (meaning, value) in numbers.items():
        _head(out, name, meaning)
        out.write(f'{name}{{tenant="{tenant}"}} {value}\n')


def _head(out: TextIO, name: str, meaning: str) -> None:
    out.write(f"# HELP {name} {meaning}\n# TYPE {name} gauge\n")
