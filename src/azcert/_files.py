"""Private files: created with their final mode, replaced atomically, judged before they are trusted.

A key file that others may read is judged by ssh's rule (OpenSSH, ``authfile.c``, ``sshkey_perm_ok``): if it
is the reader's own, it is refused, for the reader can mend it. If it is somebody else's, as container secrets
are root's, or lies on a read-only mount, the reader cannot, and is warned once. The rule is about POSIX
modes; it does not apply on Windows, whose files inherit the access list of their folder.
"""

from __future__ import annotations

import errno
import logging
import os
import select
import stat
import time
from pathlib import Path
from typing import NamedTuple

from azcert.errors import AccessError, CertificateError, ConfigurationError

__all__ = ["ALLOW_OPEN", "PRIVATE", "PUBLIC", "FileRead", "judge_key_file", "read_file", "write_atomic"]

_log = logging.getLogger("azcert.files")

ALLOW_OPEN = "AZCERT_ALLOW_OPEN_KEY_FILES"
"""Environment variable: ``true`` lets key files be used that others can read."""

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
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}.new")
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


PIPE_PATIENCE = 5.0
"""Seconds; who writes into a pipe is a program that was started at the same time."""


class FileRead(NamedTuple):
    """A file's *data* with what its open descriptor said about it, so that nothing can be swapped in between.

    :param read_only: True on a mount that is read-only.
    """

    path: str
    data: bytes
    status: os.stat_result
    read_only: bool

    def __repr__(self) -> str:
        return f"<FileRead {self.path}>"


def read_file(path: str | os.PathLike[str], *, limit: int, patience: float = PIPE_PATIENCE) -> FileRead:
    """Read a whole file, and no more than *limit* bytes and one of it; a pipe is read if it has a writer.

    :param patience: seconds to wait for the end of a pipe.
    :raises CertificateError: ``file-not-found``, ``is-a-directory``, ``not-a-file`` (devices, sockets, a pipe
        that nobody fills).
    :raises AccessError: ``unreadable``.
    """
    name = os.fsdecode(path)
    try:
        # Without O_NONBLOCK, opening a named pipe waits for a writer, perhaps for ever.
        descriptor = os.open(name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        raise _not_opened(name, error) from error
    try:
        status = os.fstat(descriptor)
        if stat.S_ISDIR(status.st_mode):
            raise _is_a_directory(name)
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
            raise CertificateError(
                f"{name} is a device or a socket, not a file.",
                code="not-a-file",
                remedy="Give the file that holds the certificate.",
                name=name,
            )
        try:
            data = _drain(descriptor, limit + 1, patience)
        except TimeoutError as error:
            raise CertificateError(
                f"{name} is a pipe that nobody fills: no end came within {patience:g} seconds.",
                code="not-a-file",
                remedy="Start the program that writes into it first.",
                name=name,
            ) from error
        except OSError as error:
            raise _not_opened(name, error) from error
        return FileRead(name, data, status, _is_read_only(descriptor))
    finally:
        os.close(descriptor)


def _drain(descriptor: int, limit: int, patience: float) -> bytes:
    parts: list[bytes] = []
    size = 0
    deadline = time.monotonic() + patience
    while size < limit:
        try:
            part = os.read(descriptor, min(limit - size, 1 << 16))
        except BlockingIOError:
            left = deadline - time.monotonic()
            if left <= 0 or not _readable_within(descriptor, left):
                raise TimeoutError from None
            continue
        if not part:
            break
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _readable_within(descriptor: int, seconds: float) -> bool:
    # Not select(): it fails for descriptors above 1023.
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    return bool(poller.poll(seconds * 1000))


def _is_read_only(descriptor: int) -> bool:
    if not hasattr(os, "fstatvfs"):
        return False
    return bool(os.fstatvfs(descriptor).f_flag & os.ST_RDONLY)


def judge_key_file(read: FileRead) -> None:
    """Refuse, or warn about, a file that holds a private key and is open to others.

    :raises AccessError: ``key-file-open``: the reader's own file, readable or writable by others.
    :raises ConfigurationError: ``AZCERT_ALLOW_OPEN_KEY_FILES`` is neither true nor false.
    """
    if os.name != "posix" or not stat.S_ISREG(read.status.st_mode):
        return
    mode = stat.S_IMODE(read.status.st_mode)
    if not mode & 0o077 or _open_files_allowed():
        return
    if read.status.st_uid == os.geteuid() and not read.read_only:
        raise AccessError(
            f"The private key in {read.path} can be used by others: its mode is {mode:04o}.",
            code="key-file-open",
            remedy=f"Close it: chmod 600 {_quoted(read.path)} (or set {ALLOW_OPEN}=true).",
            path=read.path,
            mode=f"{mode:04o}",
        )
    if read.path not in _warned:
        _warned.add(read.path)
        whose = "on a read-only mount" if read.read_only else f"owned by {_user(read.status.st_uid)}"
        _log.warning(
            "The private key in %s is open to others (mode %04o, %s, so this program cannot change it);"
            " %s=true silences this.",
            read.path,
            mode,
            whose,
            ALLOW_OPEN,
        )


_warned: set[str] = set()


def _open_files_allowed() -> bool:
    text = os.environ.get(ALLOW_OPEN, "")
    if text.strip().lower() in {"true", "1", "yes"}:
        return True
    if text.strip().lower() in {"", "false", "0", "no"}:
        return False
    raise ConfigurationError(
        f"The environment variable {ALLOW_OPEN} is {text!r}, neither true nor false.",
        code="not-a-boolean",
        remedy="Set it to true or false, or unset it.",
        variable=ALLOW_OPEN,
    )


def _not_opened(name: str, error: OSError) -> CertificateError | AccessError:
    if error.errno == errno.EISDIR or (os.name == "nt" and Path(name).is_dir()):
        return _is_a_directory(name)
    if isinstance(error, PermissionError):
        return _unreadable(name)
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return _not_found(name)
    return CertificateError(
        f"{name} cannot be read: {error.strerror or error}.",
        code="unreadable",
        remedy="Check the path and the disk it is on.",
        name=name,
    )


def _is_a_directory(name: str) -> CertificateError:
    return CertificateError(
        f"{name} is a directory, not a certificate file.",
        code="is-a-directory",
        remedy="Give the file inside it.",
        name=name,
    )


def _not_found(name: str) -> CertificateError:
    path = Path(name)
    if path.is_symlink():
        found = f"{name} is a symbolic link to {path.readlink()}, which does not exist."
        remedy = "Make the link point to the certificate file."
    elif not path.parent.is_dir():
        found = f"There is no file {name}: the folder {path.parent} does not exist."
        remedy = "Check the path."
    else:
        found = f"There is no file {name}."
        import difflib  # only for this message

        try:
            near = difflib.get_close_matches(path.name, [each.name for each in path.parent.iterdir()], 1)
        except OSError:
            near = []
        remedy = f"Did you mean {path.with_name(near[0])}?" if near else "Check the path."
        if not path.is_absolute():
            found = f"There is no file {name} in {Path.cwd()}."
    return CertificateError(found, code="file-not-found", remedy=remedy, name=name)


def _unreadable(name: str) -> AccessError:
    user = _user(os.geteuid()) if hasattr(os, "geteuid") else "This user"
    path = Path(name)
    blocked = next((each for each in reversed(path.absolute().parents) if not _may_enter(each)), None)
    if blocked is not None:
        return AccessError(
            f"{user} may not enter the folder {blocked}, where {name} is.",
            code="unreadable",
            remedy=f"Grant it: sudo setfacl -m u:{user}:x {_quoted(str(blocked))}",
            name=name,
            user=user,
        )
    return AccessError(
        f"{user} may not read {name}.",
        code="unreadable",
        remedy=f"Grant it: sudo setfacl -m u:{user}:r {_quoted(name)}",
        name=name,
        user=user,
    )


def _may_enter(folder: Path) -> bool:
    # access() asks for the real user where nothing else is said; files are opened by the effective one.
    return os.access(folder, os.X_OK, effective_ids=os.access in os.supports_effective_ids)


def _user(uid: int) -> str:
    import pwd  # does not exist on Windows, where this is never called

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _quoted(path: str) -> str:
    import shlex  # only for messages

    return shlex.quote(path)
