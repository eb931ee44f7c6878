"""What every answer of Entra ID has: its headers, its ids, the shape of an error."""

from __future__ import annotations

import datetime as dt
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.requests import Request

    from azcert.emulator.entra.faults import EntraRefusal
    from azcert.emulator.origin import Answer

__all__ = ["DISCOVERY", "DISCOVERY_ERROR", "TOKEN", "Ids", "error_answer"]

_ALWAYS = {
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
    "P3P": 'CP="DSP CUR OTPi IND OTRi ONL FIN"',
    "x-ms-ests-server": "2.1.21000.0 - EMULATOR ProdSlices",
    "X-XSS-Protection": "0",
}
TOKEN = {"Cache-Control": "no-store, no-cache", "Pragma": "no-cache", "Expires": "-1"}
DISCOVERY = {"Cache-Control": "max-age=86400, private", "Access-Control-Allow-Origin": "*"}
DISCOVERY_ERROR = {"Cache-Control": "private", "Access-Control-Allow-Origin": "*"}

_GUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")


@dataclass(frozen=True)
class Ids:
    """The ids of one request: Entra's trace id and the client's own."""

    trace: str
    correlation: str
    echoed: str | None

    @classmethod
    def of(cls, request: Request) -> Ids:
        """Take the client's id from the header, or from the query as MSAL.js sends it."""
        given = request.headers.get("client-request-id")
        wanted = given or request.query_params.get("client-request-id") or ""
        correlation = wanted.lower() if _GUID.fullmatch(wanted) else str(uuid.uuid4())
        # Entra's trace ids end in two zero digits.
        return cls(str(uuid.uuid4())[:-2] + "00", correlation, given)

    def headers(self) -> dict[str, str]:
        """Return the headers that every answer has."""
        headers = {"x-ms-request-id": self.trace, **_ALWAYS}
        if self.echoed:
            headers["client-request-id"] = self.echoed
        return headers


def error_answer(refusal: EntraRefusal, ids: Ids, now: float) -> Answer:
    """Return the error as Entra words it since 2025: ids set apart by spaces."""
    fault = refusal.fault
    stamp = dt.datetime.fromtimestamp(now, dt.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    body: dict[str, Any] = {
        "error": fault.error,
        "error_description": (
            f"AADSTS{fault.code}: {refusal.text} "
            f"Trace ID: {ids.trace} Correlation ID: {ids.correlation} Timestamp: {stamp}"
        ),
        "error_codes": [fault.code],
        "timestamp": stamp,
        "trace_id": ids.trace,
        "correlation_id": ids.correlation,
        "error_uri": f"https://login.microsoftonline.com/error?code={fault.code}",
    }
    return fault.answer(body)
