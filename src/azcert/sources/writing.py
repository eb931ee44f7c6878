"""Why a file with a key or certificate could not be written, for people."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from azcert.errors import AccessError, ConfigurationError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = ["file_exists", "writing"]


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], *, when_taken: str) -> Iterator[None]:
    """Explain what goes wrong while *path* is written.

    :param when_taken: what to do where the file is there already.
    :raises ConfigurationError: ``file-exists``.
    :raises AccessError: ``not-writable``.
    """
    try:
        yield
    except FileExistsError as error:
        raise file_exists(path, when_taken) from error
    except OSError as error:
        raise AccessError(
            f"{path} cannot be written: {error.strerror or error}.",
            code="not-writable",
            remedy=f"Check the folder {Path(path).parent} and the space left on its disk.",
            path=str(path),
        ) from error


def file_exists(path: str | os.PathLike[str], remedy: str) -> ConfigurationError:
    """Return the error for a file that is in the way."""
    return ConfigurationError(f"{path} is already there.", code="file-exists", remedy=remedy, path=str(path))
