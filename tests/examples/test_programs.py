"""The three small programs print what they promise, and end cleanly."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from azcert.emulator.ready_made import SECRET_VALUE
from support.command import azcert
from support.console import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

LINE = f"Secret value is: {SECRET_VALUE}"
SETTINGS = ROOT / "examples" / "appsettings" / "environment.json"
UNKNOWN = "ABCDEF0123456789ABCDEF0123456789ABCDEF01"
# Whatever Python, asyncio or a library warns of fails the test.
STRICT = (sys.executable, "-W", "error")


def ended(program: str, *arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*STRICT, str(ROOT / "examples" / program), *map(str, arguments)],
        env={**os.environ, "AZCERT_STORE_ROOT": str(folder / "store"), "HOME": str(folder)},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.usefixtures("azcert_environment")
@pytest.mark.parametrize("program", ["open_certificate.py", "environment.py"])
def test_the_secret_is_printed_and_nothing_else(program: str, tmp_path: Path) -> None:
    done = ended(program, folder=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{LINE}\n", "")


def test_a_certificate_is_opened_by_path_and_by_thumbprint(
    azcert_environment: AzcertEmulator, tmp_path: Path
) -> None:
    path = azcert_environment.certificate_path
    imported = azcert("import", path, environment={"AZCERT_STORE_ROOT": str(tmp_path / "store")})
    assert imported.returncode == 0, imported.stderr
    for name in (path, imported.stdout.strip()):
        assert ended("open_certificate.py", name, folder=tmp_path).stdout == f"{LINE}\n"


@pytest.mark.usefixtures("azcert_environment")
def test_an_unknown_thumbprint_is_said_as_in_the_original(tmp_path: Path) -> None:
    done = ended("open_certificate.py", UNKNOWN, folder=tmp_path)
    expected = f"[ERROR] No client certificate with thumbprint '{UNKNOWN}' was found.\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, expected, "")


@pytest.mark.usefixtures("azcert_environment")
def test_a_refused_sign_in_is_said_as_in_the_original(tmp_path: Path) -> None:
    assert azcert("new", "other", folder=tmp_path).returncode == 0
    done = ended("open_certificate.py", "other.pem", folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("[ERROR] Authentication Failed. ")
    assert "AADSTS700027" in done.stdout
    assert "Upload the public certificate" in done.stdout


@pytest.mark.usefixtures("azcert_environment")
@pytest.mark.parametrize("name", ["neither-file-nor-thumbprint", "text.pem"])
def test_what_is_no_certificate_is_one_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "text.pem").write_text("nothing")
    done = ended("open_certificate.py", name, folder=tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("[ERROR] ")
    assert done.stdout.count("\n") == 1


@pytest.mark.usefixtures("azcert_environment")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_worker_reads_until_it_is_stopped_and_leaves_nothing_open(number: signal.Signals) -> None:
    with subprocess.Popen(
        [*STRICT, str(ROOT / "examples" / "worker.py"), str(SETTINGS)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stdout is not None
        # The second one shows that it reads again.
        assert [worker.stdout.readline() for _ in range(2)] == [f"{LINE}\n"] * 2
        worker.send_signal(number)
        rest, errors = worker.communicate(timeout=30)
    assert (worker.returncode, errors) == (0, "")
    assert rest.endswith("Stopped.\n")
