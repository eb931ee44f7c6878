"""List a store's folder, parsing only the files that changed since they were last read."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from azcert._locks import exclusive
from azcert.errors import AccessError, AzcertError, CertificateError
from azcert.stores.directory import index
from azcert.stores.directory.record import Record
from azcert.stores.ownership import judge, read_trusted, user_name

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.stores.names import StoreName

__all__ = ["LOCK", "PEM", "Listing", "read_record"]

PEM = ".pem"
LOCK = ".lock"

_log = logging.getLogger("azcert.stores")
_SLACK = 64  # lines of the index that may be out of date before it is written anew


def read_record(folder: int, path: Path) -> tuple[Record, os.stat_result]:
    """Return the record in the file *path* of the opened *folder*.

    :raises FileNotFoundError: it is not there.
    :raises AccessError: ``untrusted`` or ``store-access-denied``.
    :raises CertificateError: ``damaged``.
    """
    try:
        data, status = read_trusted(folder, path.name, path)
    except PermissionError as error:
        if isinstance(error, AccessError):
            raise
        me = user_name(os.geteuid())
        raise AccessError(
            f"{me} may not read {path}.",
            code="store-access-denied",
            remedy=f"Certificates are public: sudo chmod 644 {path}",
            user=me,
            path=str(path),
        ) from error
    record = Record.read(data, str(path))
    if path.name != record.certificate.thumbprint + PEM:
        raise CertificateError(
            f"{path} is damaged: it holds the certificate {record.certificate.thumbprint}.",
            code="damaged",
            remedy="Import the certificate again, and remove the file.",
            path=str(path),
        )
    return record, status


class Listing:
    """What is known of one folder, in this process and in its index. Not safe for threads by itself."""

    def __init__(self, store: StoreName, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._rows: dict[str, index.Row] = {}

    def rows(self, folder: int) -> dict[str, index.Row]:
        """Return the row of each certificate's file in the opened folder, by file name.

        What is damaged, or can be written by others, is left out with a warning.
        """
        lines = 0
        known = self._rows
        if not known:
            data = self._stored(folder)
            lines = data.count(b"\n")
            known = index.rows_in(data, self._store, self._folder)
        rows: dict[str, index.Row] = {}
        fresh: dict[str, index.Row] = {}
        for name, status in _files(folder):
            row = known.get(name)
            try:
                judge(status, self._folder / name)
                if row is None or row.stamp != index.stamp_of(status):
                    row = fresh[name] = self._parse(folder, name)
            except FileNotFoundError:
                continue
            except AzcertError as error:
                _log.warning("%s is passed over: %s", self._folder / name, error)
                continue
            rows[name] = row
        self._rows = rows
        if fresh or lines > 2 * len(rows) + _SLACK:
            self._remember(folder, fresh)
        return rows

    def _parse(self, folder: int, name: str) -> index.Row:
        path = self._folder / name
        record, status = read_record(folder, path)
        return index.Row(index.stamp_of(status), record.entry(self._store, str(path)))

    def _stored(self, folder: int) -> bytes:
        try:
            return read_trusted(folder, index.NAME, self._folder / index.NAME)[0]
        except (OSError, AzcertError):
            # Absent, or not to be read or trusted: then the certificates' own files say everything.
            return b""

    def _remember(self, folder: int, fresh: dict[str, index.Row]) -> None:
        """Write the index; it only saves work, so that a full disk or a read-only one is no error."""
        if os.fstat(folder).st_uid != os.geteuid():
            return
        try:
            with exclusive(self._folder / LOCK):
                if len(fresh) > len(self._rows) // 2 or not fresh:
                    index.rewrite(self._folder, self._rows.items())
                else:
                    index.append(self._folder, fresh.items())
        except OSError as error:
            _log.debug("The index of %s was not written: %s", self._folder, error)


def _files(folder: int) -> list[tuple[str, os.stat_result]]:
    found = []
    with os.scandir(folder) as items:
        for item in items:
            if item.name.endswith(PEM) and not item.name.startswith("."):
                try:
                    found.append((item.name, item.stat(follow_symlinks=False)))
                except FileNotFoundError:
                    continue
    return sorted(found)
