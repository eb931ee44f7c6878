"""A sealing key in the Linux kernel's keyring: made once per user and boot, never in a file.

keyrings(7), user-keyring(7): the *user keyring* belongs to one uid, lives in kernel memory, needs no
desktop and no session, and is gone at the next boot; tokens sealed with it are then simply asked for again.
The key is readable for every process of the same uid, which is also who can read the user's files.

Two processes that start together must agree on one key. add_key(2) would overwrite the other's, so the key is
made in the caller's thread keyring and moved with KEYCTL_MOVE_EXCL (Linux 5.3), which fails where one exists.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import secrets
import sys

from azcert.credential.sealing.box import SealingKey
from azcert.errors import ConfigurationError

__all__ = ["KeyringKeys"]

# add_key(2), keyctl(2); numbers from the kernel's syscall tables. libc has no wrappers, and libkeyutils is
# one more thing to install.
_CALLS = {
    "x86_64": (248, 250),
    "aarch64": (217, 219),
    "riscv64": (217, 219),
    "ppc64le": (269, 271),
    "s390x": (278, 280),
}
_THREAD_KEYRING = -1
_USER_KEYRING = -4
_SETPERM, _UNLINK, _SEARCH, _READ, _MOVE = 5, 9, 10, 11, 30
_MOVE_EXCL = 1
# Possessor: everything. The user: view, read and search, so that services whose session keyring is not
# linked to the user keyring (systemd's default, cron) can use it too. Nobody may write: a key once made
# does not change.
_RIGHTS = 0x3B0B0000
_BYTES = 32


class KeyringKeys:
    """The sealing key in the user keyring, made when it is missing.

    :param name: the key's description in the keyring; another name means another key.
    :raises ConfigurationError: this kernel, or the container around the process, gives no keyring.
    """

    def __init__(self, name: str = "azcert:token-cache") -> None:
        self._name = name
        self._key = SealingKey(_find(name) or _make(name))

    @property
    def origin(self) -> str:
        """Where the key comes from, for people."""
        return f"kernel keyring, user key {self._name!r}"

    def key_for(self, thumbprint: str) -> SealingKey:  # noqa: ARG002 - one key for all
        """Return the key."""
        return self._key


def _find(name: str) -> bytes | None:
    try:
        serial = _keyctl(_SEARCH, _USER_KEYRING, b"user", name.encode(), 0)
        buffer = ctypes.create_string_buffer(_BYTES)
        length = _keyctl(_READ, serial, buffer, _BYTES)
    except OSError as error:
        if error.errno in {errno.ENOKEY, errno.EKEYEXPIRED, errno.EKEYREVOKED}:
            return None
        raise _refused(error) from error
    if length != _BYTES:
        raise ConfigurationError(
            f"The kernel keyring's user key {name!r} has {length} bytes; azcert's have {_BYTES}.",
            code="sealing-key-foreign",
            remedy=f"Remove it with: keyctl purge user {name}; or choose another name.",
        )
    return buffer.raw


def _make(name: str) -> bytes:
    try:
        serial = _call(
            0, b"user", name.encode(), secrets.token_bytes(_BYTES), ctypes.c_size_t(_BYTES), _THREAD_KEYRING
        )
        try:
            _keyctl(_SETPERM, serial, ctypes.c_uint32(_RIGHTS))
            _keyctl(_MOVE, serial, _THREAD_KEYRING, _USER_KEYRING, _MOVE_EXCL)
        except OSError as error:
            _keyctl(_UNLINK, serial, _THREAD_KEYRING)
            if error.errno != errno.EEXIST:
                raise
    except OSError as error:
        raise _refused(error) from error
    found = _find(name)
    if found is None:
        raise ConfigurationError(
            f"The kernel keyring took the user key {name!r} and does not find it again.",
            code="keyring-unusable",
            remedy="Use a key file, a systemd credential or the certificate's own key instead.",
        )
    return found


def _keyctl(*arguments: object) -> int:
    return _call(1, *arguments)


def _call(which: int, *arguments: object) -> int:
    numbers = _CALLS.get(platform.machine())
    if not sys.platform.startswith("linux") or numbers is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    plain = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    result = int(libc.syscall(ctypes.c_long(numbers[which]), *plain))
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _refused(error: OSError) -> ConfigurationError:
    reason = error.strerror or "no reason given"
    if error.errno in {errno.ENOSYS, errno.EPERM}:
        reason += "; containers usually block these calls, and systems other than Linux have none"
    return ConfigurationError(
        f"The kernel keyring cannot be used to keep the key of the token cache: {reason}.",
        code="keyring-unusable",
        remedy="Use a key file, a systemd credential or the certificate's own key instead.",
    )
