"""Plays a recording of a real service against the emulator and compares answer by answer.

A recording (see the exchanges folder's README) presupposes an account, ids and times of its own. The player sets
up what it presupposes, replaces what it must (credentials, ids learned from earlier answers, page tokens, backup
blobs) and compares the rest: status, the headers named, members present and absent, types, codes, texts.

Answers that mean "not yet" depend on the service's slowness. With ``slow`` the emulator has delays, every "not
yet" must come as recorded, and the clock moves on when the recording does; without, "not yet" answers are skipped
where the emulator is already done.
"""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from cryptography.x509.oid import NameOID

from support.emulated import ASSERTION_TYPE, CLIENT, TENANT, VAULT, Emulated, certificate, rsa_key, thumbprint

if TYPE_CHECKING:
    from httpx2 import Response

ROOT = Path(__file__).parents[2]
DELAY = 15.0
HOST = f"{VAULT}.vault.azure.net"
VERSION = re.compile(r"\b[0-9a-f]{32}\b")
GUID = r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
PLACEHOLDER = re.compile(
    r"<[^<>]*>|https://example.com|Sanitized|REDACTED|present|echo of .*|access_token|refresh_token|DEVICE_CODE|Dummy-.*"
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

Exchange = dict[str, Any]


def folder() -> Path:
    """Return the folder of recordings: AZCERT_EXCHANGES, or the one beside the repository."""
    return Path(os.environ.get("AZCERT_EXCHANGES") or ROOT.parent / "shared" / "exchanges")


def recordings(*services: str) -> list[Path]:
    """Return every recording of these services; empty where the folder is absent."""
    found = []
    for path in sorted(folder().glob("*.json")):
        if json.loads(path.read_text(encoding="utf-8"))["service"] in services:
            found.append(path)
    return found


@dataclass
class Player:
    """Plays one recording."""

    path: Path
    slow: bool
    failures: list[str] = field(default_factory=list)
    learned: dict[str, str] = field(default_factory=dict)
    blobs: dict[str, str] = field(default_factory=dict)
    last_link: str = ""
    done: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.recording = json.loads(self.path.read_text(encoding="utf-8"))
        self.exchanges: list[Exchange] = self.recording["exchanges"]
        self.text = json.dumps(self.exchanges)
        self.emulated = Emulated(retention=self._retention(), tenant=self._tenant())
        delays = self.emulated.world.delays
        if self.slow or "cancellation_requested" in str([x["request"] for x in self.exchanges]):
            delays.issuance = DELAY
        if self.slow:
            delays.deletion = delays.recovery = delays.sign_in = DELAY
        self.emulated.world.empty_pages = self._empty_pages()
        if '"invalid_tenant"' in self.text:
            self.emulated.world.documents.delete("tenant", self.emulated.tenant.lower())
        self.learned |= {"azure_client_id": CLIENT, "00000000-0000-0000-0000-000000000000": TENANT}
        if "device_code" in self.text:
            self.emulated.save_app(isFallbackPublicClient=True, familyOfClients='"foci"' in self.text)

    # What the recording presupposes

    def _retention(self) -> int:
        days = re.search(r'"recoverableDays": (\d+)', self.text)
        if days:
            return int(days[1])
        dates = re.search(r'"deletedDate": (\d+), "scheduledPurgeDate": (\d+)', self.text)
        return (int(dates[2]) - int(dates[1])) // 86400 if dates else 90

    def _empty_pages(self) -> int:
        return sum(
            1
            for exchange in self.exchanges
            if "skiptoken" in exchange["request"]["path"] and exchange["response"]["body"].get("value") == []
        )

    def _tenant(self) -> str:
        """Return the tenant of the challenge or of a path, so that it need not be replaced."""
        for exchange in self.exchanges:
            challenge = exchange["response"]["headers"].get("WWW-Authenticate", "")
            named = re.search(r'authorization="https://[^/]+/([^/"]+)"', challenge)
            first = exchange["request"]["path"].split("/")[1]
            if named:
                return TENANT if set(named[1]) <= {"0", "-"} else named[1]
            if "login." in exchange["request"]["host"] and first not in {"common", "organizations"}:
                return str(first)
        return TENANT

    # Playing

    def play(self) -> None:
        """Play every exchange; `failures` says what differed."""
        for number, exchange in enumerate(self.exchanges):
            if number not in self.done:
                self._play(number, exchange)

    def _play(self, number: int, exchange: Exchange) -> None:
        where = f"{number}: {exchange['request']['method']} {exchange['request']['path'][:120]}"
        for attempt in (1, 2):
            answer = self._send(exchange["request"], exchange["response"]["status"])
            differences: list[str] = []
            learned = dict(self.learned)
            self._compare_answer(exchange, answer, differences)
            if not differences:
                self._remember(answer)
                return
            self.learned = learned
            if not (self.emulated.world.delays.issuance and attempt == 1 and _unsettled(answer)):
                break
            self.emulated.world.clock.advance(DELAY)
        if not self.slow and self._means_not_yet(number):
            self._settle_early(number, exchange, answer)
            return
        self.failures += [f"{where}: {difference}" for difference in differences]

    def _settle_early(self, number: int, exchange: Exchange, answer: Response) -> None:
        """A change refused for a while in the recording went through at once here: its later success is done."""
        request = exchange["request"]
        if request["method"] == "GET" or not answer.is_success:
            return
        for later in range(number + 1, len(self.exchanges)):
            if (
                self.exchanges[later]["request"] == request
                and self.exchanges[later]["response"]["status"] < 300
            ):
                self._compare_answer(self.exchanges[later], answer, self.failures)
                self.done.add(later)
                return

    def _means_not_yet(self, number: int) -> bool:
        """Tell whether a recorded answer depends on how slow the service was."""
        request, response = self.exchanges[number]["request"], self.exchanges[number]["response"]
        body = response["body"] or {}
        if (body.get("error") or {}) and isinstance(body["error"], dict):
            if (body["error"].get("innererror") or {}).get("code") == "ObjectIsBeingDeleted":
                return True
        if body.get("value") == [] and "deleted" in request["path"]:
            return any(earlier["request"]["method"] == "DELETE" for earlier in self.exchanges[:number])
        return any(
            (later["request"]["method"], later["request"]["path"]) == (request["method"], request["path"])
            and (later["response"]["status"], _status(later))
            != (response["status"], _status(self.exchanges[number]))
            for later in self.exchanges[number + 1 :]
        )

    def _send(self, request: dict[str, Any], status: int) -> Response:
        headers = {
            name: self._ours(value)
            for name, value in (request.get("headers") or {}).items()
            if name not in {"Authorization", "Content-Length"}
        }
        host = HOST if "{vault}" in request["host"] else request["host"].removeprefix("https://")
        path = self._ours(request["path"])
        if "skiptoken=Sanitized" in path:
            path = self.last_link.partition(":443")[2]
        body = request["body"]
        content = None
        if self.recording["service"] == "keyvault" and status != 401:
            headers["Authorization"] = f"Bearer {self.emulated.token()}"
        if isinstance(body, str):
            content = self._form(body, status).encode()
        elif body is not None:
            if "/import?" in request["path"] and PLACEHOLDER.fullmatch(body["value"]):
                body = {**body, "value": self._own_pfx(request)}
            content = self._ours(json.dumps(body)).encode()
            headers.setdefault("Content-Type", "application/json")
        return self.emulated.send(request["method"], host, path, headers=headers, content=content)

    def _own_pfx(self, request: dict[str, Any]) -> str:
        """Return a PKCS #12 with the properties that the recorded answer tells of the shortened one."""
        recorded = next(x["response"]["body"] for x in self.exchanges if x["request"] is request)
        props, attributes = recorded["policy"]["x509_props"], recorded["attributes"]
        start = dt.datetime.fromtimestamp(attributes["nbf"], dt.UTC)
        spelled = props["subject"].replace(", ", ",")
        name = x509.Name.from_rfc4514_string(spelled, {"S": NameOID.STATE_OR_PROVINCE_NAME})
        key = rsa_key()
        leaf = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(1)
            .not_valid_before(start)
            .not_valid_after(dt.datetime.fromtimestamp(attributes["exp"], dt.UTC))
            .add_extension(x509.BasicConstraints(props["basic_constraints"]["ca"], None), critical=True)
            .sign(key, SHA256())
        )
        data = pkcs12.serialize_key_and_certificates(None, key, leaf, None, NoEncryption())
        return base64.b64encode(data).decode()

    def _form(self, body: str, status: int) -> str:
        """Fill a form that the recorder emptied: a good credential where the recording has success."""
        sent = dict(parse_qsl(body, keep_blank_values=True))
        emulated = self.emulated
        other = rsa_key(1)
        header = {"alg": "PS256", "typ": "JWT"}
        stranger = emulated.assertion({**header, "x5t": thumbprint(certificate(other), "x5t")})
        values = {
            "client_id": CLIENT,
            "grant_type": "client_credentials",
            "scope": "https://vault.azure.net/.default",
            "client_info": "1",
            "client_assertion_type": ASSERTION_TYPE,
            "client_secret": "wrong",
            "client_assertion": emulated.assertion() if status == 200 else stranger,
        }
        hidden = {"Sanitized", "Dummy-Id", "Dummy-Secret", "azure_client_id", "client_assertion"}
        filled = {
            name: values[name] if value in hidden and name in values else value
            for name, value in sent.items()
        }
        if filled.get("device_code") == "DEVICE_CODE":
            filled["device_code"] = self.blobs["device_code"]
        return urlencode(filled)

    def _ours(self, text: str) -> str:
        """Replace what the recording calls its own by what it is here."""
        text = text.replace("{vault}", HOST)
        for theirs, ours in self.learned.items():
            text = re.sub(rf"(?<![\w-]){re.escape(theirs)}(?![\w-])", ours, text)
        for theirs, ours in self.blobs.items():
            text = text.replace(theirs, json.dumps(ours)[1:-1])
        return text

    def _remember(self, answer: Response) -> None:
        body = answer.json() if answer.content else {}
        self.last_link = body.get("nextLink") or self.last_link
        if "device_code" in body:
            self.blobs["device_code"] = body["device_code"]

    # Comparing

    def _compare_answer(self, exchange: Exchange, answer: Response, differences: list[str]) -> None:
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
        if (
            name in {"x", "y", "x5t", "value"}
            and re.fullmatch(r"[\w-]{27,}", theirs)
            and len(ours) == len(theirs)
        ):
            # Key material of this run; later requests and answers must repeat it.
            return self.learned.setdefault(theirs, ours) == ours
        if name == "client_info":
            return _base64_members(theirs) == _base64_members(ours)
        if name == "user_code":
            self.learned["USER_CODE"] = ours
            return re.fullmatch(r"[A-Z0-9]{9}", ours) is not None
        if name in {"trace_id", "correlation_id", "timestamp"}:
            return re.sub(r"[0-9a-f]", "#", theirs) == re.sub(r"[0-9a-f]", "#", ours)
        if name in {"error_description", "message"}:
            theirs, ours = _skeleton(theirs), _skeleton(ours)
            if "Sanitized" in theirs:
                theirs = theirs.partition("Sanitized")[0]
                return ours.startswith(theirs)
        if theirs.endswith("Sanitized"):
            return ours.startswith(self._ours(theirs.removesuffix("Sanitized")))
        if "token_endpoint" in where:
            # The recorder added a query there.
            theirs = theirs.partition("?")[0]
        for old, new in SYNONYMS:
            theirs = theirs.replace(old, new)
        if self._ours(theirs) == ours:
            return True
        if "<base64" in theirs:
            return self._same_with_blobs(theirs, ours)
        return self._learn(theirs, ours)

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
        return self._ours(theirs) == ours


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


def _status(exchange: Exchange) -> Any:
    body = exchange["response"]["body"]
    return (body.get("status"), body.get("error")) if isinstance(body, dict) else None


def _unsettled(answer: Response) -> bool:
    """Tell whether our answer may be another one later."""
    if answer.status_code in {404, 409}:
        return True
    body = answer.json() if answer.content else {}
    return answer.status_code in {200, 400} and (
        body.get("status") == "inProgress"
        or body.get("value") == []
        or body.get("error") == "authorization_pending"
    )
