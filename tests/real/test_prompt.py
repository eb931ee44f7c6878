"""A PIN that no option names is asked for where a person sits, and only there."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.softhsm import PIN

if TYPE_CHECKING:
    from pathlib import Path

    from support.softhsm import SoftHsm


def typed(folder: Path, *arguments: str, answer: str) -> tuple[int, str]:
    """Run the command at a terminal of its own, and answer its question; return exit code and screen."""
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "azcert", *arguments],
        cwd=folder,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name != "AZCERT_PKCS11_PIN"},
    ) as process:
        os.close(theirs)
        screen = b""
        try:
            while piece := os.read(ours, 4096):
                screen += piece
                if screen.endswith(b": "):
                    os.write(ours, f"{answer}\n".encode())
        except OSError:
            # Linux ends the reading so when the other side has closed.
            pass
        finally:
            os.close(ours)
    return process.returncode, screen.decode()


@pytest.mark.parametrize("command", ["new", "csr"])
def test_a_person_is_asked_for_the_pin(tmp_path: Path, softhsm: SoftHsm, command: str) -> None:
    uri = softhsm.uri("prod", tmp_path.name)
    code, screen = typed(tmp_path, command, "app", "--key", uri, answer=PIN)
    assert code == 0, screen
    assert "PIN of pkcs11:" in screen
    assert PIN not in screen
    if command == "new":
        code, screen = typed(tmp_path, "sign-test", uri, "-n", "1", answer=PIN)
        assert code == 0, screen
        assert "PIN of pkcs11:" in screen
