"""One process of this host at a time: a lease on a number, held by a lock that dies with its holder.

Linux open-file-description locks (fcntl(2), F_OFD_SETLK) on one byte of one file: any number of leases need
one file and no clean-up, threads exclude each other as processes do, and the kernel lets go when the holder
dies.
"""

from __future__ import annotations

import contextlib
import logging
import os
import struct
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["host_lease"]

_LOG = logging.getLogger(__name__)
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.02
_SLOTS = 1 << 62


@contextlib.contextmanager
def host_lease(path: Path, slot: int, seconds: float, was_done: Callable[[], bool]) -> Iterator[bool]:
    """Enter with True for one caller on this host, with False for those who waited while it did the work.

    :param path: the lock file; made if missing, never removed.
    :param slot: which lease; different slots never wait for each other.
    :param seconds: the longest wait. Whoever waited that long enters with False and no lease.
    :param was_done: tells, once the lease is free, whether the work was done meanwhile. If not, its holder
        failed or died, and the next one in line enters with True.

    Where the system or the file system has no such locks, or the file cannot be made, everyone enters with
    True.
    """
    if not sys.platform.startswith("linux"):
        yield True
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        _LOG.debug("No lease between processes on %s: %s", path, error)
        yield True
        return
    held = False
    try:
        try:
            held = _acquire(descriptor, slot % _SLOTS, seconds)
        except OSError as error:
            _LOG.debug("No lease between processes on %s: %s", path, error)
            yield True
            return
        if held and was_done():
            _unlock(descriptor, slot % _SLOTS)
            held = False
        yield held
    finally:
        if held:
            # Said aloud: a child forked meanwhile has the same description open, and closing ours would not
            # do.
            _unlock(descriptor, slot % _SLOTS)
        os.close(descriptor)


def _acquire(descriptor: int, slot: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while not _lock(descriptor, slot):
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST_PAUSE)
    return True


def _lock(descriptor: int, slot: int) -> bool:
    import fcntl  # not on Windows

    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_WRLCK, slot))
    except BlockingIOError:
        return False
    return True


def _unlock(descriptor: int, slot: int) -> None:
    import fcntl  # not on Windows

    fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _flock(fcntl.F_UNLCK, slot))


def _flock(kind: int, slot: int) -> bytes:
    # struct flock: short l_type, short l_whence, off_t l_start, off_t l_len, pid_t l_pid (must be 0 here).
    return struct.pack("hhqqi0q", kind, os.SEEK_SET, slot, 1, 0)
