"""What the proxy takes, refuses, and gives back."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import requests
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from azcert.emulator.hosts import Service
from azcert.emulator.server import Emulator
from azcert.emulator.tls import Authority
from azcert.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.requests import Request


async def greet(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"{request.url.hostname}{request.url.path}")


@contextmanager
def emulator(*, passthrough: bool = False) -> Iterator[Emulator]:
    routes = {
        service: [Route("/{path:path}", greet, methods=["GET", "POST"])]
        for service in (Service.ENTRA, Service.VAULT)
    }
    made = Emulator(routes=routes, passthrough=passthrough)
    made.world.documents.put("vault", "kv-demo", {"name": "kv-demo"})
    with made:
        yield made


def ask(running: Emulator, text: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(text)
        answer = b""
        while data := connection.recv(65536):
            answer += data
    return answer


def fetch(running: Emulator, url: str, folder: Path) -> str:
    bundle = folder / "ca.pem"
    bundle.write_bytes(running.authority.pem)
    got = requests.get(url, proxies={"https": running.proxy_url}, verify=str(bundle), timeout=10)
    got.raise_for_status()
    return got.text


@pytest.mark.parametrize(
    "host",
    [
        "login.microsoftonline.com",
        "login.windows.net",
        "westeurope.login.microsoft.com",
        "login.microsoftonline.us",
        "login.partner.microsoftonline.cn",
        "kv-demo.vault.azure.net",
    ],
)
def test_real_host_names_are_answered_over_verified_tls(host: str, tmp_path: Path) -> None:
    with emulator() as running:
        assert fetch(running, f"https://{host}/a/b", tmp_path) == f"{host}/a/b"


@pytest.mark.parametrize("target", ["example.com:443", "login.microsoftonline.com:8443", "[::1]:443"])
def test_other_hosts_and_ports_are_refused_by_name(target: str) -> None:
    with emulator() as running:
        answer = ask(running, f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert target.strip("[]").rpartition(":")[0].strip("[]").encode() in answer
    assert b"--passthrough" in answer


def test_the_reason_reaches_users_of_ordinary_libraries(tmp_path: Path) -> None:
    with (
        emulator() as running,
        pytest.raises(requests.exceptions.ProxyError, match=r"example\.com.*not emulated"),
    ):
        fetch(running, "https://example.com/", tmp_path)


def test_a_vault_that_does_not_exist_cannot_be_reached(tmp_path: Path) -> None:
    with (
        emulator() as running,
        pytest.raises(requests.exceptions.ProxyError, match="no vault named kv-other"),
    ):
        fetch(running, "https://kv-other.vault.azure.net/", tmp_path)


@pytest.mark.parametrize(
    "request_line",
    ["GET http://kv-demo.vault.azure.net/ HTTP/1.1", "GET / HTTP/1.1", "CONNECT nowhere HTTP/1.1"],
)
def test_plain_http_is_refused(request_line: str) -> None:
    with emulator() as running:
        answer = ask(running, f"{request_line}\r\nHost: kv-demo.vault.azure.net\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 501 ")
    assert b"CONNECT only" in answer


def test_what_is_not_http_is_told_so() -> None:
    with emulator() as running:
        assert ask(running, b"\x16\x03\x01 hello\r\n\r\n").startswith(b"HTTP/1.1 400 ")


def test_bytes_sent_together_with_the_connect_request_are_not_lost() -> None:
    with emulator(passthrough=True) as running, echo() as port:
        request = f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: x\r\n\r\nearly".encode()
        with socket.create_connection(("127.0.0.1", running.port), timeout=10) as client:
            client.sendall(request)
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while data := client.recv(100):
                answer += data
    assert answer.endswith(b"\r\n\r\nearly")


def test_passthrough_reaches_another_server_with_its_own_certificate(tmp_path: Path) -> None:
    stranger = Authority.create(["localhost"])
    routes = {Service.ENTRA: [Route("/{path:path}", greet)]}
    with emulator(passthrough=True) as running, Emulator(routes=routes) as other:
        # The other emulator's proxy is a plain TCP peer here: enough to see that the tunnel reaches it.
        answer = ask(running, _connect(f"127.0.0.1:{other.port}") + b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert stranger.pem != running.authority.pem
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert b"HTTP/1.1 501 " in answer


def test_passthrough_names_a_host_that_cannot_be_reached() -> None:
    closed = socket.create_server(("127.0.0.1", 0))
    port = closed.getsockname()[1]
    closed.close()
    with emulator(passthrough=True) as running:
        assert b"502 cannot reach 127.0.0.1" in ask(running, _connect(f"127.0.0.1:{port}"))


def test_clients_that_stay_silent_or_half_open_leave_no_task_behind() -> None:
    with emulator() as running:
        silent = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(20)]
        for number, client in enumerate(silent):
            if number % 2:
                client.sendall(_connect("kv-demo.vault.azure.net:443"))
                client.shutdown(socket.SHUT_WR)
        _until(lambda: running.proxy.clients >= 10)
        for client in silent:
            client.close()
        _until(lambda: running.proxy.clients == 0)


def test_stop_ends_open_connections_at_once() -> None:
    running = Emulator(routes={Service.ENTRA: [Route("/", greet)]})
    running.start()
    connection = http.client.HTTPSConnection(
        "127.0.0.1", running.port, context=ssl.create_default_context(cadata=running.authority.pem.decode())
    )
    connection.set_tunnel("login.microsoftonline.com", 443)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"login.microsoftonline.com/"
    started = time.monotonic()
    running.stop()
    running.stop()
    assert time.monotonic() - started < 2
    connection.close()


def test_stop_does_not_wait_for_an_answer_that_takes_long(
    caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    failures: list[Exception] = []

    def ask_slowly(running: Emulator) -> None:
        try:
            fetch(running, "https://login.microsoftonline.com/", tmp_path)
        except requests.RequestException as error:
            failures.append(error)

    with emulator() as running:
        running.world.delays.latency = 60
        client = threading.Thread(target=ask_slowly, args=(running,))
        client.start()
        _until(lambda: running.world.requests)
        started = time.monotonic()
    assert time.monotonic() - started < 3
    client.join()
    assert len(failures) == 1
    assert caplog.records == []


def test_answers_do_not_wait_for_delayed_acknowledgements(tmp_path: Path) -> None:
    with emulator() as running, requests.Session() as client:
        (tmp_path / "ca.pem").write_bytes(running.authority.pem)
        client.trust_env = False
        client.proxies = {"https": running.proxy_url}
        client.verify = str(tmp_path / "ca.pem")
        fastest = 1.0
        for _ in range(20):
            started = time.perf_counter()
            client.get("https://login.microsoftonline.com/", timeout=10)
            fastest = min(fastest, time.perf_counter() - started)
    # Nagle's algorithm against a delayed acknowledgement costs 40 ms each time.
    assert fastest < 0.03


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmulatorError, match=f"127.0.0.1:{port}") as caught:
            Emulator(port=port, routes={}).start()
    assert caught.value.code == "port-taken"


def _connect(target: str) -> bytes:
    return f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode()


def _until(true: Callable[[], object], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextmanager
def echo() -> Iterator[int]:
    """Serve one client that gets back what it sent."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            client, _ = server.accept()
            with client:
                while data := client.recv(100):
                    client.sendall(data)

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join()
