"""What is said about settings in the log: once for each process and setting."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from azcert.config.reading.origin import Place

if TYPE_CHECKING:
    from azcert.config.reading.origin import Entry

__all__ = ["say", "secret_in_file", "warn_of_secret"]

_log = logging.getLogger("azcert.config")
_said: set[str] = set()


def say(message: str) -> None:
    """Say something about settings, once."""
    if message not in _said:
        _said.add(message)
        _log.warning("%s", message)


def warn_of_secret(entry: Entry) -> None:
    """Say that a secret lies in a settings file; once."""
    if entry.origin.place is Place.FILE:
        say(secret_in_file(entry))


def secret_in_file(entry: Entry) -> str:
    """Return what is said of a secret in a settings file, and where it would be better kept."""
    return (
        f"The setting {entry.key} ({entry.origin}) is a secret in a settings file. Better: the "
        f"environment variable {entry.key.replace(':', '__')}, user secrets, or a Key Vault reference."
    )
