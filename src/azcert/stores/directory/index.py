"""The index: what was read from each certificate's file, so that none is parsed twice.

A log of JSON lines, one certificate each; the last line about a file counts. A row holds as long as the
file's modification time, size and inode are those it was read at. Everything in it is derived: it may be
deleted, and half a line that a dying writer leaves is passed over. It is written under the store's lock.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from typing import TYPE_CHECKING, NamedTuple

from azcert._files import PUBLIC, write_atomic
from azcert.stores.store import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from azcert.stores.names import StoreName

__all__ = ["NAME", "Row", "Stamp", "append", "rewrite", "rows_in", "stamp_of"]

NAME = ".index"
_VERSION = 1

Stamp = tuple[int, int, int]
"""Modification time in nanoseconds, size and inode of a file when it was read."""


class Row(NamedTuple):
    """One certificate's file as it was read."""

    stamp: Stamp
    entry: Entry


def stamp_of(status: os.stat_result) -> Stamp:
    """Return what tells two contents of a file apart."""
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def append(folder: Path, rows: Iterable[tuple[str, Row]]) -> None:
    """Add rows, by file name, to the index in *folder*.

    :raises OSError: it cannot be written.
    """
    descriptor = os.open(
        folder / NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PUBLIC
    )
    with os.fdopen(descriptor, "wb", buffering=0) as stream:
        if os.fstat(descriptor).st_size == 0:
            os.fchmod(descriptor, PUBLIC)
        stream.write(_render(rows))


def rewrite(folder: Path, rows: Iterable[tuple[str, Row]]) -> None:
    """Replace the index in *folder*.

    :raises OSError: it cannot be written.
    """
    write_atomic(folder / NAME, _render(rows), mode=PUBLIC, overwrite=True)


def _render(rows: Iterable[tuple[str, Row]]) -> bytes:
    """Return one line for each row; it begins with the line break that ends whatever was there before."""
    return b"".join(b"\n" + _line(name, row).encode() for name, row in rows)


def _line(name: str, row: Row) -> str:
    entry = row.entry
    facts = [
        entry.thumbprint,
        entry.thumbprint_sha256,
        entry.subject,
        entry.subject_values,
        entry.issuer,
        entry.issuer_values,
        entry.serial,
        int(entry.not_before.timestamp()),
        int(entry.not_after.timestamp()),
        entry.has_key,
        entry.protection,
        entry.exportable,
        entry.source,
    ]
    return json.dumps([_VERSION, name, row.stamp, facts], separators=(",", ":"))


def rows_in(data: bytes, store: StoreName, folder: Path) -> dict[str, Row]:
    """Return the rows of an index's content by file name; what cannot be read is not there."""
    rows: dict[str, Row] = {}
    for line in data.split(b"\n"):
        try:
            version, name, (changed, size, inode), facts = json.loads(line)
            if version != _VERSION:
                continue
            sha1, sha256, subject, subject_values, issuer, issuer_values, serial, begin, end, *key = facts
            has_key, protection, exportable, source = key
            entry = Entry(
                store,
                sha1,
                sha256,
                subject,
                subject_values,
                issuer,
                issuer_values,
                serial,
                dt.datetime.fromtimestamp(begin, dt.UTC),
                dt.datetime.fromtimestamp(end, dt.UTC),
                has_key,
                protection,
                exportable,
                f"{folder}/{name}",
                source,
            )
        except (ValueError, TypeError, OverflowError, OSError):
            continue
        rows[name] = Row((changed, size, inode), entry)
    return rows
