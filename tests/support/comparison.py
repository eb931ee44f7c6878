"""Compares an answer with the recorded one: what must be equal, what is another run's, what is hidden."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from support.emulated import VAULT

if TYPE_CHECKING:
    from httpx2 import Response

__all__ = ["HOST", "PLACEHOLDER", "Comparison", "Exchange"]

Exchange = dict[str, Any]
HOST = f"{VAULT}.vault.azure.net"
VERSION = re.compile(r"\b[0-9a-f]{32}\b")
GUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
PLACEHOLDER = re.compile(
    r"<[^<>]*>|https://example.com|Sanitized|REDACTED|present|echo of .*|"
    r"access_token|refresh_token|DEVICE_CODE|Dummy-.*"
)
STAMPS = {"created", "updated", "deletedDate", "scheduledPurgeDate"}
# Presence is all that can be compared: builds, regions, addresses and ids are the service's own.
VOLATILE = {
    "x-ms-keyvault-region",
    "x-ms-keyvault-service-version",
    "x-ms-keyvault-network-info",
    "x-ms-keyvault-rbac-assignment-id",
    "x-ms-request-id",
    "request-id",
}
# Wordings of one fact in different years.
SYNONYMS = (
    ("Bearer or PoP token.", "Bearer, PoP, or MTLS_POP token."),
    ("https://login.windows.net/", "https://login.microsoftonline.com/"),
)


@dataclass
class Comparison:
    """What one recording calls its own, and what that is here.

    :param learned: ids, versions and thumbprints: a text of the recording -> the text here.
    :param blobs: the recording's shortened blobs -> those here.
    """

    exchanges: list[Exchange]
    learned: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)

    def ours(self, text: str) -> str:
        """Replace what the recording calls its own by what it is here."""
        text = text.replace("{vault}", HOST)
        for theirs, ours in self.learned.items():
            text = re.sub(rf"(?<![\w-]){re.escape(theirs)}(?![\w-])", ours, text)
        for theirs, ours in self.blobs.items():
            text = text.replace(theirs, json.dumps(ours)[1:-1])
        return text

    def answer(self, exchange: Exchange, answer: Response, differences: list[str]) -> None:
        """Compare *answer* with that of *exchange*, and add what differs to *differences*."""
        expected = exchange["response"]
        if answer.status_code != expected["status"]:
            differences.append(
                f"status {answer.status_code}, recorded {expected['status']}: {answer.text[:300]}"
            )
            return
        for name, value in expected["headers"].items():
            self._compare_header(name, value, exchange["request"], answer, differences)
        if expected["body"] is None:
            if answer.content:
                differences.append(f"body {answer.text[:100]!r}, recorded none")
            return
        self._compare(expected["body"], answer.json(), "", differences)
        if "2025-" in exchange["request"]["path"] and list(expected["body"]) != list(answer.json()):
            differences.append(f"order {list(answer.json())}, recorded {list(expected['body'])}")

    def _compare_header(
        self, name: str, value: str, request: dict[str, Any], answer: Response, differences: list[str]
    ) -> None:
        got = answer.headers.get(name)
        if got is None:
            differences.append(f"no header {name}")
        elif value.startswith("echo of"):
            wanted = request["headers"]["client-request-id"]
            if got != wanted:
                differences.append(f"header {name}: {got!r}, sent {wanted!r}")
        elif name == "x-ms-request-id" and "trace_id" in (answer.json() if answer.content else {}):
            if got != answer.json()["trace_id"]:
                differences.append("x-ms-request-id is not the trace_id")
        elif name not in VOLATILE:
            self._compare(value, got, f"header {name}", differences)

    def _compare(self, theirs: Any, ours: Any, where: str, differences: list[str]) -> None:
        if isinstance(theirs, dict) and isinstance(ours, dict):
            self._compare_objects(theirs, ours, where, differences)
        elif isinstance(theirs, list) and isinstance(ours, list):
            self._compare_lists(theirs, ours, where, differences)
        elif isinstance(theirs, str) and isinstance(ours, str):
            if not self._same_text(theirs, ours, where):
                differences.append(f"{where}: {ours[:400]!r}, recorded {theirs[:400]!r}")
        elif where == ".interval":
            # The recorder wrote a string there.
            return
        elif type(theirs) is not type(ours) or (theirs != ours and not self._free_number(where, theirs)):
            differences.append(f"{where}: {ours!r}, recorded {theirs!r}")

    def _compare_objects(
        self, theirs: dict[str, Any], ours: dict[str, Any], where: str, differences: list[str]
    ) -> None:
        if set(theirs) != set(ours):
            differences.append(
                f"{where}: missing {sorted(set(theirs) - set(ours))}, extra {sorted(set(ours) - set(theirs))}"
            )
            return
        if "deletedDate" in theirs:
            kept = theirs["scheduledPurgeDate"] - theirs["deletedDate"]
            if ours["scheduledPurgeDate"] - ours["deletedDate"] != kept:
                differences.append(f"{where}: not purged after {kept} s")
        for name, value in theirs.items():
            self._compare(value, ours[name], f"{where}.{name}", differences)

    def _compare_lists(self, theirs: list[Any], ours: list[Any], where: str, differences: list[str]) -> None:
        """Compare lists; one of a vault's objects only as far as the recording itself made them."""
        if where == ".value" and all(isinstance(item, dict) for item in [*theirs, *ours]):
            by_name = {_name(item): item for item in ours}
            for item in theirs:
                if _name(item) in by_name:
                    self._compare(item, by_name[_name(item)], f"{where}[{_name(item)}]", differences)
                elif self._made_here(_name(item)):
                    differences.append(f"{where}: no {_name(item)}")
            return
        if len(theirs) != len(ours):
            differences.append(f"{where}: {ours!r}, recorded {theirs!r}")
            return
        for number, (their, our) in enumerate(zip(theirs, ours, strict=True)):
            self._compare(their, our, f"{where}[{number}]", differences)

    def _made_here(self, name: str) -> bool:
        deleted = [
            x for x in self.exchanges if x["request"]["method"] == "DELETE" and name in x["request"]["path"]
        ]
        made = [
            x
            for x in self.exchanges
            if x["request"]["method"] in {"PUT", "POST"} and f"/{name}" in x["request"]["path"]
        ]
        return bool(made) and not deleted

    def _free_number(self, where: str, value: int) -> bool:
        name = where.rpartition(".")[2]
        if name in STAMPS or (name in {"expires_in", "ext_expires_in"} and value > 3600):
            return True
        # A certificate's own validity is the service's choice; what a request set must come back.
        return name in {"nbf", "exp"} and not any(
            str(value) in json.dumps(exchange["request"]["body"]) for exchange in self.exchanges
        )

    def _same_text(self, theirs: str, ours: str, where: str) -> bool:
        if PLACEHOLDER.fullmatch(theirs):
            if theirs.startswith("<base64"):
                self.blobs[theirs] = ours
            return ours != ""
        name = where.rpartition(".")[2]
        special = self._same_special(name, theirs, ours)
        if special is not None:
            return special
        if name in {"error_description", "message"}:
            theirs, ours = _skeleton(theirs), _skeleton(ours)
        if "token_endpoint" in where:
            # The recorder added a query there.
            theirs = theirs.partition("?")[0]
        for old, new in SYNONYMS:
            theirs = theirs.replace(old, new)
        if "Sanitized" in theirs:
            return ours.startswith(self.ours(theirs.partition("Sanitized")[0]))
        if "<base64" in theirs:
            return self._same_with_blobs(theirs, ours)
        return self.ours(theirs) == ours or self._learn(theirs, ours)

    def _same_special(self, name: str, theirs: str, ours: str) -> bool | None:
        """Compare a member whose value is of this run by its form alone; None where it is no such member."""
        material = re.fullmatch(r"[\w-]{27,}", theirs) and len(ours) == len(theirs)
        if name in {"x", "y", "x5t", "value"} and material:
            # Key material: later requests and answers must repeat it.
            return self.learned.setdefault(theirs, ours) == ours
        if name == "client_info":
            return _base64_members(theirs) == _base64_members(ours)
        if name == "user_code":
            self.learned["USER_CODE"] = ours
            return re.fullmatch(r"[A-Z0-9]{9}", ours) is not None
        if name in {"trace_id", "correlation_id", "timestamp"}:
            return re.sub(r"[0-9a-f]", "#", theirs) == re.sub(r"[0-9a-f]", "#", ours)
        return None

    def _same_with_blobs(self, theirs: str, ours: str) -> bool:
        """Compare a text around its shortened blobs, and keep ours for later requests."""
        parts = [re.escape(part) for part in re.split(r"<base64[^<>]*>", theirs)]
        found = re.fullmatch(r"([A-Za-z0-9+/=\s]+)".join(parts), ours)
        if found:
            self.blobs |= dict(zip(re.findall(r"<base64[^<>]*>", theirs), found.groups(), strict=True))
        return found is not None

    def _learn(self, theirs: str, ours: str) -> bool:
        """Take versions that differ as the same thing under another name, once."""
        mine, yours = VERSION.findall(ours), VERSION.findall(theirs)
        new = {
            their: our
            for their, our in zip(yours, mine, strict=False)
            if their not in self.learned and their != our
        }
        if len(mine) != len(yours) or not new:
            return False
        self.learned |= new
        return self.ours(theirs) == ours


def _base64_members(text: str) -> set[str]:
    return set(json.loads(base64.urlsafe_b64decode(text + "===")))


def _skeleton(text: str) -> str:
    """Return a message without what no two answers share: ids, thumbprints, the separators of the years."""
    text = text.replace("\r\n", " ")
    text = re.sub(rf"Trace ID: {GUID} Correlation ID: {GUID} Timestamp: [\d: Z-]+$", "", text)
    text = re.sub(GUID, "#", text).replace("azure_client_id", "#")
    text = re.sub(r"used by client: '[0-9A-F]*'", "used by client: '#'", text)
    return VERSION.sub("#", text).replace("{vault}", HOST)


def _name(item: dict[str, Any]) -> str:
    return str(item.get("id") or item.get("kid")).split("/")[4]
