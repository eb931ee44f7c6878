"""A real TPM 2.0 of the test's own: swtpm on sockets that the test opened, so that no port is guessed."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Swtpm", "running_swtpm"]


@dataclass(frozen=True)
class Swtpm:
    """A running TPM and how to reach it."""

    tcti: str

    def run_tool(self, *arguments: str) -> str:
        """Run one of tpm2-tools against it (``tpm2_getcap``, ...)."""
        command = [arguments[0], "--tcti", self.tcti, *arguments[1:]]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

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
    """Start a TPM with its state below *folder*; a missing program fails the test here."""
    server, control = _two_neighbours()
    command = [
        *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={folder}"),
        *("--server", f"type=tcp,fd={server.fileno()}", "--ctrl", f"type=tcp,fd={control.fileno()}"),
        *("--flags", "not-need-init,startup-clear", "--log", f"file={folder / 'swtpm.log'}"),
    ]
    port = server.getsockname()[1]
    with server, control:
        process = subprocess.Popen(command, pass_fds=(server.fileno(), control.fileno()))
    try:
        yield Swtpm(f"swtpm:host=127.0.0.1,port={port}")
    finally:
        process.terminate()
        process.wait(10)


def _two_neighbours() -> tuple[socket.socket, socket.socket]:
    """Return two listening sockets on neighbouring ports, as TSS2's way to swtpm expects them."""
    while True:
        first = socket.create_server(("127.0.0.1", 0), backlog=64)
        try:
            return first, socket.create_server(("127.0.0.1", first.getsockname()[1] + 1), backlog=64)
        except OSError:
            first.close()
