"""Change a store's folder so that it is whole at every moment, whoever else writes, whenever a writer dies.

A key is written first and the certificate's file, which names it, last, each atomically; removal goes the
other way round. A writer killed in between leaves at most a file that nothing names, which the next one
clears away.
"""

from __future__ import annotations

import os
from collections import Counter
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from azcert._files import PUBLIC, write_atomic
from azcert._locks import exclusive
from azcert.errors import CertificateError
from azcert.stores.directory import grants, index
from azcert.stores.directory.listing import LOCK, PEM, read_record
from azcert.stores.names import Location
from azcert.stores.ownership import open_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from azcert.stores.directory.grants import Grantee
    from azcert.stores.directory.record import Record
    from azcert.stores.names import StoreName

__all__ = ["KEY", "writing"]

KEY = ".key"
_OWN, _SHARED = 0o700, 0o755


class Writer:
    """Writes into one opened folder; its lock is held."""

    def __init__(self, store: StoreName, path: Path, folder: int) -> None:
        self._store = store
        self._path = path
        self._folder = folder

    def record(self, thumbprint: str) -> Record | None:
        """Return what is there now; a damaged file is as none, for it is to be replaced."""
        try:
            return read_record(self._folder, self._path / (thumbprint + PEM))[0]
        except (FileNotFoundError, CertificateError):
            return None

    def put(
        self,
        record: Record,
        key: bytes | None = None,
        replaced: str | None = None,
        readers: Collection[Grantee] = (),
    ) -> None:
        """Write *record*, and before it the content of its key's file; drop the key file it *replaced*."""
        if key is not None and record.key is not None:
            write_atomic(self._path / record.key, key, overwrite=True)
            for reader in sorted(readers):
                grants.grant(self._path / record.key, reader)
        path = self._path / (record.certificate.thumbprint + PEM)
        write_atomic(path, record.render(), mode=PUBLIC, overwrite=True)
        if replaced is not None and replaced != record.key:
            (self._path / replaced).unlink(missing_ok=True)
        # The index saves work and nothing else.
        with suppress(OSError):
            row = index.Row(index.stamp_of(path.stat()), record.entry(self._store, str(path)))
            index.append(self._path, [(path.name, row)])

    def drop(self, thumbprint: str, key: str | None) -> None:
        """Remove the certificate's file, then its key's."""
        (self._path / (thumbprint + PEM)).unlink(missing_ok=True)
        os.fsync(self._folder)
        if key is not None:
            (self._path / key).unlink(missing_ok=True)
            os.fsync(self._folder)

    def clear_away(self) -> None:
        """Remove what nothing names: whoever wrote it no longer lives, for the lock is held."""
        names = {path.name for path in self._path.iterdir()}
        keys = [name for name in names if name.endswith(KEY)]
        count = Counter(name.partition(".")[0] for name in keys)
        unnamed = {name for name in names if name.startswith(".") and name.endswith(".new")}
        unnamed |= {name for name in keys if name.partition(".")[0] + PEM not in names}
        for name in keys:
            thumbprint = name.partition(".")[0]
            if count[thumbprint] > 1 and name not in unnamed:
                record = self.record(thumbprint)
                unnamed |= {name} if record is not None and record.key != name else set()
        for name in unnamed:
            os.unlink(name, dir_fd=self._folder)


@contextmanager
def writing(store: StoreName, path: Path) -> Iterator[Writer]:
    """Hold the lock of the store's folder *path*, made if need be, judged, and cleared of unfinished work.

    :raises OSError: it cannot be made or written.
    :raises AccessError: ``untrusted``.
    """
    _make(path, _SHARED if store.location is Location.LOCAL_MACHINE else _OWN)
    folder = open_folder(path)
    if folder is None:
        raise FileNotFoundError(f"{path} was removed just now")
    try:
        with exclusive(path / LOCK):
            writer = Writer(store, path, folder)
            writer.clear_away()
            yield writer
    finally:
        os.close(folder)


def _make(path: Path, mode: int) -> None:
    missing = [each for each in (path, *path.parents) if not each.exists()]
    for folder in reversed(missing):
        try:
            folder.mkdir(mode)
        except FileExistsError:
            continue
        # The umask may have taken away what others need; closed first, it was never open wider than this.
        folder.chmod(mode)
