"""Write the files a command makes: nothing is overwritten unasked, nothing is left half-written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from azcert._files import PRIVATE, PUBLIC, write_atomic
from azcert.errors import ConfigurationError
from azcert.sources.writing import file_exists, writing

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["force_option", "refuse_existing", "save"]

_WHEN_TAKEN = "Overwrite it with --force, or choose another name."

force_option = click.option("--force", is_flag=True, help="Overwrite files that are already there.")


def refuse_existing(paths: Sequence[Path], *, force: bool, when_taken: str = _WHEN_TAKEN) -> None:
    """Refuse before any work is done: a file is there, or its folder is not.

    :param when_taken: what to do about a file that is there.
    :raises ConfigurationError: ``file-exists``, ``is-a-directory`` or ``no-folder``.
    """
    for path in paths:
        if path.is_dir():
            raise ConfigurationError(
                f"{path} is a directory.", code="is-a-directory", remedy="Name a file in it.", path=str(path)
            )
        if not force and os.path.lexists(path):
            raise file_exists(path, when_taken)
        if not path.parent.is_dir():
            raise ConfigurationError(
                f"There is no folder {path.parent}.",
                code="no-folder",
                remedy=f"Make it: mkdir -p {path.parent}",
                path=str(path.parent),
            )


def save(path: Path, data: bytes, *, private: bool, force: bool) -> None:
    """Write *data* whole or not at all, with mode 0600 if it is *private*.

    :raises ConfigurationError: ``file-exists``: it appeared meanwhile.
    :raises AccessError: ``not-writable``.
    """
    with writing(path, when_taken=_WHEN_TAKEN):
        write_atomic(path, data, mode=PRIVATE if private else PUBLIC, overwrite=force)
