"""Private files: created with their final mode, replaced atomically, never left half-written."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

__all__ = ["PRIVATE", "PUBLIC", "write_atomic"]

PRIVATE = 0o600
PUBLIC = 0o644


def write_atomic(
    path: str | os.PathLike[str], data: bytes, *, mode: int = PRIVATE, overwrite: bool = False
) -> None:
    """Write *data* to *path* so that at every moment the path holds the old content or the new one, whole.

    The file has *mode* from its first byte, whatever the umask. A symbolic link is replaced, not followed.

    :raises FileExistsError: the path exists and *overwrite* is false; nothing was changed.
    :raises OSError: the folder cannot be written.
    """
    target = Path(path)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if hasattr(os, "fchmod"):
                os.fchmod(stream.fileno(), mode)
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if overwrite:
            temporary.replace(target)
        else:
            # link() fails when the name is taken, which replace() cannot promise.
            os.link(temporary, target)
            temporary.unlink()
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
