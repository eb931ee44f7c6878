"""A settings file: which application it names, and the file changed with a copy of the old one beside it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from azcert._files import PRIVATE, read_file, write_atomic
from azcert.errors import ConfigurationError
from azcert.migration import appsettings, dotenv

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from azcert.migration.model import Change, Identity

__all__ = ["BACKUP", "SettingsFile", "open_settings"]

BACKUP = ".before-azcert"
"""Ends the name of the copy."""

_MAX_SIZE = 4 * 1024 * 1024
_MARK = "\ufeff"


@dataclass(frozen=True)
class SettingsFile:
    """A file that names an application.

    :param identity: the application.
    """

    path: Path
    identity: Identity
    _text: str = field(repr=False)

    @property
    def backup(self) -> Path:
        """The copy of the file as it was."""
        return self.path.with_name(self.path.name + BACKUP)

    def change(self, source: str) -> Change:
        """Return what rewriting would change.

        :raises ConfigurationError: ``not-rewritable``.
        """
        kind = _kind(self.path)
        mark = _MARK if self._text.startswith(_MARK) else ""
        change: Change = kind.rewrite(self._text.removeprefix(_MARK), self.identity, source)
        return replace(change, text=mark + change.text)

    def write(self, change: Change) -> None:
        """Keep a private copy, then replace the file, whole, with its mode and owner.

        :raises ConfigurationError: ``backup-exists``: the copy of another state is there.
        """
        old = self._text.encode()
        try:
            write_atomic(self.backup, old, mode=PRIVATE)
        except FileExistsError as error:
            if self.backup.read_bytes() != old:
                raise ConfigurationError(
                    f"{self.backup} is there already and is no copy of {self.path}.",
                    code="backup-exists",
                    remedy="Move it away first; it may hold the only copy of a secret.",
                    path=str(self.backup),
                ) from error
        status = self.path.stat()
        write_atomic(self.path, change.text.encode(), mode=stat.S_IMODE(status.st_mode), overwrite=True)
        give_to(self.path, status)

    def secret_before(self) -> Identity | None:
        """Return the application as the copy names it, with the secret; None where there is no copy."""
        if not self.backup.exists():
            return None
        text = _read(self.backup).removeprefix(_MARK)
        found = _kind(self.path).find(text)
        return next((each for each in found if each.section == self.identity.section), None)


def give_to(path: Path, status: os.stat_result) -> None:
    """Let root's work belong to whom the settings belong, whose program must read it."""
    if os.name == "posix" and os.geteuid() == 0 and path.stat().st_uid != status.st_uid:
        os.chown(path, status.st_uid, status.st_gid)


def open_settings(path: Path, *, section: str | None = None) -> SettingsFile:
    """Read a ``.env`` file, or JSON where its name ends so.

    :param section: which one of a JSON file; needed where several name an application.
    :raises ConfigurationError: ``no-application``, ``several-applications``, ``malformed``.
    """
    # The file itself, not a link to it: a link would be replaced.
    path = path.resolve()
    text = _read(path)
    found = _kind(path).find(text.removeprefix(_MARK))
    if section is not None:
        found = [each for each in found if each.section.lower() == section.lower()]
    if not found:
        raise ConfigurationError(
            f"{path} names no application with a secret"
            f"{f' in section {section}' if section is not None else ''}.",
            code="no-application",
            remedy="It needs AZURE_CLIENT_ID with AZURE_CLIENT_SECRET in a .env file, or clientId with "
            "clientSecret in one section of a JSON file.",
            path=str(path),
        )
    if len(found) > 1:
        names = ", ".join(each.section or "(top)" for each in found)
        raise ConfigurationError(
            f"{path} names {len(found)} applications, in the sections {names}.",
            code="several-applications",
            remedy="Say which: --section NAME",
            path=str(path),
        )
    return SettingsFile(path, found[0], text)


def _kind(path: Path) -> ModuleType:
    return appsettings if path.suffix.lower() == ".json" else dotenv


def _read(path: Path) -> str:
    try:
        return read_file(path, limit=_MAX_SIZE).data.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path} is not UTF-8.", code="malformed", remedy="Save it as UTF-8 first.", path=str(path)
        ) from error
