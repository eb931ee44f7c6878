"""Where stores live: the folders that the FHS and XDG assign, or one that ``AZCERT_STORE_ROOT`` names.

``LocalMachine`` is under ``/var/lib`` and not ``/etc``: programs change it as they run (import, rotation,
grants), which is what the FHS (3.0, 5.8) calls state of one host; ``/etc`` holds what an administrator edits,
and is read-only on many systems and under systemd's ``ProtectSystem=full``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from azcert.errors import ConfigurationError
from azcert.stores.names import Location

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.stores.names import StoreName

__all__ = ["STORE_ROOT", "folder_of", "folders_in"]

STORE_ROOT = "AZCERT_STORE_ROOT"
"""Environment variable: an absolute folder to hold ``LocalMachine`` and ``CurrentUser`` instead."""

_LOCAL_MACHINE = Path("/var/lib/azcert/stores")


def folder_of(store: StoreName, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the store's folder; the names of folders are in lower case, as stores are compared without.

    :raises azcert.errors.ConfigurationError: ``AZCERT_STORE_ROOT`` is not absolute, or the user has no home.
    """
    return folders_in(store.location, environment) / store.name.lower()


def folders_in(location: Location, environment: Mapping[str, str] = os.environ) -> Path:
    """Return the folder that holds all stores of *location*.

    :raises azcert.errors.ConfigurationError: see `folder_of`.
    """
    root = environment.get(STORE_ROOT)
    if root:
        if not Path(root).is_absolute():
            raise ConfigurationError(
                f"The environment variable {STORE_ROOT} is {root!r}, which is not an absolute path.",
                code="not-absolute",
                remedy="Give the whole path of a folder that only its owner can write.",
                variable=STORE_ROOT,
            )
        return Path(root, location)
    if location is Location.LOCAL_MACHINE:
        return _LOCAL_MACHINE
    return _data_home(environment) / "azcert" / "stores"


def _data_home(environment: Mapping[str, str]) -> Path:
    given = environment.get("XDG_DATA_HOME", "")
    # "All paths set in these environment variables must be absolute", others are ignored (XDG, 0.8).
    if Path(given).is_absolute():
        return Path(given)
    home = environment.get("HOME")
    if home:
        return Path(home, ".local", "share")
    try:
        return Path.home() / ".local" / "share"
    except RuntimeError as error:
        raise ConfigurationError(
            "This user has no home directory for its store.",
            code="no-home",
            remedy=f"Set HOME, XDG_DATA_HOME or {STORE_ROOT}, or use the store LocalMachine/My.",
        ) from error
