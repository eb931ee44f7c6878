"""Ten thousand certificates: what a lookup opens and parses is counted, not timed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from azcert.stores.directory.record import Record
from azcert.stores.directory.store import DirectoryStore
from azcert.stores.find import choose
from azcert.stores.names import Selector
from support.stored import MY, NOW, make

if TYPE_CHECKING:
    from pathlib import Path

# Counts files opened and certificates parsed by the interpreter's own audit events and profile, in a process
# of its own, so that nothing of this one's memory helps.
COUNT = """
import json, sys
opened = []
def audit(event, arguments):
    if event == "open" and str(arguments[0]).endswith((".pem", ".index")):
        opened.append(str(arguments[0]))
from pathlib import Path
from azcert.stores.directory.store import DirectoryStore
from azcert.stores.find import find
from azcert.stores.names import Location, Selector, StoreName
import azcert.certificate.formats
store = DirectoryStore(StoreName(Location.CURRENT_USER, "My"), Path(sys.argv[1]))
sys.addaudithook(audit)
kind, value = sys.argv[2:]
found = [store.get(value)] if kind == "thumbprint" else find(store.entries(), Selector(subject=value))
print(json.dumps([len(found), sum(name.endswith(".pem") for name in opened)]))
"""


def count(folder: Path, kind: str, value: str) -> tuple[int, int]:
    """Return how many certificates a new process found, and how many of their files it opened."""
    done = subprocess.run(
        [sys.executable, "-c", COUNT, str(folder), kind, value], capture_output=True, text=True, check=True
    )
    found, opened = json.loads(done.stdout)
    return found, opened


def fill(folder: Path, size: int) -> list[str]:
    """Write *size* records as the store does, without waiting for the disk each time."""
    folder.mkdir(mode=0o700)
    thumbprints = []
    for number in range(size):
        made = make(f"CN=app-{number:05}")
        path = folder / f"{made.thumbprint}.pem"
        path.write_bytes(Record(made, NOW, f"{made.thumbprint}.00000000.key", None, "file").render())
        thumbprints.append(made.thumbprint)
    return thumbprints


SIZES = (10, 1_000, 10_000) if os.environ.get("AZCERT_STRESS") else (10, 1_000)


@pytest.mark.parametrize("size", SIZES)
def test_lookups_open_no_more_files_than_they_must(tmp_path: Path, size: int) -> None:
    folder = tmp_path / "my"
    thumbprints = fill(folder, size)
    assert count(folder, "thumbprint", thumbprints[size // 2]) == (1, 1)
    assert count(folder, "subject", "app-00007") == (1, size), "the first search reads each file once"
    assert count(folder, "subject", "app-00007") == (1, 0), "the second one reads none"
    changed = folder / f"{thumbprints[3]}.pem"
    changed.write_bytes(changed.read_bytes() + b"\n")
    assert count(folder, "subject", "app-00007") == (1, 1), "only what has changed is read again"


def test_adding_keeps_the_index_up_to_date(tmp_path: Path) -> None:
    store = DirectoryStore(MY, tmp_path / "my")
    for number in range(5):
        store.add(make(f"CN=app-{number}"))
    assert count(store.folder, "subject", "app-3") == (1, 0)


@pytest.mark.parametrize("damage", [b"", b"no json", b"\n[1,2]", b'\n[1,"a.pem",[1,2,3],', b"\x00\xff" * 50])
def test_a_damaged_index_is_only_slower(tmp_path: Path, damage: bytes) -> None:
    store = DirectoryStore(MY, tmp_path / "my")
    entries = [store.add(make(f"CN=app-{number}")) for number in range(3)]
    index = store.folder / ".index"
    index.write_bytes(index.read_bytes()[:-40] + damage)
    again = DirectoryStore(MY, store.folder)
    assert sorted(again.entries(), key=str) == sorted(entries, key=str)
    store.add(make("CN=more"))
    assert len(DirectoryStore(MY, store.folder).entries()) == 4


def test_the_index_does_not_grow_without_end(tmp_path: Path) -> None:
    store = DirectoryStore(MY, tmp_path / "my")
    made = make()
    for _ in range(100):
        store.add(made)
    assert store.folder.joinpath(".index").read_bytes().count(b"\n") == 100
    assert len(DirectoryStore(MY, store.folder).entries()) == 1
    assert store.folder.joinpath(".index").read_bytes().count(b"\n") == 1


def test_a_choice_among_many_is_the_right_one(tmp_path: Path) -> None:
    folder = tmp_path / "my"
    fill(folder, 200)
    store = DirectoryStore(MY, folder)
    entry = choose(store.entries(), Selector(subject="app-00042"), now=NOW, where="store")
    assert entry.subject == "CN=app-00042"
