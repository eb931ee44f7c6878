"""Never trust a file or folder that others can write: judged by owner and mode of open descriptors (POSIX).

The rule is ssh's (OpenSSH, ``auth_secure_path``): everything from the root to the file belongs to root or to
this user, and nobody else may write it. A folder that all may write is passed where it is sticky, for there
only the owner renames what lies in it (``/tmp``). A group that is the owner's private one counts as the owner
(user private groups of Debian and Fedora, whose umask is 002).
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from azcert.errors import AccessError

if TYPE_CHECKING:
    from typing import NoReturn

__all__ = ["group_name", "judge", "open_folder", "read_trusted", "user_name"]

_ROOT = 0


def open_folder(folder: Path) -> int | None:
    """Return a descriptor of *folder* after judging it and everything above it; None if it does not exist.

    :raises AccessError: ``untrusted``: others can write it or a folder above; ``store-access-denied``.
    """
    real = Path(os.path.realpath(folder))
    try:
        descriptor = os.open(real, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise AccessError(
            f"{user_name(os.geteuid())} may not open the folder {real}.",
            code="store-access-denied",
            remedy="A CurrentUser store is its owner's alone; share certificates in LocalMachine.",
            path=str(real),
            user=user_name(os.geteuid()),
        ) from error
    try:
        judge(os.fstat(descriptor), real)
        for parent in real.parents:
            judge(parent.stat(), parent, sticky=True)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_trusted(
    folder: int, name: str, path: Path, *, private: bool = False
) -> tuple[bytes, os.stat_result]:
    """Return content and status of the file *name* in the opened *folder*; a symbolic link is not followed.

    :param path: the file's path, for messages.
    :param private: refuse a file that everybody may read.
    :raises OSError: the file cannot be opened.
    :raises AccessError: ``untrusted`` or ``key-file-open``.
    """
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        if path.is_symlink():
            _refuse(
                path, "is a symbolic link, and the store has none", "Remove it, and import the file it names."
            )
        raise error from None
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            _refuse(path, "is not a file", "Remove it.")
        judge(status, path)
        if private and status.st_mode & stat.S_IROTH:
            raise AccessError(
                f"The private key {path} can be read by every user of this machine (mode"
                f" {stat.S_IMODE(status.st_mode):04o}).",
                code="key-file-open",
                remedy=f"Close it: chmod o= {path}; and replace the certificate if others may have read it.",
                path=str(path),
            )
        return stream.read(), status


def judge(status: os.stat_result, path: Path, *, sticky: bool = False) -> None:
    """Refuse what others control.

    :param sticky: let a sticky folder pass that all may write.
    :raises AccessError: ``untrusted``.
    """
    if status.st_uid not in {_ROOT, os.geteuid()}:
        _refuse(
            path,
            f"belongs to {user_name(status.st_uid)}, not to root or {user_name(os.geteuid())}",
            f"Check what is there; then: sudo chown root {path}",
        )
    mode = stat.S_IMODE(status.st_mode)
    if sticky and mode & stat.S_ISVTX:
        return
    if mode & stat.S_IWOTH:
        _refuse(path, f"can be written by everybody (mode {mode:04o})", f"Close it: chmod o-w {path}")
    if mode & stat.S_IWGRP and not _is_private_group(status):
        _refuse(
            path,
            f"can be written by the group {group_name(status.st_gid)} (mode {mode:04o})",
            f"Close it: chmod g-w {path}",
        )


def _is_private_group(status: os.stat_result) -> bool:
    import grp  # this and pwd do not exist on Windows
    import pwd

    try:
        user, group = pwd.getpwuid(status.st_uid), grp.getgrgid(status.st_gid)
    except KeyError:
        return False
    return group.gr_name == user.pw_name and set(group.gr_mem) <= {user.pw_name}


def _refuse(path: Path, found: str, remedy: str) -> NoReturn:
    raise AccessError(
        f"{path} {found}; a certificate there could be anybody's.",
        code="untrusted",
        remedy=remedy,
        path=str(path),
    )


def user_name(uid: int) -> str:
    """Return the user's name, or ``user N`` where the number has none."""
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def group_name(gid: int) -> str:
    """Return the group's name, or ``group N`` where the number has none."""
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f"group {gid}"
