"""An inventory as JSON lines (https://jsonlines.org): one credential a line, read as it comes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import datetime as dt
    from typing import TextIO

    from azcert.inventory.report import Report, Row

__all__ = ["write"]


def write(report: Report, out: TextIO) -> None:
    """Write a line for each credential, the one that ends first before the others."""
    lines = (json.dumps(_described(row, report.now), ensure_ascii=False) for row in report.rows())
    out.writelines(line + "\n" for line in lines)


def _described(row: Row, now: dt.datetime) -> dict[str, Any]:
    credential = row.credential
    described: dict[str, Any] = {
        "appId": credential.app_id,
        "objectId": credential.object_id,
        "app": credential.app_name,
        "kind": credential.kind,
        "keyId": credential.key_id,
        "label": credential.label,
        "name": credential.name,
        "start": credential.start.isoformat(),
        "end": credential.end.isoformat(),
        "daysLeft": credential.days_left(now),
        "lifetimeDays": credential.lifetime_days,
        "successorEnd": None if credential.successor is None else credential.successor.isoformat(),
    }
    if credential.key_type is not None:
        described |= {
            "keyType": credential.key_type,
            "keySize": credential.key_size,
            "signatureHash": credential.signature_hash,
        }
    if credential.activity_known:
        used = credential.last_used
        described["lastUsed"] = None if used is None else used.isoformat()
    described["findings"] = [
        {"code": each.code, "severity": each.severity.name.lower(), "text": each.text}
        for each in row.findings
    ]
    return described
