"""The worker of examples/, untouched, with four settings files, against the emulator."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from azcert.emulator.ready_made import SECRET_VALUE
from azcert.emulator.session import Options, Session, session
from support.console import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLES = ROOT / "examples" / "appsettings"


def environment_of(running: Session, home: Path, **more: str | None) -> dict[str, str]:
    found: dict[str, str | None] = {**os.environ, **running.environment, "HOME": str(home), **more}
    found["AZCERT_STORE_ROOT"] = str(home / "store")
    return {name: value for name, value in found.items() if value is not None}


def first_line(settings: Path, environment: dict[str, str], folder: Path) -> str:
    """What the worker prints first; it is stopped after it, and must end by itself."""
    worker = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / "worker.py"), str(settings)],
        env=environment,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    line = worker.stdout.readline()
    worker.send_signal(signal.SIGTERM)
    rest, errors = worker.communicate(timeout=60)
    assert worker.returncode == 0, errors
    assert rest.endswith("Stopped.\n")
    return line.strip()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Session]:
    with session(tmp_path) as found:
        yield found


EXPECTED = f"Secret value is: {SECRET_VALUE}"


def test_a_certificate_by_its_thumbprint_from_the_store(running: Session, tmp_path: Path) -> None:
    environment = environment_of(running, tmp_path, AZURE_CLIENT_CERTIFICATE_PATH=None)
    assert running.certificate is not None
    subprocess.run(
        [sys.executable, "-m", "azcert", "import", str(running.certificate)],
        env=environment,
        check=True,
        capture_output=True,
        timeout=60,
    )
    certificate = x509.load_pem_x509_certificate(running.certificate.read_bytes())
    environment |= {
        "KeyVault__ClientCertificate": certificate.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 - as portals show
        "KeyVault__TenantId": running.identity.tenant_id,
        "KeyVault__ClientId": running.identity.client_id,
    }
    assert first_line(EXAMPLES / "appsettings.json", environment, tmp_path) == EXPECTED


def test_a_certificate_file(running: Session, tmp_path: Path) -> None:
    assert running.certificate is not None
    (tmp_path / "my-app.pem").write_bytes(running.certificate.read_bytes())
    (tmp_path / "my-app.pem").chmod(0o600)
    environment = environment_of(running, tmp_path, AZURE_CLIENT_CERTIFICATE_PATH=None)
    assert first_line(EXAMPLES / "certificate-file.json", environment, tmp_path) == EXPECTED


def test_environment_variables_and_the_default_chain(running: Session, tmp_path: Path) -> None:
    environment = environment_of(running, tmp_path)
    assert first_line(EXAMPLES / "environment.json", environment, tmp_path) == EXPECTED


@pytest.mark.parametrize("form", ["imds", "app-service"])
def test_a_managed_identity(tmp_path: Path, form: str) -> None:
    with session(tmp_path, Options(managed_identity=form)) as running:
        environment = environment_of(running, tmp_path)
        assert first_line(EXAMPLES / "managed-identity.json", environment, tmp_path) == EXPECTED
