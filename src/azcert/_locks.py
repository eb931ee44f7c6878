"""Locks between processes: held while one of them writes, given back by the kernel when it dies."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["exclusive"]


@contextmanager
def exclusive(path: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock that the file *path* stands for; wait while another process or thread has it.

    flock(2): bound to the open file, so that threads exclude each other as well and a killed process leaves
    nothing behind. The file is created with mode 0600 and stays: removing it would let two hold the lock.

    :raises OSError: the file cannot be created or locked.
    """
    # Late: does not exist on Windows, whose store has locks of its own.
    import fcntl

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
