"""A setting that remembers where it was written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from azcert._redact import REDACTED, Secret
from azcert.config.reading.secrecy import shown
from azcert.errors import ConfigurationError

__all__ = ["Entry", "Origin", "Place", "Scalar", "wrong"]

Scalar: TypeAlias = "str | int | float | bool | None"


class Place(StrEnum):
    """The kinds of places a setting can be written in."""

    FILE = "file"
    USER_SECRETS = "user secrets"
    ENVIRONMENT = "environment"
    CODE = "code"
    KEY_VAULT = "Key Vault"


@dataclass(frozen=True)
class Origin:
    """Where a setting is written.

    :param name: the file's path, or the environment variable's name; empty for code.
    :param line: line of the file, from 1, where it is known.
    :param rank: number of the layer; a higher one wins.
    """

    place: Place
    name: str = ""
    line: int | None = None
    rank: int = 0

    def __str__(self) -> str:
        if self.place is Place.ENVIRONMENT:
            return f"environment variable {self.name}"
        if self.place is Place.CODE:
            return "given in code"
        return self.name if self.line is None else f"{self.name}, line {self.line}"


@dataclass(frozen=True)
class Entry:
    """One setting.

    :param key: its whole path as it was written, such as ``KeyVault:VaultUri``.
    :param text: its value as .NET would have it, a string or None; a `Secret` when it came from Key Vault.
    :param native: its value in the type it was written in.
    """

    key: str
    text: str | Secret | None
    native: Scalar
    origin: Origin

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition(":")[2]

    @property
    def quoted(self) -> str:
        """The value as messages may quote it: redacted where it is or may be a secret."""
        return REDACTED if isinstance(self.text, Secret) else repr(shown(self.key, self.text))

    def __repr__(self) -> str:
        return f"<Entry {self.key} from {self.origin}>"  # the value may be a secret


def wrong(
    entry: Entry, found: str, *, code: str = "wrong-setting", remedy: str | None = None
) -> ConfigurationError:
    """Return the error about *entry*: its key, *found* (a clause that begins with a verb) and its origin."""
    return ConfigurationError(
        f"The setting {entry.key} ({entry.origin}) {found}{'' if found.endswith('?') else '.'}",
        code=code,
        remedy=remedy,
        key=entry.key,
        origin=str(entry.origin),
        line=entry.origin.line,
    )
