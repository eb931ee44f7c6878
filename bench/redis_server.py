"""A redis-server for the length of a block, on a socket file."""

from __future__ import annotations

import contextlib
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["redis_server"]


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """Start an empty server; give its URL."""
    folder.mkdir(exist_ok=True)
    path = folder / "redis.sock"
    command = ["redis-server", "--port", "0", "--unixsocket", str(path), "--save", "", "--dir", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            while not path.exists():
                assert server.poll() is None, "redis-server did not start"
                time.sleep(0.01)
            yield f"unix://{path}"
        finally:
            server.kill()
            server.wait()
            path.unlink(missing_ok=True)
