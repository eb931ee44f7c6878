"""What every measurement needs: the endpoint's process, its throwaway CA, and a client certificate."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import os
import secrets
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ROOT", "Setting", "make_certificate", "setting"]

ROOT = Path(__file__).parent.parent
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "11111111-2222-3333-4444-555555555555"


@dataclass(frozen=True)
class Setting:
    """Where the endpoint is and what to sign in with."""

    folder: Path
    port: int

    @property
    def authority(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def ca(self) -> str:
        return str(self.folder / "ca.pem")

    @property
    def certificate(self) -> str:
        return str(self.folder / "app.pem")

    def control(self, **query: float) -> dict[str, int]:
        """Set what the endpoint does; return what it has seen."""
        text = "&".join(f"{name}={value}" for name, value in query.items())
        context = ssl.create_default_context(cafile=self.ca)
        address = f"{self.authority}/_control/?{text}"
        with urllib.request.urlopen(address, context=context) as answer:  # noqa: S310 - https, from `authority`
            found: dict[str, int] = json.load(answer)
            return found

    def probe(self, name: str, *arguments: str, timeout: float = 120) -> Any:
        """Run one measurement in a fresh process; return what it says."""
        return finish(self.start_probe(name, *arguments), timeout)

    def start_probe(self, name: str, *arguments: str) -> subprocess.Popen[str]:
        """Start one measurement in a fresh process."""
        return subprocess.Popen(
            [sys.executable, "-m", "bench.probe", self.authority, str(self.folder), name, *arguments],
            cwd=ROOT,
            env=self._environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def command(self) -> float:
        """Run ``azcert token`` with sealed files; return the seconds until it has ended."""
        where = ["--tenant", TENANT, "--certificate", self.certificate, "--authority", self.authority]
        who = ["--client-id", CLIENT, "--disable-instance-discovery"]
        scope = ["--scope", "https://vault.azure.net/.default"]
        cache = {"AZCERT_TOKEN_CACHE": f"file:{self.folder / 'tokens'}", "REQUESTS_CA_BUNDLE": self.ca}
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "azcert", "token", *scope, *where, *who],
            env={**self._environment(), **cache},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        return time.perf_counter() - began

    def _environment(self) -> dict[str, str]:
        # As after an installation: pip compiles what it installs; a checkout is compiled when it first runs.
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        # azure-identity's persistent cache is always below the home folder.
        return {**kept, "HOME": str(self.folder)}


def finish(process: subprocess.Popen[str], timeout: float = 120) -> Any:
    """Return what a probe says at its end."""
    output, _ = process.communicate(timeout=timeout)
    if process.returncode:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return json.loads(output.splitlines()[-1])


def make_certificate(folder: Path, name: str) -> Path:
    """Write a new key and self-signed certificate to *folder*; a renewal replaces it in one step."""
    key = rsa.generate_private_key(65537, 2048)
    new = folder / f".{name}.new"
    new.touch(mode=0o600)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    new.write_bytes(private + _issue(key, f"CN={name}").public_bytes(Encoding.PEM))
    return new.replace(folder / name)


def _issue(key: rsa.RSAPrivateKey, name: str, *, server: bool = False) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name.removeprefix("CN="))])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=2))
    )
    if server:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256())


@contextlib.contextmanager
def setting() -> Iterator[Setting]:
    """Start the endpoint for the length of a block."""
    with tempfile.TemporaryDirectory(prefix="azcert-bench-") as name:
        folder = Path(name)
        key = rsa.generate_private_key(65537, 2048)
        (folder / "server.key").touch(mode=0o600)
        (folder / "server.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        (folder / "ca.pem").write_bytes(_issue(key, "localhost", server=True).public_bytes(Encoding.PEM))
        make_certificate(folder, "app.pem")
        (folder / "cache.key").touch(mode=0o600)
        (folder / "cache.key").write_bytes(secrets.token_bytes(32))
        command = [sys.executable, "-m", "bench.endpoint", str(folder / "ca.pem"), str(folder / "server.key")]
        with subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as endpoint:
            assert endpoint.stdin is not None
            assert endpoint.stdout is not None
            try:
                yield Setting(folder, int(endpoint.stdout.readline()))
            finally:
                endpoint.stdin.close()
                endpoint.wait(10)
