"""A real TPM 2.0 of the test's own: swtpm on two neighbouring ports of the loopback."""

from __future__ import annotations

import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Swtpm", "running_swtpm"]

_START_TIMEOUT = 20.0


@dataclass
class Swtpm:
    """A running TPM and how to reach it."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes]

    @property
    def tcti(self) -> str:
        """TSS2's name for the way to it."""
        return f"swtpm:host=127.0.0.1,port={self.port}"

    def restart(self) -> None:
        """Switch it off and on again: its state stays, what was loaded is gone."""
        self.stop()
        process = _start(self.folder, self.port)
        assert process is not None, f"swtpm did not start again; see {self.folder / 'swtpm.log'}"
        self.process = process

    def stop(self) -> None:
        """Switch it off."""
        self.process.terminate()
        self.process.wait(10)

    def run_tool(self, *arguments: str) -> str:
        """Run one of tpm2-tools against it (``tpm2_getcap``, ...)."""
        command = [arguments[0], "--tcti", self.tcti, *arguments[1:]]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout

    def flush(self) -> None:
        """Remove the keys and sessions that tpm2-tools leave where there is no resource manager."""
        self.run_tool("tpm2_flushcontext", "-t")
        self.run_tool("tpm2_flushcontext", "-l")

    def transient_objects(self) -> int:
        """Return how many loaded keys nobody flushed."""
        return len(self.run_tool("tpm2_getcap", "handles-transient").splitlines())

    def failed_tries(self) -> int:
        """Return the TPM's count of wrong passwords."""
        for line in self.run_tool("tpm2_getcap", "properties-variable").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "TPM2_PT_LOCKOUT_COUNTER":
                return int(value, 16)
        raise AssertionError("the TPM names no lockout counter")


@contextmanager
def running_swtpm(folder: Path) -> Iterator[Swtpm]:
    """Start a TPM with its state in *folder*; a missing program fails the test here."""
    for _ in range(5):
        port = _free_pair()
        process = _start(folder, port)
        # Another program may have taken a port in between: then with other ports.
        if process is not None:
            break
    else:
        raise AssertionError(f"swtpm did not start; see {folder / 'swtpm.log'}")
    running = Swtpm(folder, port, process)
    try:
        yield running
    finally:
        running.stop()


def _start(folder: Path, port: int) -> subprocess.Popen[bytes] | None:
    process = subprocess.Popen(
        [
            *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}"),
            *("--server", f"type=tcp,port={port},bindaddr=127.0.0.1"),
            *("--ctrl", f"type=tcp,port={port + 1},bindaddr=127.0.0.1"),
            *("--flags", "not-need-init,startup-clear", "--log", f"file={folder / 'swtpm.log'}"),
        ]
    )
    probe = ["tpm2_getrandom", "--tcti", f"swtpm:host=127.0.0.1,port={port}", "--hex", "1"]
    deadline = time.monotonic() + _START_TIMEOUT
    while process.poll() is None and time.monotonic() < deadline:
        if subprocess.run(probe, check=False, capture_output=True).returncode == 0:
            return process
    process.kill()
    process.wait(10)
    return None


def _free_pair() -> int:
    """Return a port that is free now, and whose successor is: TSS2 expects the control port there."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first:
            port = int(first.getsockname()[1])
            try:
                socket.create_server(("127.0.0.1", port + 1)).close()
            except OSError:
                continue
            return port
