"""The sealed file cache: private files, nothing in the clear, damage set aside."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

import pytest

from azcert.credential.caches.sealed import SealedFileCache, default_folder
from azcert.credential.sealing.configured import ConfiguredKeys
from azcert.credential.sealing.signature import SignatureKeys
from azcert.errors import AccessError, ConfigurationError
from support.cache_worker import token, token_key
from support.signing import RenewableSource, make_signing

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.credential.caches.entry import TokenKey

KEYS = ConfiguredKeys(bytes(range(32)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tokens"


def entries(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if len(path.name) == 64)


def text_of(cache: SealedFileCache, key: TokenKey) -> str | None:
    found = cache.get(key)
    return found.token.reveal() if found else None


def test_files_are_private_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0)
    try:
        cache = SealedFileCache(KEYS, folder=folder)
        cache.put(token_key(), token())
        with cache.lease(token_key(), 1):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_no_file_shows_a_token_a_client_or_a_scope(folder: Path) -> None:
    key = token_key("https://vault.azure.net/.default")
    SealedFileCache(KEYS, folder=folder).put(key, token("the-token-itself"))
    (path,) = entries(folder)
    seen = path.name.encode() + path.read_bytes()
    for word in ("the-token-itself", "vault", key.client_id, key.tenant_id, key.authority):
        assert word.encode() not in seen


def test_a_damaged_entry_is_set_aside_and_replaced(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = SealedFileCache(KEYS, folder=folder)
    cache.put(token_key(), token("first"))
    (path,) = entries(folder)
    sealed = path.read_bytes()
    path.write_bytes(sealed[:-1] + bytes([sealed[-1] ^ 1]))
    assert cache.get(token_key()) is None
    assert path.with_name(f"{path.name}.damaged").exists()
    assert not path.exists()
    assert len(caplog.records) == 1
    cache.put(token_key(), token("second"))
    assert text_of(cache, token_key()) == "second"


def test_an_entry_moved_under_another_name_does_not_open(folder: Path) -> None:
    cache = SealedFileCache(KEYS, folder=folder)
    cache.put(token_key("a"), token("for a"))
    (path,) = entries(folder)
    cache.put(token_key("b"), token("for b"))
    (other,) = (one for one in entries(folder) if one != path)
    other.write_bytes(path.read_bytes())
    assert cache.get(token_key("b")) is None
    assert text_of(cache, token_key("a")) == "for a"


def test_the_bound_holds_and_the_oldest_go_first(folder: Path) -> None:
    cache = SealedFileCache(KEYS, folder=folder, max_entries=5)
    for number in range(12):
        cache.put(token_key(f"scope {number}"), token())
    assert len(entries(folder)) == 5
    assert cache.get(token_key("scope 6")) is None
    assert all(cache.get(token_key(f"scope {number}")) for number in range(7, 12))


def test_old_leavings_of_killed_writers_are_removed_and_new_ones_left(folder: Path) -> None:
    cache = SealedFileCache(KEYS, folder=folder)
    old, new = folder / ".entry.aa.new", folder / ".entry.bb.new"
    old.touch()
    new.touch()
    os.utime(old, (0, 0))
    cache.put(token_key(), token())
    assert not old.exists()
    assert new.exists()


def test_a_link_in_the_place_of_an_entry_is_not_followed(folder: Path, tmp_path: Path) -> None:
    cache = SealedFileCache(KEYS, folder=folder)
    cache.put(token_key(), token("first"))
    (path,) = entries(folder)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert cache.get(token_key()) is None
    cache.put(token_key(), token("second"))
    assert not path.is_symlink()
    assert text_of(cache, token_key()) == "second"


def test_a_folder_open_to_others_is_refused_with_the_command_that_mends_it(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    with pytest.raises(AccessError, match=f"mode 0755.*chmod 700 {folder}"):
        SealedFileCache(KEYS, folder=folder)


def test_a_folder_that_is_a_link_or_a_file_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    folder.symlink_to(tmp_path / "real")
    with pytest.raises(AccessError, match="is not a folder of this user"):
        SealedFileCache(KEYS, folder=folder)
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be made: File exists"):
        SealedFileCache(KEYS, folder=tmp_path / "file")


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR", "XDG_CACHE_HOME", "HOME"])
def test_the_default_folder_is_in_memory_where_there_is_one(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nowhere")
    monkeypatch.setenv(variable, str(tmp_path))
    base = tmp_path / ".cache" if variable == "HOME" else tmp_path
    assert default_folder() == base / "azcert" / "tokens"


def test_a_key_lost_at_a_reboot_makes_old_entries_misses_not_damage(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    SealedFileCache(KEYS, folder=folder).put(token_key(), token("before"))
    after = SealedFileCache(ConfiguredKeys(b"\x07" * 32), folder=folder)
    assert after.get(token_key()) is None
    assert not caplog.records


def test_without_a_key_nothing_is_kept_and_one_line_says_why(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = SealedFileCache(SignatureKeys(RenewableSource([make_signing()])), folder=folder)
    for _ in range(20):
        cache.put(token_key(), token("the-token-itself"))
        assert cache.get(token_key()) is None
        with cache.lease(token_key(), 1) as leads:
            assert leads
    assert list(folder.iterdir()) == []
    assert len(caplog.records) == 1
    assert "has no certificate with SHA-256 thumbprint" in caplog.text


def test_a_folder_that_vanished_costs_no_caller_anything(folder: Path) -> None:
    cache = SealedFileCache(KEYS, folder=folder)
    folder.rmdir()
    cache.put(token_key(), token())
    assert cache.get(token_key()) is None
    cache.remove(token_key())
    with cache.lease(token_key(), 1) as leads:
        assert leads


def test_a_child_process_of_a_fork_shares_the_cache(folder: Path) -> None:
    cache = SealedFileCache(KEYS, folder=folder)
    with cache.lease(token_key("held"), 5):
        child = os.fork()
        if child == 0:
            cache.put(token_key(), token("from the child"))
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    assert text_of(cache, token_key()) == "from the child"
    with cache.lease(token_key("held"), 0.5) as leads:
        assert leads


@pytest.mark.parametrize("entries_kept", [0, -1])
def test_a_bound_below_one_is_refused(folder: Path, entries_kept: int) -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        SealedFileCache(KEYS, folder=folder, max_entries=entries_kept)
