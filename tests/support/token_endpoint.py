"""A token endpoint on loopback that records every byte and answers what a script says."""

from __future__ import annotations

import contextlib
import datetime as dt
import email.utils
import json
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TENANT = "11111111-2222-3333-4444-555555555555"
CLIENT = "99999999-8888-7777-6666-555555555555"
SCOPE = "https://vault.azure.net/.default"


@dataclass
class Answer:
    """One answer: what it says, how late, and how badly it travels.

    :param broken: ``reset`` closes the connection without a byte; ``half`` after half of the body;
        ``trickle`` sends a byte of the body every tenth of a second, until `TokenEndpoint.trickles` is set;
        ``trickle-head`` does the same with the head.
    """

    status: int = 200
    body: dict[str, Any] | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    broken: str | None = None
    date_skew: float = 0.0


def error(
    code: int, description: str = "refused", *, status: int = 401, error: str = "invalid_client"
) -> Answer:
    return Answer(
        status,
        {
            "error": error,
            "error_description": f"AADSTS{code}: {description} Trace ID: 0-0 Correlation ID: 1-1",
            "error_codes": [code],
            "trace_id": "0-0",
            "correlation_id": "1-1",
        },
    )


@dataclass
class Seen:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    host: str

    @property
    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


class TokenEndpoint:
    """Answers in the order of `script`, then a new token each time; `gate` holds every answer back."""

    def __init__(self, *, lifetime: int = 3600) -> None:
        self.lifetime = lifetime
        self.script: deque[Answer] = deque()
        self.seen: list[Seen] = []
        self.always: Answer | None = None
        self.gate = threading.Event()
        self.gate.set()
        self.trickles = threading.Event()
        self.arrived = threading.Semaphore(0)
        self.delay = 0.0
        self.skew = 0.0
        self.in_flight: dict[str, int] = {}
        self.most_in_flight = 0
        self._lock = threading.Lock()
        self._issued = 0
        self.authority = ""

    def answer(self, seen: Seen) -> Answer:
        with self._lock:
            self.seen.append(seen)
            if self.script:
                return self.script.popleft()
            if self.always is not None:
                return self.always
            self._issued += 1
            token = f"token-{self._issued}"
            tenant = seen.path.split("/")[1]
            return Answer(
                200,
                {
                    "token_type": "Bearer",
                    "expires_in": self.lifetime,
                    "ext_expires_in": self.lifetime,
                    "access_token": f"{token}.{tenant}.{seen.form.get('scope', '')}",
                },
                delay=self.delay,
            )

    @contextlib.contextmanager
    def counted(self, key: str) -> Iterator[None]:
        with self._lock:
            self.in_flight[key] = self.in_flight.get(key, 0) + 1
            self.most_in_flight = max(self.most_in_flight, self.in_flight[key])
        try:
            yield
        finally:
            with self._lock:
                self.in_flight[key] -= 1


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # One write per answer: two would wait for each other's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True
    endpoint: TokenEndpoint

    def do_POST(self) -> None:
        self._serve(self.rfile.read(int(self.headers.get("content-length", "0"))))

    def do_GET(self) -> None:
        self._serve(b"")

    def _serve(self, body: bytes) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, headers, body, headers.get("host", ""))
        endpoint = self.endpoint
        with endpoint.counted(seen.path + "?" + seen.form.get("scope", "")):
            answer = endpoint.answer(seen)
            endpoint.arrived.release()
            endpoint.gate.wait()
            if answer.delay:
                time.sleep(answer.delay)
            self._write(answer)

    def _write(self, answer: Answer) -> None:
        if answer.broken == "reset":
            self.close_connection = True
            return
        if answer.broken == "trickle-head":
            self._trickle(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 1000)
            return
        content = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body or {}).encode()
        self.send_response_only(answer.status)
        moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=answer.date_skew or self.endpoint.skew)
        self.send_header("Date", email.utils.format_datetime(moment, usegmt=True))
        self.send_header(
            "Content-Type", answer.headers.pop("Content-Type", "application/json; charset=utf-8")
        )
        self.send_header("Content-Length", str(len(content)))
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.end_headers()
        if answer.broken == "half":
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
            return
        if answer.broken == "trickle":
            self._trickle(content)
            return
        self.wfile.write(content)

    def _trickle(self, content: bytes) -> None:
        self.close_connection = True
        for byte in content:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.endpoint.trickles.wait(0.1):
                return

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (http.server's name)
        """Keep quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is part of what is tested."""


@contextlib.contextmanager
def serve(folder: Path, endpoint: TokenEndpoint | None = None) -> Iterator[tuple[TokenEndpoint, str]]:
    """Serve over TLS; gives the endpoint and the path of the CA to trust."""
    endpoint = endpoint or TokenEndpoint()
    ca, chain = _tls(folder)
    handler = type("Handler", (_Handler,), {"endpoint": endpoint})
    server = _Server(("127.0.0.1", 0), handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    # The handshake is the connection thread's work, not the accepting one's.
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    endpoint.authority = f"https://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield endpoint, ca
    finally:
        endpoint.gate.set()
        endpoint.trickles.set()
        server.shutdown()
        server.server_close()
        thread.join()


def make_certificate(
    path: Path, *, name: str = "app", days: int = 365, chain: bool = False
) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    """Write a PEM file with a certificate, its key and, with *chain*, its issuer."""
    key = _rsa_key(name)
    issuer_key = _rsa_key("issuer") if chain else key
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Contoso CA")]) if chain else subject
    now = dt.datetime.now(dt.UTC)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=days))
        .sign(issuer_key, hashes.SHA256())
    )
    parts = [leaf.public_bytes(serialization.Encoding.PEM), _pem(key)]
    if chain:
        root = (
            x509.CertificateBuilder()
            .subject_name(issuer)
            .issuer_name(issuer)
            .public_key(issuer_key.public_key())
            .serial_number(1)
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(issuer_key, hashes.SHA256())
        )
        # The issuer first: the leaf is found by its key, not by its place.
        parts.insert(0, root.public_bytes(serialization.Encoding.PEM))
    temporary = path.with_suffix(".new")
    temporary.write_bytes(b"".join(parts))
    temporary.chmod(0o600)
    temporary.replace(path)
    return leaf, key


_KEYS: dict[str, rsa.RSAPrivateKey] = {}


def _rsa_key(name: str) -> rsa.RSAPrivateKey:
    # Keys are slow to make and tests need only different ones.
    if name not in _KEYS:
        _KEYS[name] = rsa.generate_private_key(65537, 2048)
    return _KEYS[name]


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _tls(folder: Path) -> tuple[str, str]:
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test CA")])

    def build(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
            )
        )

    usage = dict.fromkeys(
        [
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    ca = (
        build(issuer, ca_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(**{**usage, "key_cert_sign": True}), critical=True)
        .sign(ca_key, hashes.SHA256())
    )
    leaf = (
        build(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")]), key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    ca_path, chain_path = folder / "ca.pem", folder / "server.pem"
    ca_path.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    chain_path.write_bytes(leaf.public_bytes(serialization.Encoding.PEM) + _pem(key))
    return str(ca_path), str(chain_path)
