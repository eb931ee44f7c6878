"""SoftHSM behind a module of the tests' own that counts logins and fails where a test asks for it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.softhsm import MODULE

__all__ = ["Faults", "build_faults"]


@dataclass(frozen=True)
class Faults:
    """The module, and the folder whose files are the faults it has (p11_faults.c lists them)."""

    module: Path
    folder: Path

    def ask(self, *names: str) -> None:
        """Let these faults happen, and no others."""
        for file in self.folder.iterdir():
            file.unlink()
        for name in names:
            (self.folder / name).touch()

    def logins(self) -> int:
        """Return how many logins reached the token since `ask`."""
        log = self.folder / "logins"
        return len(log.read_text().splitlines()) if log.exists() else 0


def build_faults(folder: Path) -> Faults:
    """Compile the module and point this process at its folder; a missing compiler fails the test here."""
    module = folder / "p11_faults.so"
    source = Path(__file__).with_name("p11_faults.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", module, source, "-ldl"], check=True)
    faults = folder / "faults"
    faults.mkdir()
    os.environ["FAULTS_FOLDER"] = str(faults)
    os.environ["FAULTS_MODULE"] = MODULE
    return Faults(module, faults)
