"""The benchmark of the places: each device signs, and each is compared with its own rate."""

from __future__ import annotations

import subprocess
import sys

from support.console import ROOT


def test_every_device_is_measured_beside_its_own_rate() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "devices", "--runs", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("signatures, ")]
    assert len(rows) == 3
    for row, place in zip(rows, ("SoftHSM", "swtpm", "Key Vault"), strict=True):
        assert place in row
        assert row.count("/s") == 2
