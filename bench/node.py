"""@azure/identity, measured where Node and npm are present; installed once into build/bench-node."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from bench.setting import ROOT

if TYPE_CHECKING:
    from bench.setting import Setting

__all__ = ["probe", "ready"]

_FOLDER = ROOT / "build" / "bench-node"


def ready() -> bool:
    """Tell whether @azure/identity can be measured; install it if it is not there yet."""
    if not shutil.which("node") or not shutil.which("npm"):
        return False
    if not (_FOLDER / "node_modules" / "@azure" / "identity").is_dir():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent", "@azure/identity@4"]
        return subprocess.run(command, cwd=_FOLDER, check=False).returncode == 0
    return True


def probe(setting: Setting, what: str) -> float:
    """Run one measurement in a fresh process; return its number."""
    return float(
        subprocess.run(
            ["node", str(ROOT / "bench" / "probe.mjs"), setting.authority, setting.certificate, what],
            cwd=_FOLDER,
            env={**os.environ, "NODE_EXTRA_CA_CERTS": setting.ca},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
