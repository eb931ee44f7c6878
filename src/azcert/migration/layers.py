"""Where else the secret of an application may be: a program's settings come in layers, and later ones win."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from azcert._files import read_file
from azcert.config.reading.files import user_secrets_path
from azcert.errors import AzcertError
from azcert.migration import dotenv
from azcert.migration.appsettings import Sections
from azcert.migration.formats import format_of
from azcert.migration.tree import members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from azcert.migration.model import Identity

__all__ = ["BACKUP", "Elsewhere", "elsewhere", "texts_of"]

BACKUP = ".before-azcert"
"""Ends the name of the copy of a settings file."""

_COPIES = (BACKUP, ".bak", ".orig", "~", ".example", ".sample", ".template")
_MAX_SIZE = 4 * 1024 * 1024
_SECRETS_ID = re.compile(r"<UserSecretsId>\s*([^<\s]+)\s*</UserSecretsId>")
_VARIABLE = re.compile(r"AZURE_CLIENT_SECRET|.*__ClientSecret", re.IGNORECASE)


class Elsewhere(NamedTuple):
    """A place with a secret: a file and a section of it, or an environment variable."""

    path: Path | None
    name: str

    def __str__(self) -> str:
        if self.path is None:
            return f"the environment variable {self.name}"
        return f"{self.path}{f' (section {self.name})' if self.name else ''}"


def elsewhere(path: Path, wanted: Identity | None, environ: Mapping[str, str]) -> list[Elsewhere]:
    """Return the other places that hold a secret: any, or one of the application *wanted*."""
    files = [
        Elsewhere(other, identity.section)
        for other in _others(path, environ)
        for identity in _identities(other)
        if identity.secret is not None and (wanted is None or _is_same(identity, wanted))
    ]
    return files + [Elsewhere(None, name) for name, value in environ.items() if _gives(name, value, wanted)]


def texts_of(path: Path) -> dict[str, str | None]:
    """Return the texts of a file of sections by their keys in lower case.

    :raises azcert.errors.AzcertError: it cannot be read.
    """
    form = format_of(path.suffix)
    if form is None:
        return {}
    text = read_file(path, limit=_MAX_SIZE).data.decode(errors="replace").removeprefix("\ufeff")
    return {each.name: each.text for each in members(form.parse(text, str(path)))}


def _others(path: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    stem = path.name.lstrip(".").partition(".")[0]
    for other in _beside(path):
        name = other.name
        known = name.startswith((".env", "appsettings.", f"{stem}.")) or name.endswith(".env")
        if known and other != path and not name.endswith(_COPIES) and other.is_file():
            yield other
    for identifier in _user_secrets_ids(path):
        secrets = user_secrets_path(identifier, environ)
        if secrets != path and secrets.is_file():
            yield secrets


def _beside(path: Path) -> list[Path]:
    try:
        return sorted(path.parent.iterdir())
    except PermissionError:
        # A service may open its settings and not list their folder.
        return []


def _user_secrets_ids(path: Path) -> Iterator[str]:
    for other in _beside(path):
        try:
            if other.suffix == ".csproj":
                yield from _SECRETS_ID.findall(
                    read_file(other, limit=_MAX_SIZE).data.decode(errors="replace")
                )
            elif other.name == "appsettings.json":
                identifier = texts_of(other).get("usersecretsid")
                if identifier:
                    yield identifier
        except AzcertError:
            continue


def _identities(path: Path) -> list[Identity]:
    form = format_of(path.suffix)
    try:
        text = read_file(path, limit=_MAX_SIZE).data.decode(errors="replace").removeprefix("\ufeff")
        return dotenv.find(text) if form is None else Sections(form, str(path)).find(text)
    except (AzcertError, OSError):
        # What cannot be read here is no settings of this user's program either.
        return []


def _is_same(one: Identity, other: Identity) -> bool:
    if one.secret is not None and other.secret is not None and one.secret.reveal() == other.secret.reveal():
        return True
    if one.client_id and other.client_id:
        return one.client_id.lower() == other.client_id.lower()
    return bool(one.section) and one.section.lower() == other.section.lower()


def _gives(name: str, value: str, wanted: Identity | None) -> bool:
    if wanted is None:
        return bool(value) and _VARIABLE.fullmatch(name) is not None
    return wanted.secret is not None and value == wanted.secret.reveal()
