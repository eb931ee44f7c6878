"""Real users of this machine, made for a test and removed after it."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["User"]


@dataclass(frozen=True)
class User:
    """A user with a group of the same name, who may enter *folder* and the interpreter's folders."""

    name: str
    uid: int
    gid: int
    home: Path

    def run(self, *command: str | Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run a program as this user, with nothing of this process's environment but PATH."""
        return subprocess.run(
            [
                "setpriv",
                f"--reuid={self.uid}",
                f"--regid={self.gid}",
                "--init-groups",
                *map(str, command),
            ],
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            cwd="/",
        )

    def azcert(
        self, *arguments: str | Path, environment: Mapping[str, str]
    ) -> subprocess.CompletedProcess[str]:
        return self.run(sys.executable, "-m", "azcert", *arguments, environment=environment)


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter: pytest's own belong to the user who runs it."""
    with tempfile.TemporaryDirectory(prefix="azcert-users-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def service(public_folder: Path) -> Iterator[User]:
    """A service account."""
    yield from _made(public_folder)


@pytest.fixture
def stranger(public_folder: Path) -> Iterator[User]:
    """Another user."""
    yield from _made(public_folder)


def _made(public_folder: Path) -> Iterator[User]:
    if os.geteuid() != 0:
        pytest.fail("these tests make users: run them as root, as make test does in a container")
    if not shutil.which("useradd"):
        pytest.fail("these tests need useradd (Debian: passwd)")
    name = f"azcert-{secrets.token_hex(4)}"
    home = public_folder / name
    subprocess.run(
        ["useradd", "--create-home", "--home-dir", str(home), "--user-group", name],
        check=True,
        capture_output=True,
    )
    try:
        found = pwd.getpwnam(name)
        yield User(name, found.pw_uid, found.pw_gid, home)
    finally:
        subprocess.run(["userdel", name], check=True, capture_output=True)
