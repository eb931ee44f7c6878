"""Files and folders that others could have written are not trusted, and the message says which and why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azcert.errors import AccessError
from azcert.stores.directory.store import DirectoryStore
from support.stored import MY, key, make

if TYPE_CHECKING:
    from azcert.stores.store import Entry

STRANGER = 65533


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(MY, tmp_path / "stores" / "my")


@pytest.fixture
def entry(store: DirectoryStore) -> Entry:
    return store.add(make(), key())


def refused(store: DirectoryStore, culprit: Path, why: str) -> None:
    for use in (store.entries, lambda: store.get("A" * 40), lambda: store.add(make("CN=more"))):
        with pytest.raises(AccessError) as caught:
            use()
        assert caught.value.code == "untrusted"
        assert str(culprit) in caught.value.message
        assert why in caught.value.message


@pytest.mark.parametrize("mode", [0o777, 0o702])
def test_a_folder_that_all_may_write_is_refused(store: DirectoryStore, entry: Entry, mode: int) -> None:
    store.folder.chmod(mode)
    refused(store, store.folder, "everybody")


def test_a_folder_above_that_all_may_write_is_refused(store: DirectoryStore, entry: Entry) -> None:
    store.folder.parent.chmod(0o777)
    refused(store, store.folder.parent, "everybody")


def test_a_sticky_folder_above_is_fine(store: DirectoryStore, entry: Entry) -> None:
    store.folder.parent.chmod(0o1777)
    assert store.entries() == [entry]


def test_a_sticky_store_is_refused_for_others_may_add_to_it(store: DirectoryStore, entry: Entry) -> None:
    store.folder.chmod(0o1777)
    refused(store, store.folder, "everybody")


def test_a_folder_that_a_group_may_write_is_refused(store: DirectoryStore, entry: Entry) -> None:
    os.chown(store.folder, -1, STRANGER)
    store.folder.chmod(0o770)
    refused(store, store.folder, f"group {STRANGER}")


def test_another_owners_folder_is_refused(store: DirectoryStore, entry: Entry) -> None:
    os.chown(store.folder, STRANGER, -1)
    refused(store, store.folder, f"user {STRANGER}")


def test_another_owners_certificate_is_left_out_and_refused_by_name(
    store: DirectoryStore, entry: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    other = store.add(make("CN=other"), key())
    os.chown(entry.path or "", STRANGER, -1)
    assert store.entries() == [other]
    assert f"user {STRANGER}" in caplog.text
    with pytest.raises(AccessError, match="belongs to"):
        store.get(entry.thumbprint)


def test_a_certificate_that_all_may_write_is_refused(store: DirectoryStore, entry: Entry) -> None:
    Path(entry.path or "").chmod(0o666)
    with pytest.raises(AccessError, match="everybody"):
        store.get(entry.thumbprint)


def test_a_key_that_all_may_read_is_refused(store: DirectoryStore, entry: Entry) -> None:
    store.key_path(entry).chmod(0o604)
    with pytest.raises(AccessError) as caught:
        store.signer(entry)
    assert caught.value.code == "key-file-open"
    assert "chmod o=" in str(caught.value)


@pytest.mark.parametrize("which", ["certificate", "key"])
def test_symbolic_links_are_not_followed(store: DirectoryStore, entry: Entry, which: str) -> None:
    path = Path(entry.path or "") if which == "certificate" else store.key_path(entry)
    elsewhere = store.folder.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    with pytest.raises(AccessError, match="symbolic link"):
        store.signer(entry)


def test_a_pipe_in_place_of_a_key_blocks_nobody(store: DirectoryStore, entry: Entry) -> None:
    path = store.key_path(entry)
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(AccessError, match="is not a file"):
        store.signer(entry)


def test_an_index_of_another_owner_is_not_believed(store: DirectoryStore, entry: Entry) -> None:
    index = store.folder / ".index"
    index.write_bytes(index.read_bytes().replace(b"CN=app", b"CN=lie"))
    os.chown(index, STRANGER, -1)
    assert DirectoryStore(MY, store.folder).entries() == [entry]


def test_a_folder_behind_a_link_is_judged_where_it_really_is(store: DirectoryStore, entry: Entry) -> None:
    open_folder = store.folder.parent.parent / "open"
    open_folder.mkdir()
    moved = open_folder / "my"
    store.folder.rename(moved)
    store.folder.symlink_to(moved)
    assert store.entries()
    open_folder.chmod(0o777)
    with pytest.raises(AccessError, match="open"):
        store.entries()
