"""Runs the ``azcert`` command as a user does: another process, its streams apart."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING

import pytest

from azcert.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["azcert", "azcert_here"]


def azcert(
    *arguments: str | Path,
    stdin: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run it and return how it ended; *environment* is added to this process's."""
    return subprocess.run(
        [sys.executable, "-m", "azcert", *map(str, arguments)],
        input=stdin,
        env={**os.environ, **(environment or {})},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def azcert_here(
    *arguments: str | Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command within this process, which saves its start, and return how it would have ended."""
    printed, said = StringIO(), StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed), redirect_stderr(said):
        for name, value in (environment or {}).items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main([*map(str, arguments)])
    code = ended.value.code
    assert isinstance(code, int)
    return subprocess.CompletedProcess(
        ["azcert", *map(str, arguments)], code, printed.getvalue(), said.getvalue()
    )
