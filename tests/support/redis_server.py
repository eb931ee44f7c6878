"""A real redis-server for tests: started on a free port, stopped or killed, in its own folder."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING, Self

import redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["RedisServer", "free_port", "started"]

_START = 10.0


def free_port() -> int:
    """Return a port nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class RedisServer:
    """One redis-server process. *options* are lines of redis.conf without what is set here."""

    def __init__(self, folder: Path, *options: str, port: int | None = None, sentinel: bool = False) -> None:
        self.port = port or free_port()
        self.folder = folder
        self._options = options
        self._sentinel = sentinel
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    def start(self) -> Self:
        """Start it and wait until it listens; on another port if this one was taken meanwhile."""
        for _ in range(3):
            if self._start():
                return self
            self.port = free_port()
        raise AssertionError((self.folder / "log").read_text())

    def _start(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = ["bind 127.0.0.1", f"dir {self.folder}", "protected-mode no", *self._options]
        if not self._sentinel:
            lines += ['save ""', "appendonly no"]
        if not any(line.startswith("tls-port") for line in self._options):
            lines.append(f"port {self.port}")
        configuration = self.folder / "redis.conf"
        configuration.write_text("\n".join(lines) + "\n")
        command = ["redis-server", str(configuration), *(["--sentinel"] if self._sentinel else [])]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + _START
        while True:
            if self._process.poll() is not None:
                assert "Address already in use" in (self.folder / "log").read_text()
                return False
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                return True
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.01)

    def kill(self, number: int = signal.SIGKILL) -> None:
        """End it at once, as a crash or the kernel would."""
        assert self._process is not None
        self._process.send_signal(number)
        self._process.wait(_START)
        self._process = None

    def client(self) -> redis.Redis:
        """Return a plain client, to look behind the cache."""
        return redis.Redis(port=self.port)

    def flush(self) -> None:
        with self.client() as client:
            client.flushall()

    def pause(self) -> None:
        """Let it answer nothing, with its connections open."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(_START)
            self._process = None


@contextlib.contextmanager
def started(
    folder: Path, *options: str, port: int | None = None, sentinel: bool = False
) -> Iterator[RedisServer]:
    """Run a server for the length of a block."""
    server = RedisServer(folder, *options, port=port, sentinel=sentinel)
    try:
        yield server.start()
    finally:
        server.stop()
