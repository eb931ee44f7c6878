"""A settings file: which application it names, and the file changed with a copy of the old one beside it."""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from azcert._files import PRIVATE, read_file, write_atomic
from azcert.errors import ConfigurationError
from azcert.migration import dotenv
from azcert.migration.appsettings import Sections
from azcert.migration.formats import format_of
from azcert.migration.layers import BACKUP, elsewhere, texts_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from azcert.migration.layers import Elsewhere
    from azcert.migration.model import Change, Identity

__all__ = ["BACKUP", "SettingsFile", "open_settings"]

_MAX_SIZE = 4 * 1024 * 1024
_MARK = "\ufeff"
_VARIANT = re.compile(r"(?P<stem>[^.]+)\.[^.]+(?P<suffix>\.[^.]+)")


class _Kind(Protocol):
    """Finds and rewrites the applications of one kind of file."""

    def find(self, text: str) -> list[Identity]:
        """Return the applications that *text* names."""

    def rewrite(self, text: str, identity: Identity, source: str) -> Change:
        """Return *text* with *source* in the place of the secret of *identity*."""


@dataclass(frozen=True)
class SettingsFile:
    """A file that names an application.

    :param identity: the application.
    """

    path: Path
    identity: Identity
    _text: str = field(repr=False)
    _kind: _Kind = field(repr=False)

    @property
    def backup(self) -> Path:
        """The copy of the file as it was."""
        return self.path.with_name(self.path.name + BACKUP)

    def change(self, source: str) -> Change:
        """Return what rewriting would change.

        :raises ConfigurationError: ``not-rewritable``.
        """
        mark = _MARK if self._text.startswith(_MARK) else ""
        change = self._kind.rewrite(self._text.removeprefix(_MARK), self.identity, source)
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
        found = self._kind.find(text)
        return next((each for each in found if each.section == self.identity.section), None)

    def elsewhere(self, environ: Mapping[str, str]) -> list[Elsewhere]:
        """Return the other places that still hold a secret of this application."""
        return elsewhere(self.path, self.secret_before() or self.identity, environ)


def give_to(path: Path, status: os.stat_result) -> None:
    """Let root's work belong to whom the settings belong, whose program must read it."""
    if os.name == "posix" and os.geteuid() == 0 and path.stat().st_uid != status.st_uid:
        os.chown(path, status.st_uid, status.st_gid)


def open_settings(
    path: Path, *, section: str | None = None, base: Path | None = None, environ: Mapping[str, str]
) -> SettingsFile:
    """Read a ``.env`` file, or JSON, YAML or TOML where its name ends so.

    :param section: which one of a file of sections; needed where several name an application.
    :param base: the settings that the file adds to, which may name tenant and client; for
        ``appsettings.Production.json`` that is ``appsettings.json``.
    :raises ConfigurationError: ``no-application``, ``several-applications``, ``malformed``.
    """
    # The file itself, not a link to it: a link would be replaced.
    path = path.resolve()
    text = _read(path)
    kind = _kind(path, base)
    found = kind.find(text.removeprefix(_MARK))
    if section is not None:
        found = [each for each in found if each.section.lower() == section.lower()]
    if not found:
        raise _no_application(path, section, elsewhere(path, None, environ))
    if len(found) > 1:
        names = ", ".join(each.section or "(top)" for each in found)
        raise ConfigurationError(
            f"{path} names {len(found)} applications, in the sections {names}.",
            code="several-applications",
            remedy="Say which: --section NAME",
            path=str(path),
        )
    return SettingsFile(path, found[0], text, kind)


def _no_application(path: Path, section: str | None, others: list[Elsewhere]) -> ConfigurationError:
    remedy = (
        "It needs AZURE_CLIENT_ID with AZURE_CLIENT_SECRET in a .env file, or clientId with clientSecret in "
        "one section of a JSON, YAML or TOML file. Other files beside it, user secrets and this shell's "
        "environment have none."
    )
    if others:
        remedy = f"There is a secret in {', '.join(map(str, others))}."
        file = next((each.path for each in others if each.path is not None), None)
        remedy += (
            f" Run it there: azcert migrate {file}"
            if file is not None
            else " Whoever sets it (a service's unit, a pipeline) must name the certificate instead: "
            "AZURE_CLIENT_CERTIFICATE_PATH, or the section's key Certificate."
        )
    where = f" in section {section}" if section is not None else ""
    return ConfigurationError(
        f"{path} names no application with a secret{where}.",
        code="no-application",
        remedy=remedy,
        path=str(path),
        elsewhere=[str(each) for each in others],
    )


def _kind(path: Path, base: Path | None) -> _Kind:
    form = format_of(path.suffix)
    if form is None:
        return dotenv
    variant = _VARIANT.fullmatch(path.name)
    if base is None and variant is not None:
        base = path.with_name(f"{variant['stem']}{variant['suffix']}")
        if not base.is_file():
            base = None
    return Sections(form, str(path), {} if base is None else texts_of(base))


def _read(path: Path) -> str:
    try:
        return read_file(path, limit=_MAX_SIZE).data.decode()
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"{path} is not UTF-8.", code="malformed", remedy="Save it as UTF-8 first.", path=str(path)
        ) from error
