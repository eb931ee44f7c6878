"""Faults as clients meet them."""

from __future__ import annotations

import http.client
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from azcert.emulator.faults import Action, Fault, Faults

if TYPE_CHECKING:
    from email.message import Message

    from azcert.emulator.fixture import AzcertEmulator

HOST = "login.microsoftonline.com"
PATH = "/common/discovery/instance"


def ask(
    emulator: AzcertEmulator, path: str = PATH, *, host: str = HOST, timeout: float = 10
) -> tuple[int, Message, bytes]:
    context = ssl.create_default_context(cafile=str(emulator.ca_path))
    port = int(emulator.proxy_url.rpartition(":")[2])
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=timeout)
    connection.set_tunnel(host, 443)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def test_an_answer_takes_the_place_of_the_service_s(azcert_emulator: AzcertEmulator) -> None:
    azcert_emulator.faults.add(
        "answer", path="*/discovery/*", status=429, headers={"Retry-After": "7"}, body={"error": "slow down"}
    )
    status, headers, body = ask(azcert_emulator)
    assert (status, headers["Retry-After"], body) == (429, "7", b'{"error": "slow down"}')
    assert headers["Content-Type"].startswith("application/json")
    assert ask(azcert_emulator)[0] == 400  # the service's own: no endpoint was named
    assert [entry.get("fault") for entry in azcert_emulator.requests] == ["answer", None]


def test_truncate_sends_half_of_the_body(azcert_emulator: AzcertEmulator) -> None:
    whole = ask(azcert_emulator)[2]
    azcert_emulator.faults.add("truncate")
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(azcert_emulator)
    assert len(caught.value.partial) == len(whole) // 2


def test_close_ends_the_connection_without_an_answer(azcert_emulator: AzcertEmulator) -> None:
    azcert_emulator.faults.add(Action.CLOSE)
    with pytest.raises((http.client.RemoteDisconnected, ssl.SSLEOFError)):
        ask(azcert_emulator)


def test_reset_resets_it(azcert_emulator: AzcertEmulator) -> None:
    azcert_emulator.faults.add(Action.RESET)
    with pytest.raises(ConnectionResetError):
        ask(azcert_emulator)


def test_hang_never_answers(azcert_emulator: AzcertEmulator) -> None:
    azcert_emulator.faults.add(Action.HANG)
    with pytest.raises(TimeoutError):
        ask(azcert_emulator, timeout=0.3)
    assert ask(azcert_emulator)[0] == 400


def test_delay_is_the_service_s_answer_later(azcert_emulator: AzcertEmulator) -> None:
    azcert_emulator.faults.add(Action.DELAY, seconds=0.3)
    started = time.monotonic()
    assert ask(azcert_emulator)[0] == 400
    assert time.monotonic() - started >= 0.3


def test_unreachable_is_the_proxy_s_failure(azcert_emulator: AzcertEmulator) -> None:
    azcert_emulator.faults.add(Action.UNREACHABLE, host="login.*")
    with pytest.raises(OSError, match="502 cannot reach login"):
        ask(azcert_emulator)
    assert ask(azcert_emulator)[0] == 400


def test_untrusted_fails_the_client_s_verification(azcert_emulator: AzcertEmulator) -> None:
    azcert_emulator.faults.add(Action.UNTRUSTED, host="login.*")
    with pytest.raises(ssl.SSLCertVerificationError):
        ask(azcert_emulator)
    assert ask(azcert_emulator)[0] == 400


def test_latency_and_the_date_header_follow_the_world(azcert_emulator: AzcertEmulator) -> None:
    azcert_emulator.delays.latency = 0.2
    azcert_emulator.clock.set(1893456000.0)
    started = time.monotonic()
    _, headers, _ = ask(azcert_emulator)
    assert time.monotonic() - started >= 0.2
    assert headers["Date"].startswith("Tue, 01 Jan 2030 00:00:")


@pytest.mark.parametrize(
    "host",
    ["login.microsoftonline.com", "kv-demo.vault.azure.net", "graph.microsoft.com", "management.azure.com"],
)
def test_a_client_that_goes_away_in_the_middle_is_no_failure(
    azcert_emulator: AzcertEmulator, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    context = ssl.create_default_context(cafile=str(azcert_emulator.ca_path))
    port = int(azcert_emulator.proxy_url.rpartition(":")[2])
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=10)
    connection.set_tunnel(host, 443)
    connection.putrequest("POST", "/common/oauth2/v2.0/token")
    connection.putheader("Content-Length", "100")
    connection.endheaders(b"half of ")
    while not azcert_emulator.requests:
        time.sleep(0.001)
    connection.close()
    assert ask(azcert_emulator)[0] == 400
    assert caplog.records == []


def test_faults_strike_in_order_and_as_often_as_asked() -> None:
    faults = Faults()
    faults.add(status=500, times=2)
    faults.add(status=503, path="/b", skip=1)
    faults.add(status=418, times=None, method="post")
    struck = [faults.take("h", path, "GET") for path in ("/a", "/b", "/b", "/b", "/b")]
    assert [found.status if found else None for found in struck] == [500, 500, None, 503, None]
    assert [found.status for _ in range(3) if (found := faults.take("h", "/", "POST"))] == [418] * 3
    assert faults.waiting() == [Fault(status=418, times=None, method="post")]


def test_a_fault_strikes_once_though_many_ask_at_once() -> None:
    faults = Faults()
    faults.add(times=50)
    struck: list[Any] = []

    def ask_often() -> None:
        struck.extend(filter(None, (faults.take("h", "/", "GET") for _ in range(100))))

    threads = [threading.Thread(target=ask_often) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(struck) == 50


def test_an_unknown_action_is_refused() -> None:
    with pytest.raises(ValueError, match="explode"):
        Faults().add("explode")
