"""Who may use a key: users and groups that may read its file, as "Manage private keys" does on Windows.

POSIX ACLs on Linux. Where the file system has none, one group can be granted by making it the file's own.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from azcert.errors import AccessError, ConfigurationError
from azcert.stores.directory import acl
from azcert.stores.ownership import group_name, user_name

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Grantee", "find_grantee", "grant", "grants", "revoke"]

_NO_ACL = {errno.EOPNOTSUPP, errno.ENOSYS}


@dataclass(frozen=True, order=True)
class Grantee:
    """A user or group of this machine."""

    kind: Literal["user", "group"]
    id: int

    def __str__(self) -> str:
        return f"{self.kind} {user_name(self.id) if self.kind == 'user' else group_name(self.id)}"


def find_grantee(*, user: str | None = None, group: str | None = None) -> Grantee:
    """Return the user or the group of that name, or of that number.

    :raises azcert.errors.ConfigurationError: ``unknown-user`` or ``unknown-group``.
    """
    import grp  # this and pwd do not exist on Windows
    import pwd

    kind: Literal["user", "group"] = "user" if user is not None else "group"
    name = (user if user is not None else group) or ""
    try:
        if name.isdecimal():
            return Grantee(kind, int(name))
        return Grantee(kind, pwd.getpwnam(name).pw_uid if kind == "user" else grp.getgrnam(name).gr_gid)
    except KeyError:
        raise ConfigurationError(
            f"There is no {kind} {name!r} on this machine.",
            code=f"unknown-{kind}",
            remedy=f"'getent {'passwd' if kind == 'user' else 'group'}' lists them.",
        ) from None


def grants(key: Path) -> frozenset[Grantee]:
    """Return who may read the key's file besides its owner.

    :raises azcert.errors.AccessError: this user may not see it.
    """
    with _opened(key) as descriptor:
        return _grants(descriptor)


def _grants(descriptor: int) -> frozenset[Grantee]:
    rights = acl.read(descriptor)
    found = {Grantee("user" if each.kind is acl.Kind.USER else "group", each.id) for each in rights.named}
    if rights.owning_group:
        found.add(Grantee("group", os.fstat(descriptor).st_gid))
    return frozenset(found)


def grant(key: Path, grantee: Grantee) -> None:
    """Let *grantee* read the key's file.

    :raises azcert.errors.AccessError: this user does not own the file, or the file system can grant no more.
    """
    with _opened(key) as descriptor:
        _allow(descriptor, key, grantee)


def _allow(descriptor: int, key: Path, grantee: Grantee) -> None:
    rights = acl.read(descriptor)
    try:
        acl.write(descriptor, replace(rights, named=rights.named | {_access(grantee)}))
    except OSError as error:
        if error.errno not in _NO_ACL:
            raise
        _own_group(descriptor, key, grantee)


def _own_group(descriptor: int, key: Path, grantee: Grantee) -> None:
    others = _grants(descriptor) - {grantee}
    if grantee.kind != "group" or others:
        raise AccessError(
            f"The file system of {key} has no access control lists: one group can be granted, nobody else.",
            code="no-acl",
            remedy="Put the users into one group and grant that, or move the store with AZCERT_STORE_ROOT.",
            path=str(key),
        )
    # First the group, then its right: never the old group's.
    os.fchown(descriptor, -1, grantee.id)
    os.fchmod(descriptor, 0o640)


def revoke(key: Path, grantee: Grantee) -> bool:
    """Take the right to read the key's file; return whether *grantee* had it.

    :raises azcert.errors.AccessError: this user does not own the file.
    """
    with _opened(key) as descriptor:
        rights = acl.read(descriptor)
        had = grantee in _grants(descriptor)
        is_owning_group = grantee == Grantee("group", os.fstat(descriptor).st_gid)
        left = acl.Rights(rights.named - {_access(grantee)}, rights.owning_group and not is_owning_group)
        if left.named:
            acl.write(descriptor, left)
        else:
            # With nobody named, the mode says it all.
            _drop_list(descriptor)
            os.fchmod(descriptor, 0o640 if left.owning_group else 0o600)
        return had


def _drop_list(descriptor: int) -> None:
    try:
        acl.write(descriptor, acl.Rights())
    except OSError as error:
        if error.errno not in _NO_ACL:
            raise


def _access(grantee: Grantee) -> acl.Access:
    return acl.Access(acl.Kind.USER if grantee.kind == "user" else acl.Kind.GROUP, grantee.id)


@contextmanager
def _opened(key: Path) -> Iterator[int]:
    descriptor = -1
    try:
        descriptor = os.open(key, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        yield descriptor
    except PermissionError as error:
        if isinstance(error, AccessError):
            raise
        me = user_name(os.geteuid())
        raise AccessError(
            f"{me} may not change who uses the key {key}.",
            code="key-access-denied",
            remedy="Only its owner and root may: run the command with sudo.",
            path=str(key),
            user=me,
        ) from error
    finally:
        if descriptor >= 0:
            os.close(descriptor)
