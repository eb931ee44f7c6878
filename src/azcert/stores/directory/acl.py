"""POSIX access control lists of Linux, as the kernel keeps them: ``setfacl`` need not be installed.

The form is that of ``linux/posix_acl_xattr.h``, a stable interface: a version, then entries of tag,
permissions and id, little-endian, ordered by tag and id (acl(5)).
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Access", "Kind", "Rights", "read", "write"]

_NAME = "system.posix_acl_access"
_HEADER = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_VERSION = 2
_NO_ID = 0xFFFFFFFF
_READ, _WRITE = 4, 2
_USER_OBJ, _GROUP_OBJ, _MASK, _OTHER = 0x01, 0x04, 0x10, 0x20


class Kind(IntEnum):
    """Whom an entry names; the values are the kernel's tags."""

    USER = 0x02
    GROUP = 0x08


@dataclass(frozen=True, order=True)
class Access:
    """A named user or group that may read the file."""

    kind: Kind
    id: int


@dataclass(frozen=True)
class Rights:
    """Who may read a file besides its owner.

    :param named: by an access control list.
    :param owning_group: True where the group the file belongs to may.
    """

    named: frozenset[Access] = frozenset()
    owning_group: bool = False


def read(descriptor: int) -> Rights:
    """Return who may read the file.

    :raises OSError: the list cannot be read; a file system without lists is no error.
    """
    entries = _entries(descriptor)
    if entries is None:
        # Without a list, the mode's group bits are the owning group's; with one, they are the mask.
        return Rights(owning_group=bool(os.fstat(descriptor).st_mode & stat.S_IRGRP))
    mask = next((permissions for tag, permissions, _ in entries if tag == _MASK), _READ)
    readers = [(tag, id_) for tag, permissions, id_ in entries if permissions & mask & _READ]
    return Rights(
        frozenset(Access(Kind(tag), id_) for tag, id_ in readers if tag in set(Kind)),
        any(tag == _GROUP_OBJ for tag, _ in readers),
    )


def _entries(descriptor: int) -> list[tuple[int, int, int]] | None:
    if not hasattr(os, "getxattr"):
        return None
    try:
        data = os.getxattr(descriptor, _NAME)
    except OSError as error:
        if error.errno in {errno.ENODATA, errno.EOPNOTSUPP}:
            return None
        raise
    return list(_ENTRY.iter_unpack(data[_HEADER.size :]))


def write(descriptor: int, rights: Rights) -> None:
    """Let the owner read and write, *rights* read, and nobody else anything.

    :raises OSError: EOPNOTSUPP where the file system has no lists, EPERM where the file is another user's.
    """
    if not hasattr(os, "setxattr"):
        raise OSError(errno.EOPNOTSUPP, "access control lists are for Linux here")
    named = sorted(rights.named)
    entries = [
        (_USER_OBJ, _READ | _WRITE, _NO_ID),
        *((each.kind, _READ, each.id) for each in named if each.kind is Kind.USER),
        (_GROUP_OBJ, _READ if rights.owning_group else 0, _NO_ID),
        *((each.kind, _READ, each.id) for each in named if each.kind is Kind.GROUP),
        *([(_MASK, _READ, _NO_ID)] if named else []),
        (_OTHER, 0, _NO_ID),
    ]
    os.setxattr(
        descriptor, _NAME, _HEADER.pack(_VERSION) + b"".join(_ENTRY.pack(*entry) for entry in entries)
    )
