"""Plays a recording of a real service against the emulator and compares answer by answer.

A recording (see the exchanges folder's README) presupposes an account, ids and times of its own. The player
sets up what it presupposes, replaces what it must (credentials, ids learned before, page tokens, backups) and
compares the rest: status, headers named, members present and absent, types, codes, texts.

Answers that mean "not yet" depend on the service's slowness. With ``slow`` the emulator has delays, and every
"not yet" must come as recorded; the clock moves on when the recording does. Without, "not yet" answers are
skipped where the emulator is already done.
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

from support.comparison import HOST, PLACEHOLDER, Comparison, Exchange
from support.emulated import ASSERTION_TYPE, CLIENT, TENANT, Emulated, certificate, rsa_key, thumbprint

if TYPE_CHECKING:
    from httpx2 import Response

ROOT = Path(__file__).parents[2]
DELAY = 15.0


def folder() -> Path:
    """Return the folder of recordings: AZCERT_EXCHANGES, or the one beside the repository."""
    return Path(os.environ.get("AZCERT_EXCHANGES") or ROOT.parent / "shared" / "exchanges")


def recordings(*services: str) -> list[Path]:
    """Return every recording of these services; empty where the folder is absent."""
    return [
        path
        for path in sorted(folder().glob("*.json"))
        if json.loads(path.read_text(encoding="utf-8"))["service"] in services
    ]


@dataclass
class Player:
    """Plays one recording."""

    path: Path
    slow: bool
    failures: list[str] = field(default_factory=list)
    last_link: str = ""
    done: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.recording = json.loads(self.path.read_text(encoding="utf-8"))
        self.exchanges: list[Exchange] = self.recording["exchanges"]
        self.comparison = Comparison(self.exchanges)
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
        self.comparison.learned |= {"azure_client_id": CLIENT, "00000000-0000-0000-0000-000000000000": TENANT}
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
            learned = dict(self.comparison.learned)
            self.comparison.answer(exchange, answer, differences)
            if not differences:
                self._remember(answer)
                return
            self.comparison.learned = learned
            if not (self.emulated.world.delays.issuance and attempt == 1 and _unsettled(answer)):
                break
            self.emulated.world.clock.advance(DELAY)
        if not self.slow and self._means_not_yet(number):
            self._settle_early(number, exchange, answer)
            return
        self.failures += [f"{where}: {difference}" for difference in differences]

    def _settle_early(self, number: int, exchange: Exchange, answer: Response) -> None:
        """A change that the recording refuses for a while went through at once: its later success is done."""
        request = exchange["request"]
        if request["method"] == "GET" or not answer.is_success:
            return
        for later in range(number + 1, len(self.exchanges)):
            if (
                self.exchanges[later]["request"] == request
                and self.exchanges[later]["response"]["status"] < 300
            ):
                self.comparison.answer(self.exchanges[later], answer, self.failures)
                self.done.add(later)
                return

    def _means_not_yet(self, number: int) -> bool:
        """Tell whether a recorded answer depends on how slow the service was."""
        request, response = self.exchanges[number]["request"], self.exchanges[number]["response"]
        body = response["body"] or {}
        if "ObjectIsBeingDeleted" in str(body.get("error")):
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
            name: self.comparison.ours(value)
            for name, value in (request.get("headers") or {}).items()
            if name not in {"Authorization", "Content-Length"}
        }
        host = HOST if "{vault}" in request["host"] else request["host"].removeprefix("https://")
        path = self.comparison.ours(request["path"])
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
            content = self.comparison.ours(json.dumps(body)).encode()
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
            filled["device_code"] = self.comparison.blobs["device_code"]
        return urlencode(filled)

    def _remember(self, answer: Response) -> None:
        body = answer.json() if answer.content else {}
        self.last_link = body.get("nextLink") or self.last_link
        if "device_code" in body:
            self.comparison.blobs["device_code"] = body["device_code"]


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
