"""Runs the ``console`` blocks of a page as a reader would type them, and compares what is printed."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "Step", "run_page", "steps_of"]

ROOT = Path(__file__).resolve().parent.parent.parent

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CHECKER = doctest.OutputChecker()
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
_END = "--- end of step ---"


@dataclass(frozen=True)
class Step:
    """One command and the output the page shows; nothing shown means anything goes."""

    command: str
    shown: str


def steps_of(page: str) -> list[Step]:
    """Return the commands of all ``console`` blocks: lines after ``$ `` (``> `` continues), then output."""
    steps: list[Step] = []
    for block in _BLOCK.findall(page):
        command, shown = "", ""
        for line in block.splitlines():
            if line.startswith("$ "):
                if command:
                    steps.append(Step(command, shown))
                command, shown = line[2:], ""
            elif line.startswith("> ") and not shown:
                command += "\n" + line[2:]
            else:
                shown += line + "\n"
        if command:
            steps.append(Step(command, shown))
    return steps


def run_page(path: Path, folder: Path, *, seconds: float = 120) -> int:
    """Type every step of the page into one shell that starts in *folder*; return how many there were.

    ``...`` in the shown output stands for anything; a step may end with ``# exit N``.
    """
    steps = steps_of(path.read_text(encoding="utf-8"))
    script = ["exec 2>&1", "set -o pipefail"]
    for step in steps:
        script += [step.command, f'printf "\\n{_END} %s\\n" $?']
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env=_environment(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    printed = re.split(rf"\n{_END} (\d+)\n", done.stdout)
    results = list(zip(printed[::2], printed[1::2], strict=False))
    assert len(results) == len(steps), f"the shell of {path.name} ended early:\n{done.stdout}"
    for step, (output, code) in zip(steps, results, strict=True):
        wanted = re.search(r"# exit (\d+)$", step.command)
        assert code == (wanted[1] if wanted else "0"), f"$ {step.command}\nended with {code}:\n{output}"
        if step.shown:
            fits = _CHECKER.check_output(step.shown.strip() + "\n", output.strip() + "\n", _FLAGS)
            assert fits, f"$ {step.command}\nshown:\n{step.shown}\nprinted:\n{output}"
    return len(steps)


def _environment(home: Path) -> dict[str, str]:
    """Return what a new user has: no AZURE_ variables, an empty home, the installed command."""
    kept = {name: value for name, value in os.environ.items() if name in {"LANG", "LC_ALL", "TMPDIR", "TERM"}}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # An emulator that this user runs already is none of the page's.
    return kept | {"PATH": path, "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}
