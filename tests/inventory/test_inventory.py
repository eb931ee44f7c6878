"""``azcert inventory`` against the emulator's Graph."""

from __future__ import annotations

import csv
import datetime as dt
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from azcert import CertificateCredential
from azcert.emulator.ready_made import CLIENT_ID
from azcert.errors import RegistrationError
from azcert.inventory.ledger import Ledger
from azcert.inventory.take import take
from azcert.registration.sync import Registrations
from support.browser import Reader, dom, screenshot
from support.command import azcert
from support.fleet import certificate, client_id, plant_app, plant_fleet, secret

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator
    from azcert.inventory.take import Progress

GRAPH = "00000003-0000-0000-c000-000000000000"
FLEET = int(os.environ.get("AZCERT_TEST_FLEET", "10000"))
"""Applications of the large inventory."""
DEEP = 10_000 if os.environ.get("AZCERT_STRESS") else 400
"""Applications of the large one that reads each certificate."""


def days(number: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=number)


def lines(*options: str | Path) -> list[dict[str, Any]]:
    done = azcert("inventory", "--json", *options)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def of(app: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [each for each in found if each["app"] == app]


def codes(credential: dict[str, Any]) -> list[str]:
    return [each["code"] for each in credential["findings"]]


def asked(emulator: AzcertEmulator, status: int = 200) -> list[str]:
    return [
        each["path"]
        for each in emulator.requests
        if each["host"] == "graph.microsoft.com" and each["status"] == status
    ]


@pytest.fixture
def tenant(azcert_environment: AzcertEmulator) -> AzcertEmulator:
    plant_app(azcert_environment, 1, "soon", [certificate(days(-90), days(5.5), bits=1024, hash_name="sha1")])
    plant_app(
        azcert_environment,
        2,
        "replaced",
        [certificate(days(-365), days(-1)), certificate(days(-5), days(200))],
    )
    plant_app(azcert_environment, 3, "secretive", [], [secret(days(-10), days(720))])
    plant_app(azcert_environment, 4, "bare")
    return azcert_environment


def test_what_ends_first_comes_first_with_what_is_worth_knowing(tenant: AzcertEmulator) -> None:
    found = lines()
    assert [each["end"] for each in found] == sorted(each["end"] for each in found)
    (soon,) = of("soon", found)
    assert (soon["daysLeft"], soon["appId"], codes(soon)) == (5, client_id(1), ["expires-soon"])
    assert soon["findings"][0]["severity"] == "critical"
    old, new = of("replaced", found)
    assert codes(old) == ["expired"]
    assert old["findings"][0]["severity"] == "note"
    assert old["successorEnd"] == new["end"]
    (only,) = of("secretive", found)
    assert (only["kind"], only["label"], codes(only)) == ("secret", "Abc", ["too-long-lived", "secret"])
    assert "never shown" not in json.dumps(found)


def test_deep_finds_short_keys_and_broken_signatures(tenant: AzcertEmulator) -> None:
    assert "keyType" not in of("soon", lines())[0]
    (soon,) = of("soon", lines("--deep"))
    assert (soon["keyType"], soon["keySize"], soon["signatureHash"]) == ("RSA", 1024, "sha1")
    assert {"weak-key", "weak-signature"} <= set(codes(soon))
    # Only applications with a living certificate are read one by one: the demo app, "soon", "replaced".
    assert len([path for path in asked(tenant) if path.startswith("/v1.0/applications/")]) == 3


def test_activity_tells_which_are_unused(tenant: AzcertEmulator) -> None:
    refused = azcert("inventory", "--activity")
    assert refused.returncode == 1
    assert "AuditLog.Read.All" in refused.stderr
    documents = tenant.world.documents
    app = documents.get("app", CLIENT_ID)
    assert app is not None
    app["grantedRoles"][GRAPH] = ["Application.Read.All", "AuditLog.Read.All"]
    documents.put("app", CLIENT_ID, app)
    used, idle = certificate(days(-300), days(60)), certificate(days(-300), days(50))
    never = secret(days(-100), days(60))
    plant_app(tenant, 5, "active", [used, idle], [never])
    for key, when in ((used, days(-1)), (idle, days(-200))):
        documents.put("graph-sign-in", key["keyId"], {"lastSignInDateTime": when.isoformat()})
    whole = lines("--activity")
    (own,) = of("azcert-demo", whole)
    assert own["lastUsed"][:10] == f"{days(0):%Y-%m-%d}", "this command signed in with it"
    found = {each["keyId"]: each for each in of("active", whole)}
    assert "unused" not in codes(found[used["keyId"]])
    assert "unused" in codes(found[idle["keyId"]])
    assert "unused" in codes(found[never["keyId"]])
    assert found[never["keyId"]]["lastUsed"] is None


def test_every_form_has_every_credential(tenant: AzcertEmulator, tmp_path: Path) -> None:
    whole = lines()
    shown = azcert("inventory").stdout.splitlines()
    assert len(shown) == len(whole) + 1
    assert re.search(
        r"^ *5 +\d{4}-\d\d-\d\d +certificate +soon .*ends in 5 days, no successor$",
        "\n".join(shown),
        re.MULTILINE,
    )
    done = azcert("inventory", "--csv", "--out", tmp_path / "all.csv")
    assert (done.stdout, done.returncode) == ("", 0)
    with (tmp_path / "all.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["key_id"] for row in rows] == [each["keyId"] for each in whole]
    metrics = azcert("inventory", "--prometheus").stdout
    assert metrics.count("\nazcert_credential_expiry_timestamp_seconds{") == len(whole)
    assert f'azcert_credentials_due{{tenant="{tenant.tenant_id}"}} 1' in metrics


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (("--json", "--csv"), 2, "give one of them"),
        (("--out", "nowhere/all.csv"), 1, "There is no folder nowhere"),
        (("--html", "."), 1, "is a directory"),
        (("--resume", "nowhere/state"), 1, "There is no folder nowhere"),
    ],
)
def test_what_could_not_be_written_is_refused_before_anything_is_read(
    azcert_environment: AzcertEmulator, options: tuple[str, ...], code: int, said: str
) -> None:
    done = azcert("inventory", *options)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert not asked(azcert_environment)


def test_due_is_an_exit_code_only_where_asked_for(tenant: AzcertEmulator) -> None:
    assert azcert("inventory").returncode == 0
    assert azcert("inventory", "--fail-on-due").returncode == 3
    assert azcert("inventory", "--fail-on-due", "--warn-days", "5").returncode == 0


def test_ten_thousand_apps_in_bounded_memory_and_few_requests(
    azcert_environment: AzcertEmulator, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    plant_fleet(azcert_environment, 100)
    small = measured(tmp_path)
    plant_fleet(azcert_environment, FLEET)
    azcert_environment.requests.clear()
    large = measured(tmp_path)
    requests = len(asked(azcert_environment))
    record_property("seconds", large[0])
    record_property("peak memory in MB", large[1])
    record_property("requests", requests)
    assert requests == FLEET // 999 + 1
    # What grows is one page of 999 applications and the text of the page, not the tenant.
    assert large[1] - small[1] < 60
    assert len(json.loads("[" + ",".join((tmp_path / "all.json").read_text().splitlines()) + "]")) > FLEET


@pytest.mark.timeout(600)
def test_deep_reads_many_apps_at_once_in_bounded_memory_and_obeys_the_throttling_of_each(
    azcert_environment: AzcertEmulator, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    # The emulator remembers the last thousand requests only.
    azcert_environment.world.requests = deque()
    plant_fleet(azcert_environment, 20)
    small = measured(tmp_path, "--deep")
    plant_fleet(azcert_environment, DEEP)
    azcert_environment.requests.clear()
    throttled = {"error": {"code": "TooManyRequests", "message": "slow down"}}
    azcert_environment.faults.add(
        "answer",
        path="/v1.0/applications/*",
        status=429,
        headers={"Retry-After": "1"},
        body=throttled,
        skip=100,
        times=30,
    )
    large = measured(tmp_path, "--deep")
    record_property("seconds", large[0])
    record_property("peak memory in MB", large[1])
    batches = [each for each in azcert_environment.requests if each["path"] == "/v1.0/$batch"]
    record_property("requests", len(batches) + DEEP // 999 + 1)
    found = [json.loads(line) for line in (tmp_path / "all.json").read_text().splitlines()]
    # An app is read where one of its certificates is valid; all of that app are known then.
    read = {each["appId"] for each in found if each["kind"] == "certificate" and each["daysLeft"] >= 0}
    assert len(read) > DEEP // 2
    known = {each["appId"] for each in found if each.get("keySize")}
    assert read == known
    # 30 answers were "later": two batches brought half of what they asked for, or nothing.
    assert len(read) // 20 <= len(batches) <= len(read) // 20 + 4
    pauses = [after["at"] - before["at"] for before, after in pairwise(batches)]
    assert sum(pause >= 1 for pause in pauses) >= 2
    assert large[1] - small[1] < 60


def test_a_deep_inventory_ends_where_graph_never_stops_throttling(
    tenant: AzcertEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    rested: list[float] = []
    monkeypatch.setattr("azcert.wire.sync.time.sleep", rested.append)
    tenant.faults.add("answer", path="/v1.0/applications/*", status=429, times=None)
    told: list[Progress] = []
    who = CertificateCredential(tenant.tenant_id, tenant.client_id, certificate=tenant.certificate_path)
    with (
        Ledger(None, owner="contoso") as ledger,
        Registrations(who) as client,
        pytest.raises(RegistrationError) as never,
    ):
        take(client, ledger, deep=True, now=days(0), told=told.append)
    assert (never.value.code, "then none 8 times" in never.value.message) == ("throttled", True)
    assert "--resume" in str(never.value.remedy)
    # Without Retry-After, twice as long each time, and those who watch are told.
    assert rested == [4, 8, 16, 32, 60, 60, 60]
    assert [each.pause for each in told if each.stage == "certificates"] == rested


def measured(folder: Path, *options: str) -> tuple[float, int]:
    """Take the inventory; return the seconds and the peak memory in megabytes."""
    program = (
        "import resource, subprocess, sys\n"
        "command = [sys.executable, '-m', 'azcert', *sys.argv[1:]]\n"
        "subprocess.run(command, check=True, stderr=subprocess.DEVNULL)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    began = time.monotonic()
    done = subprocess.run(
        [
            *(sys.executable, "-c", program, "inventory", "--json"),
            *("--out", str(folder / "all.json"), "--html", str(folder / "all.html"), *options),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    return time.monotonic() - began, int(done.stdout)


def test_throttling_is_obeyed(azcert_environment: AzcertEmulator) -> None:
    plant_fleet(azcert_environment, 1500)
    throttled = {"error": {"code": "TooManyRequests", "message": "slow down"}}
    azcert_environment.faults.add(
        "answer",
        host="graph.microsoft.com",
        status=429,
        headers={"Retry-After": "1"},
        body=throttled,
        times=2,
    )
    began = time.monotonic()
    found = lines()
    assert time.monotonic() - began > 2
    assert len(asked(azcert_environment, 429)) == 2
    assert len({each["appId"] for each in found}) == credentialed(azcert_environment)


def credentialed(emulator: AzcertEmulator) -> int:
    apps = [app for _, app in emulator.world.documents.items("app")]
    return sum(1 for app in apps if app.get("keyCredentials") or app.get("passwordCredentials"))


def test_a_killed_run_is_gone_on_with_where_it_was(
    azcert_environment: AzcertEmulator, tmp_path: Path
) -> None:
    plant_fleet(azcert_environment, 2500)
    whole = lines()
    azcert_environment.requests.clear()
    azcert_environment.faults.add("hang", host="graph.microsoft.com", path="/v1.0/applications", skip=2)
    state = tmp_path / "state"
    command = [sys.executable, "-m", "azcert", "inventory", "--json", "--resume", str(state)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while azcert_environment.faults.waiting():
        assert running.poll() is None
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    assert running.communicate()[0] == b"", "nothing is written before all was read"
    assert len(asked(azcert_environment)) == 2
    assert state.stat().st_mode & 0o777 == 0o600
    assert lines("--resume", state) == whole
    assert len(asked(azcert_environment)) == 3, "two pages were kept, one was read"
    assert not state.exists()


def test_a_deep_run_that_was_refused_goes_on_with_the_next_application(
    tenant: AzcertEmulator, tmp_path: Path
) -> None:
    denied = {"error": {"code": "Authorization_RequestDenied", "message": "no"}}
    tenant.faults.add("answer", path="/v1.0/applications/*", status=403, body=denied, skip=1)
    state = tmp_path / "state"
    stopped = azcert("inventory", "--deep", "--resume", state)
    assert stopped.returncode == 1
    tenant.requests.clear()
    assert of("soon", lines("--deep", "--resume", state))[0]["keySize"] == 1024
    read = [path for path in asked(tenant) if path.startswith("/v1.0/applications/")]
    assert len(read) == 1, "the page, and the two applications of the batch that came, were kept"
    assert "/v1.0/applications" not in asked(tenant)


def test_the_address_of_a_page_that_is_too_old_begins_again(
    azcert_environment: AzcertEmulator, tmp_path: Path
) -> None:
    plant_fleet(azcert_environment, 1500)
    whole = lines()
    down = {"error": {"code": "ServiceNotAvailable", "message": "down"}}
    azcert_environment.faults.add("answer", path="/v1.0/applications", status=400, body=down, skip=1)
    state = tmp_path / "state"
    assert azcert("inventory", "--resume", state).returncode == 1
    old = {"error": {"code": "Directory_ExpiredPageToken", "message": "expired"}}
    azcert_environment.faults.add("answer", path="/v1.0/applications", status=400, body=old)
    assert lines("--resume", state) == whole


@pytest.mark.parametrize("content", [b"precious notes\n" * 100, b""])
def test_a_file_that_is_something_else_is_left_alone(
    azcert_environment: AzcertEmulator, tmp_path: Path, content: bytes
) -> None:
    state = tmp_path / "state"
    state.write_bytes(content)
    done = azcert("inventory", "--resume", state)
    if content:
        assert done.returncode == 1
        assert str(state) in done.stderr
        assert state.read_bytes() == content
    else:
        assert done.returncode == 0


def test_a_full_disk_is_told_and_what_was_kept_is_gone_on_with(
    azcert_environment: AzcertEmulator, tmp_path: Path
) -> None:
    plant_fleet(azcert_environment, 1500)
    state = tmp_path / "state"
    limited = f'ulimit -f 300; exec {sys.executable} -m azcert inventory --json --resume "$0"'
    done = subprocess.run(["bash", "-c", limited, state], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"azcert: {state} cannot be written" in done.stderr
    assert "space left" in done.stderr
    assert len(lines("--resume", state)) > 1500


def test_another_tenants_state_is_refused(tenant: AzcertEmulator, tmp_path: Path) -> None:
    denied = {"error": {"code": "Authorization_RequestDenied", "message": "no"}}
    tenant.faults.add("answer", path="/v1.0/applications", status=403, body=denied)
    state = tmp_path / "state"
    assert azcert("inventory", "--resume", state).returncode == 1
    done = azcert("inventory", "--resume", state, "--tenant", "contoso.onmicrosoft.com")
    assert done.returncode == 1
    assert "contoso.onmicrosoft.com" in done.stderr


def test_a_browser_shows_the_page_without_loading_anything(tenant: AzcertEmulator, tmp_path: Path) -> None:
    plant_app(tenant, 6, "<b onclick=alert(1)>bold</b>", [certificate(days(-1), days(20))])
    page = tmp_path / "inventory.html"
    done = azcert("inventory", "--deep", "--html", page)
    assert done.returncode == 0, done.stderr
    shown = Reader(dom(page, tmp_path))
    assert (shown.addresses, shown.handlers) == ([], [])
    assert not {"script", "img", "link", "iframe", "b"} & set(shown.tags)
    text = " ".join(shown.words)
    assert "<b onclick=alert(1)>bold</b>" in text
    assert "2 credentials end within 30 days." in text
    assert "Critical: ends in 5 days, no successor" in text
    assert "RSA key of 1024 bits" in text
    assert shown.words.index("soon") < shown.words.index("<b onclick=alert(1)>bold</b>")
    # Every row has its bar, every month its column's name.
    assert shown.tags.count("table") == 3
    assert "later" in " ".join(shown.words)
    picture = screenshot(page, tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000
