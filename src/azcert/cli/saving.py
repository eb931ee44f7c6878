"""Write the files a command makes: nothing is overwritten unasked, nothing is left half-written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from azcert._files import PRIVATE, PUBLIC, write_atomic
from azcert.errors import AccessError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["force_option", "refuse_existing", "save"]

force_option = click.option("--force", is_flag=True, help="Overwrite files that are already there.")


def refuse_existing(paths: Sequence[Path], *, force: bool) -> None:
    """Refuse before any work is done: a file is there, or its folder is not.

    :raises ConfigurationError: ``file-exists``, ``is-a-directory`` or ``no-folder``.
    """
    for path in paths:
        if path.is_dir():
            raise ConfigurationError(
                f"{path} is a directory.", code="is-a-directory", remedy="Name a file in it.", path=str(path)
            )
        if not force and os.path.lexists(path):
            raise _exists(path)
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
    try:
        write_atomic(path, data, mode=PRIVATE if private else PUBLIC, overwrite=force)
    except FileExistsError as error:
        raise _exists(path) from error
    except OSError as error:
        raise AccessError(
            f"{path} cannot be written: {error.strerror or error}.",
            code="not-writable",
            remedy=f"Check the folder {path.parent} and the space left on its disk.",
            path=str(path),
        ) from error


def _exists(path: Path) -> ConfigurationError:
    return ConfigurationError(
        f"{path} is already there.",
        code="file-exists",
        remedy="Overwrite it with --force, or choose another name.",
        path=str(path),
    )
