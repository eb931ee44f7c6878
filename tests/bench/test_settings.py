"""The benchmark of settings and kept secrets: each row measures both of its sides."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support.console import ROOT


@pytest.mark.parametrize(
    ("only", "names"),
    [
        ("secrets", ["cached get_secret, sync", "cached get_secret, aio"]),
        ("files", ["settings of 1,000 keys, loaded"] * 2),
    ],
)
def test_both_sides_are_measured(only: str, names: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", only, "--runs", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    # Whether an aim is met, which the exit code tells, is for a quiet machine to say.
    assert not done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith(("cached get_secret", "settings"))]
    assert [row[: len(name)] for row, name in zip(rows, names, strict=True)] == names
    assert all(row.count("µs") + row.count("ms") == 2 for row in rows)
