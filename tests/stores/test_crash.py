"""A writer killed at any point, and many writers at once: the store is always whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from azcert.certificate.signer import Algorithm
from azcert.stores.directory.store import DirectoryStore
from support.stored import MY, key, make

KILLS = 3000 if os.environ.get("AZCERT_STRESS") else 200
WRITER = Path(__file__).parent.parent / "support" / "store_writer.py"
NAMES = 5


@pytest.fixture
def material(tmp_path: Path) -> Path:
    folder = tmp_path / "material"
    folder.mkdir()
    folder.joinpath("key.pem").write_bytes(
        key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    for number in range(NAMES):
        certificate = make(f"CN=app-{number}").leaf.public_bytes(Encoding.PEM)
        folder.joinpath(f"{number}.cer").write_bytes(certificate)
    return folder


def start(folder: Path, material: Path, seed: object, rounds: int | None = None) -> subprocess.Popen[str]:
    command = [sys.executable, str(WRITER), str(folder), str(material), str(seed)]
    return subprocess.Popen(
        [*command, *([str(rounds)] if rounds else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check_whole(folder: Path) -> int:
    """Every certificate that is there has its key and signs; no file is half-written. Return how many."""
    store = DirectoryStore(MY, folder)
    entries = store.entries()
    listed = {path.stem for path in folder.glob("*.pem")}
    assert {entry.thumbprint for entry in entries} == listed, "a file could not be read"
    for entry in entries:
        assert entry.has_key
        assert store.signer(entry).sign(b"data", Algorithm.RS256)
    return len(entries)


@pytest.mark.timeout(60 + KILLS)
def test_a_writer_killed_at_any_point_leaves_a_whole_store(tmp_path: Path, material: Path) -> None:
    folder = tmp_path / "my"
    chance = random.Random(7)  # noqa: S311 - moments of a test, to be repeated
    most = 0
    with start(folder, material, "fork") as writers:
        assert writers.stdin is not None
        assert writers.stdout is not None
        for kill in range(KILLS):
            writers.stdin.write(f"{kill}\n")
            writers.stdin.flush()
            pid = int(writers.stdout.readline())
            # Let it come into its stride, then strike somewhere in the following writes.
            for _ in range(chance.randrange(3)):
                writers.stdout.readline()
            spin = chance.randrange(100_000)
            while spin:
                spin -= 1
            os.kill(pid, signal.SIGKILL)
            while writers.stdout.readline() != "ended\n":
                pass
            most = max(most, check_whole(folder))
        writers.stdin.close()
        assert writers.wait() == 0
    assert most > 1
    # What the killed ones left behind is cleared away by the next writer.
    with start(folder, material, "last", 1) as writer:
        assert writer.wait() == 0
        assert writer.communicate()[1] == ""
    check_whole(folder)
    assert not list(folder.glob(".*.new"))
    assert len(list(folder.glob("*.key"))) == len(list(folder.glob("*.pem")))


def test_writers_at_once_leave_a_whole_store(tmp_path: Path, material: Path) -> None:
    folder = tmp_path / "my"
    writers = [start(folder, material, seed, 30) for seed in range(4)]
    while any(writer.poll() is None for writer in writers):
        check_while_written(folder)
    for writer in writers:
        with writer:
            assert writer.wait() == 0
            assert writer.communicate()[1] == ""
    check_whole(folder)
    assert len(list(folder.glob("*.key"))) == len(list(folder.glob("*.pem")))


def check_while_written(folder: Path) -> None:
    """A reader meets only whole certificates, while they come and go."""
    store = DirectoryStore(MY, folder)
    for entry in store.entries():
        assert entry.has_key
        present = store.get(entry.thumbprint)
        assert present is None or present.thumbprint == entry.thumbprint
