"""Passwords are read where their origin says; what is wrong with an origin is named, the password never."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from azcert.errors import ConfigurationError
from azcert.stores.passphrase import PassphraseFrom, PassphraseKind

if TYPE_CHECKING:
    from pathlib import Path


def read(text: str) -> str:
    return PassphraseFrom.read_text(text).read().reveal()


def test_every_origin_gives_the_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_PASS", "from env")
    assert read("env:APP_PASS") == "from env"

    file = tmp_path / "pass"
    file.write_bytes(b"from file\r\n")
    assert read(f"file:{file}") == "from file"

    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read("credential:pass") == "from file"

    reader, writer = os.pipe()
    os.write(writer, b"from fd\n")
    os.close(writer)
    assert read(f"fd:{reader}") == "from fd"


def test_only_one_line_break_is_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "pass"
    file.write_bytes(b" with spaces \n\n")
    assert read(f"file:{file}") == " with spaces \n"


@pytest.mark.parametrize(
    ("origin", "code", "words"),
    [
        ("env:NOT_SET", "password-missing", "Set the environment variable NOT_SET"),
        ("file:/nowhere/pass", "password-unreadable", "No such file"),
        ("fd:987", "password-unreadable", "Bad file descriptor"),
        ("credential:app", "password-missing", "LoadCredential=app:"),
        ("credential:../../etc/passwd", "password-missing", "no password"),
    ],
)
def test_what_is_missing_is_named(
    origin: str, code: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigurationError) as caught:
        read(origin)
    assert caught.value.code == code
    assert words in str(caught.value)
    assert caught.value.details["origin"] == origin


def test_a_credential_does_not_leave_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "credentials"
    inside.mkdir()
    tmp_path.joinpath("outside").write_text("secret")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(inside))
    with pytest.raises(ConfigurationError):
        read("credential:../outside")


def test_bytes_that_are_no_text_are_refused_without_being_shown(tmp_path: Path) -> None:
    file = tmp_path / "pass"
    file.write_bytes(b"hunter2\xff")
    with pytest.raises(ConfigurationError, match="not UTF-8") as caught:
        read(f"file:{file}")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "env", "env:", "vault:app", "hunter2"])
def test_a_password_is_not_taken_for_an_origin(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PassphraseFrom.read_text(text)
    assert caught.value.code == "unknown-password-origin"
    assert "hunter2" not in str(caught.value)


def test_origins_print_as_they_are_read() -> None:
    for kind in PassphraseKind:
        origin = PassphraseFrom(kind, "a:b")
        assert PassphraseFrom.read_text(str(origin)) == origin
