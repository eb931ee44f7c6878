"""Runs the ``azcert`` command as a user does: another process, its streams apart."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["azcert"]


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
