"""A rotation killed at any instant leaves a source that signs in; the next run ends it."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from azcert.emulator.ready_made import OBJECT_ID
from azcert.sources.open import open_source
from support.rotating import make_certificate, register, registered, sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator
    from support.softhsm import SoftHsm

KILLS = 400 if os.environ.get("AZCERT_STRESS") else 12
RUN_SECONDS = 1.2
"""About how long a whole run takes, its interpreter's start included."""


def start(source: str, state: Path) -> subprocess.Popen[str]:
    """Start ``azcert rotate`` as a timer does."""
    command = [sys.executable, "-m", "azcert", "rotate", source, "--object-id", OBJECT_ID]
    return subprocess.Popen(
        [*command, "--force", "--overlap", "0s"],
        env={**os.environ, "AZCERT_STATE": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end_well(source: str, state: Path) -> None:
    """Let the next run go to its end."""
    running = start(source, state)
    _, said = running.communicate(timeout=120)
    assert running.returncode == 0, said


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Where the journals are."""
    return tmp_path / "state"


@pytest.fixture
def file_source(azcert_environment: AzcertEmulator, tmp_path: Path) -> str:
    path = tmp_path / "place" / "app.pem"
    path.parent.mkdir()
    shutil.copy(azcert_environment.certificate_path, path)
    path.chmod(0o600)
    return str(path)


def kill_again_and_again(emulator: AzcertEmulator, source: str, state: Path, *, kills: int) -> int:
    """Kill runs at random instants; return how many were met in the middle."""
    chance = random.Random(20260101)  # noqa: S311 - the same instants in every run
    met = 0
    for _ in range(kills):
        running = start(source, state)
        try:
            running.wait(chance.uniform(0.2, RUN_SECONDS))
        except subprocess.TimeoutExpired:
            running.send_signal(signal.SIGKILL)
        running.communicate(timeout=60)
        met += running.returncode == -signal.SIGKILL
        sign_in(emulator, source)
        assert len(registered(emulator)) <= 2
    end_well(source, state)
    sign_in(emulator, source)
    assert registered(emulator) == {open_source(source).load().certificate.thumbprint}
    return met


def leftovers(folder: Path) -> set[str]:
    return {path.suffix for path in folder.rglob("*") if path.is_file()}


def test_killed_at_any_instant_a_file_signs_in_and_the_next_run_ends_well(
    azcert_environment: AzcertEmulator, file_source: str, tmp_path: Path, state: Path
) -> None:
    met = kill_again_and_again(azcert_environment, file_source, state, kills=KILLS)
    assert met > KILLS // 4, "some were killed before they had ended"
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["app.pem"]
    assert leftovers(state) == {".lock", ".registered"}


def test_killed_at_any_instant_a_token_signs_in_and_the_next_run_ends_well(
    azcert_environment: AzcertEmulator, softhsm: SoftHsm, pin_file: Path, state: Path
) -> None:
    source = softhsm.uri("spare", "killed", pin_file=pin_file)
    register(azcert_environment, make_certificate(source))
    kill_again_and_again(azcert_environment, source, state, kills=max(3, KILLS // 4))
    listed = softhsm.run_tool("--token-label", "spare", "--list-objects")
    assert listed.count("killed") == 3, "a private key, a public key and a certificate"
    assert leftovers(state) == {".lock", ".registered"}


def test_two_rotators_of_one_app_lose_no_credential_and_leave_none(
    azcert_environment: AzcertEmulator, file_source: str, tmp_path: Path, state: Path
) -> None:
    before = open_source(file_source).load().certificate.thumbprint
    both = [start(file_source, state) for _ in range(2)]
    said = [running.communicate(timeout=120)[1] for running in both]
    assert [running.returncode for running in both] == [0, 0], said
    after = open_source(file_source).load().certificate.thumbprint
    assert after != before
    assert registered(azcert_environment) == {after}
    sign_in(azcert_environment, file_source)
    assert [path.name for path in (tmp_path / "place").iterdir()] == ["app.pem"]


def test_one_file_named_in_two_ways_is_rotated_by_one_at_a_time(
    azcert_environment: AzcertEmulator, file_source: str, tmp_path: Path, state: Path
) -> None:
    link = tmp_path / "link.pem"
    link.symlink_to(file_source)
    both = [start(name, state) for name in (file_source, str(link))]
    said = [running.communicate(timeout=120)[1] for running in both]
    assert [running.returncode for running in both] == [0, 0], said
    assert link.is_symlink()
    assert registered(azcert_environment) == {open_source(str(link)).load().certificate.thumbprint}
