"""Tokens in sealed files, for processes of one user on one host: no desktop, no daemon, nothing in the clear.

One file per token, replaced atomically, mode 0600, in a folder only its owner can enter. Names and contents
tell nothing without the sealing key (`azcert.credential.sealing`). A second process has its token without a
network call, and processes that start together ask once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from azcert._files import write_atomic
from azcert.credential.host_lease import host_lease
from azcert.credential.rare_log import RareLog
from azcert.credential.sealing.box import DamagedEntryError
from azcert.errors import AccessError, AzcertError, ConfigurationError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from azcert.credential.caches.entry import StoredToken, TokenKey
    from azcert.credential.sealing.box import SealingKey, SealingKeys

__all__ = ["SealedFileCache", "default_folder"]

_LOG = logging.getLogger(__name__)
_LARGEST = 256 * 1024
_NAME_LENGTH = 64
_LOCK_FILE = "leases.lock"
_DAMAGED = ".damaged"
_LEAVINGS_KEPT = 24 * 3600


class SealedFileCache:
    """Tokens of one user on one Linux host, sealed.

    :param keys: where the sealing key comes from: `SignatureKeys`, `KeyringKeys` or `ConfiguredKeys`.
    :param folder: where the files are; `default_folder()` if not given. Made with mode 0700.
    :param max_entries: tokens kept; beyond it those written longest ago go first.
    :raises AccessError: the folder belongs to somebody else, or others may enter it.
    :raises ConfigurationError: it cannot be made, or the system is not Linux.
    """

    shared = True

    def __init__(
        self,
        keys: SealingKeys,
        *,
        folder: str | os.PathLike[str] | None = None,
        max_entries: int = 1000,
    ) -> None:
        if not sys.platform.startswith("linux"):
            raise ConfigurationError(
                f"Sealed token files need Linux; this is {sys.platform}.",
                code="sealed-cache-platform",
                remedy="Use cache_persistence_options: this system encrypts what is kept there.",
            )
        if max_entries < 1:
            raise ConfigurationError(
                f"max_entries is {max_entries}; at least 1 is needed.", code="invalid-argument"
            )
        self._keys = keys
        self._folder = _private_folder(Path(folder) if folder is not None else default_folder())
        self._max = max_entries
        self._log = RareLog(_LOG)

    @property
    def folder(self) -> Path:
        """Where the files are."""
        return self._folder

    def get(self, key: TokenKey) -> StoredToken | None:
        """Return the entry, expired or not, or None. A damaged one is set aside."""
        sealing = self._sealing_key(key)
        if sealing is None:
            return None
        name = sealing.name(key)
        sealed = self._read(name)
        if sealed is None:
            return None
        try:
            return sealing.unseal(key, sealed)
        except DamagedEntryError as error:
            # Of another key is no damage: the key is new (a reboot, say), and the next `put` replaces the
            # entry.
            if error.code == "cache-entry-damaged":
                self._set_aside(name, error)
            return None

    def put(self, key: TokenKey, token: StoredToken) -> None:
        """Keep the token in place of an older one."""
        sealing = self._sealing_key(key)
        if sealing is None:
            return
        sealed = sealing.seal(key, token)
        if len(sealed) > _LARGEST:
            self._log.warning("large", "A token of %d bytes is too large for %s", len(sealed), self._folder)
            return
        try:
            write_atomic(self._folder / sealing.name(key), sealed, overwrite=True)
            self._prune()
        except OSError as error:
            self._log.warning("write", "A token could not be kept in %s: %s", self._folder, error.strerror)

    def remove(self, key: TokenKey) -> None:
        """Forget the entry."""
        sealing = self._sealing_key(key)
        if sealing is None:
            return
        try:
            (self._folder / sealing.name(key)).unlink(missing_ok=True)
        except OSError as error:
            self._log.warning(
                "remove", "A token could not be removed from %s: %s", self._folder, error.strerror
            )

    def lease(self, key: TokenKey, seconds: float) -> AbstractContextManager[bool]:
        """Enter with True for the one caller of this host who should ask for this token now."""
        sealing = self._sealing_key(key)
        if sealing is None:
            return contextlib.nullcontext(enter_result=True)
        name = sealing.name(key)
        before = self._version(name)
        return host_lease(
            self._folder / _LOCK_FILE, int(name[:15], 16), seconds, lambda: self._version(name) != before
        )

    def close(self) -> None:
        """Nothing is held open between calls."""

    def __repr__(self) -> str:
        return f"<SealedFileCache {self._folder} key={self._keys.origin}>"

    def _sealing_key(self, key: TokenKey) -> SealingKey | None:
        try:
            return self._keys.key_for(key.thumbprint)
        except AzcertError as error:
            self._log.warning(f"key {error.code}", "Tokens are not kept in %s: %s", self._folder, error)
            return None

    def _read(self, name: str) -> bytes | None:
        try:
            descriptor = os.open(self._folder / name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as stream:
                return stream.read(_LARGEST + 1)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._log.warning("read", "Tokens in %s could not be read: %s", self._folder, error.strerror)
            return None

    def _version(self, name: str) -> tuple[int, int] | None:
        try:
            facts = (self._folder / name).lstat()
        except OSError:
            return None
        return facts.st_ino, facts.st_mtime_ns

    def _set_aside(self, name: str, error: DamagedEntryError) -> None:
        self._log.warning(
            "damaged", "%s It is set aside as %s%s", error.message, self._folder / name, _DAMAGED
        )
        with contextlib.suppress(OSError):
            (self._folder / name).replace(self._folder / f"{name}{_DAMAGED}")

    def _prune(self) -> None:
        """Remove entries above the bound, oldest first, and old leavings of damage and killed writers."""
        entries: list[tuple[int, str]] = []
        stale = time.time() - _LEAVINGS_KEPT
        with os.scandir(self._folder) as listing:
            for item in listing:
                with contextlib.suppress(FileNotFoundError):
                    facts = item.stat(follow_symlinks=False)
                    if len(item.name) == _NAME_LENGTH:
                        entries.append((facts.st_mtime_ns, item.name))
                    elif item.name != _LOCK_FILE and facts.st_mtime < stale:
                        (self._folder / item.name).unlink()
        for _, name in sorted(entries)[: max(len(entries) - self._max, 0)]:
            (self._folder / name).unlink(missing_ok=True)


def default_folder() -> Path:
    """Return the folder for this user: in memory where the system has one for it, else among the caches.

    ``$XDG_RUNTIME_DIR/azcert/tokens``, else ``$XDG_CACHE_HOME/azcert/tokens``, else
    ``~/.cache/azcert/tokens`` (XDG Base Directory Specification: paths that are not absolute count as
    unset).
    """
    for variable in ("XDG_RUNTIME_DIR", "XDG_CACHE_HOME"):
        value = os.environ.get(variable)
        if value and Path(value).is_absolute() and Path(value).is_dir():
            return Path(value, "azcert", "tokens")
    try:
        return Path.home() / ".cache" / "azcert" / "tokens"
    except RuntimeError as error:
        raise ConfigurationError(
            "There is no folder to keep tokens in: XDG_RUNTIME_DIR, XDG_CACHE_HOME and HOME are unset.",
            code="cache-folder-missing",
            remedy="Name a folder.",
        ) from error


def _private_folder(folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        facts = folder.lstat()
    except OSError as error:
        raise ConfigurationError(
            f"The token cache's folder {folder} cannot be made: {error.strerror}.",
            code="cache-folder-missing",
            remedy="Name a folder that this user can make.",
        ) from error
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.geteuid():
        raise AccessError(
            f"{folder} is not a folder of this user, so tokens are not kept there.",
            code="cache-folder-foreign",
            remedy="Remove it, or name another folder.",
        )
    if facts.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AccessError(
            f"The token cache's folder {folder} is open to others (mode {stat.S_IMODE(facts.st_mode):04o}).",
            code="cache-folder-exposed",
            remedy=f"chmod 700 {folder}",
        )
    return folder
