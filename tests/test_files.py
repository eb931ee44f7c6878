"""Files are written whole with their final mode, read without hanging, and judged by ssh's rule."""

from __future__ import annotations

import logging
import os
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azcert._files import ALLOW_OPEN, FileRead, judge_key_file, read_file, write_atomic
from azcert.errors import AccessError, CertificateError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

NOBODY = 65534


def key_file(path: Path, mode: int) -> FileRead:
    path.write_bytes(b"key")
    path.chmod(mode)
    return read_file(path, limit=100)


def owned_by_another(read: FileRead) -> FileRead:
    """Return the same file as root's secrets look to a container's user: mode and content, another owner."""
    fields = list(read.status)
    fields[4] = os.geteuid() + 1
    return FileRead(read.path, read.data, os.stat_result(fields), read_only=False)


@contextmanager
def folder_and_user_without_rights() -> Iterator[Path]:
    """Yield a folder that everybody may enter, as a user who is not root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@contextmanager
def as_nobody() -> Iterator[None]:
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_a_closed_key_file_passes(tmp_path: Path, mode: int) -> None:
    judge_key_file(key_file(tmp_path / "key.pem", mode))


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601, 0o777])
def test_ones_own_open_key_file_is_refused_with_the_command_that_closes_it(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "my key.pem"
    read = key_file(path, mode)
    with pytest.raises(AccessError) as caught:
        judge_key_file(read)
    assert caught.value.code == "key-file-open"
    assert f"{mode:04o}" in str(caught.value)
    assert f"chmod 600 '{path}'" in str(caught.value)


def test_what_the_message_advises_helps(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    key_file(path, 0o644)
    path.chmod(0o600)
    judge_key_file(read_file(path, limit=100))


def test_an_open_file_of_somebody_else_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read = owned_by_another(key_file(tmp_path / "secret.pem", 0o444))
    with caplog.at_level(logging.WARNING, "azcert"):
        judge_key_file(read)
        judge_key_file(read)
    assert len(caplog.records) == 1
    assert str(tmp_path / "secret.pem") in caplog.text


def test_a_file_of_root_is_somebody_elses_for_everybody_else(caplog: pytest.LogCaptureFixture) -> None:
    # Root's, mode 0644, on every system: what a container secret looks like to the program in it.
    with as_nobody(), caplog.at_level(logging.WARNING, "azcert"):
        judge_key_file(read_file("/etc/passwd", limit=1 << 20))
    assert "owned by root" in caplog.text


def test_an_open_file_on_a_read_only_mount_is_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    read = key_file(tmp_path / "mounted.pem", 0o644)
    with caplog.at_level(logging.WARNING, "azcert"):
        judge_key_file(FileRead(read.path, read.data, read.status, read_only=True))
    assert "read-only mount" in caplog.text


def test_a_closed_file_of_somebody_else_is_no_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "azcert"):
        judge_key_file(owned_by_another(key_file(tmp_path / "closed.pem", 0o400)))
    assert not caplog.records


@pytest.mark.parametrize("value", ["true", "1", "yes", " TRUE "])
def test_the_setting_allows_open_files(tmp_path: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_OPEN, value)
    judge_key_file(key_file(tmp_path / "key.pem", 0o644))


@pytest.mark.parametrize("value", ["false", "0", "no", ""])
def test_the_setting_can_say_no(tmp_path: Path, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_OPEN, value)
    with pytest.raises(AccessError):
        judge_key_file(key_file(tmp_path / "key.pem", 0o644))


def test_the_setting_is_not_guessed_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ALLOW_OPEN, "on")
    with pytest.raises(ConfigurationError, match=ALLOW_OPEN):
        judge_key_file(key_file(tmp_path / "key.pem", 0o644))


def test_the_file_that_was_read_is_judged_not_the_one_now_there(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    read = key_file(path, 0o644)
    path.unlink()
    key_file(path, 0o600)
    with pytest.raises(AccessError):
        judge_key_file(read)


def test_a_file_this_user_may_not_read_names_user_file_and_command() -> None:
    with folder_and_user_without_rights() as folder:
        path = folder / "app.pem"
        path.write_bytes(b"key")
        path.chmod(0)
        with as_nobody(), pytest.raises(AccessError) as caught:
            read_file(path, limit=100)
        user = caught.value.details["user"]
        assert caught.value.code == "unreadable"
        assert f"sudo setfacl -m u:{user}:r {path}" in str(caught.value)


def test_a_folder_this_user_may_not_enter_is_the_one_named() -> None:
    with folder_and_user_without_rights() as folder:
        closed = folder / "closed"
        closed.mkdir(mode=0)
        with as_nobody(), pytest.raises(AccessError) as caught:
            read_file(closed / "app.pem", limit=100)
        user = caught.value.details["user"]
        assert f"sudo setfacl -m u:{user}:x {closed}" in str(caught.value)
        closed.chmod(0o700)


def test_a_pipe_with_a_writer_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    # A reader of our own, so that the writer's open does not wait for read_file, nor the other way round.
    keep = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)

    def write() -> None:
        os.write(writer, b"first ")
        os.write(writer, b"second")
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    assert read_file(path, limit=100).data == b"first second"
    thread.join()
    os.close(keep)


def test_a_pipe_that_nobody_fills_is_given_up(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    keep = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(path, os.O_WRONLY)
    with pytest.raises(CertificateError, match=r"within 0\.05 seconds"):
        read_file(path, limit=100, patience=0.05)
    os.close(writer)
    os.close(keep)


def test_a_device_is_no_file() -> None:
    with pytest.raises(CertificateError) as caught:
        read_file("/dev/zero", limit=100)
    assert caught.value.code == "not-a-file"


def test_no_more_is_read_than_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(bytes(1000))
    assert len(read_file(path, limit=100).data) == 101


def test_a_misspelt_name_is_answered_with_the_nearest_one(tmp_path: Path) -> None:
    (tmp_path / "app.pem").touch()
    with pytest.raises(CertificateError, match=r"Did you mean .*app\.pem\?"):
        read_file(tmp_path / "ap.pem", limit=100)


def test_a_written_file_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        write_atomic(tmp_path / "private", b"key")
        os.umask(0o777)
        write_atomic(tmp_path / "public", b"certificate", mode=0o644)
    finally:
        os.umask(old)
    assert (tmp_path / "private").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "public").stat().st_mode & 0o777 == 0o644


def test_nothing_is_overwritten_unasked_and_nothing_is_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "key"
    write_atomic(path, b"old")
    with pytest.raises(FileExistsError):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    write_atomic(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    (tmp_path / "key").symlink_to(elsewhere)
    write_atomic(tmp_path / "key", b"new", overwrite=True)
    assert elsewhere.read_bytes() == b"mine"
    assert not (tmp_path / "key").is_symlink()
