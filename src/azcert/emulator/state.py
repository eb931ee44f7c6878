"""What the emulator knows, kept in SQLite: in memory, or in a file that survives a crash."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import contextmanager
from threading import RLock
from typing import TYPE_CHECKING, Any

from azcert._files import PRIVATE
from azcert.errors import EmulatorError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Documents"]


class Documents:
    """JSON documents by kind and key. Every write outside `transaction` is one transaction of its own.

    :param path: a file, readable by its owner alone; in memory without one. What a call has written is on the
        disk when it returns.
    :raises EmulatorError: ``state-unusable``: no file of ours, in use by another emulator, or not writable.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._lock = RLock()
        try:
            if path is not None:
                # Made before SQLite does, which would leave the mode to the umask.
                os.close(os.open(path, os.O_RDWR | os.O_CREAT, PRIVATE))
                path.chmod(PRIVATE)
            self._connection = sqlite3.connect(
                path or ":memory:", check_same_thread=False, isolation_level=None, timeout=0.5
            )
            try:
                self._prepare()
            except BaseException:
                self._connection.close()
                raise
        except (OSError, sqlite3.Error) as error:
            busy = getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY"
            raise EmulatorError(
                f"The emulator's state {path} cannot be opened: {error}.",
                code="state-unusable",
                remedy="Another emulator uses it: stop that one first."
                if busy
                else "Name a new file, or one that an azcert emulator wrote.",
                path=str(path),
            ) from error

    def _prepare(self) -> None:
        # One emulator per file: a second one would answer from the state of a moment ago.
        self._connection.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=FULL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS documents "
            "(kind TEXT, key TEXT, body TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make all reads and writes inside one whole: kept together or, on an exception, not at all."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def get(self, kind: str, key: str) -> Any | None:
        """Return the document, or None."""
        with self._lock:
            row = self._connection.execute(
                "SELECT body FROM documents WHERE kind = ? AND key = ?", (kind, key)
            ).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, kind: str, key: str, body: Any) -> None:
        """Store or replace the document."""
        with self._lock:
            self._connection.execute(
                "INSERT OR REPLACE INTO documents VALUES (?, ?, ?)", (kind, key, json.dumps(body))
            )

    def delete(self, kind: str, key: str) -> bool:
        """Remove the document; tell whether it was there."""
        with self._lock:
            cursor = self._connection.execute("DELETE FROM documents WHERE kind = ? AND key = ?", (kind, key))
        return cursor.rowcount > 0

    def items(
        self, kind: str, prefix: str = "", *, after: str = "", limit: int = -1
    ) -> list[tuple[str, Any]]:
        """Return ``(key, document)`` in key order: those beginning with *prefix* and following *after*."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT key, body FROM documents WHERE kind = ? AND key >= ? AND key < ? AND key > ? "
                "ORDER BY key LIMIT ?",
                (kind, prefix, prefix + "\U0010ffff", after, limit),
            ).fetchall()
        return [(key, json.loads(body)) for key, body in rows]

    def snapshot(self) -> list[tuple[str, str, str]]:
        """Return everything, for `restore`."""
        with self._lock:
            return self._connection.execute("SELECT kind, key, body FROM documents").fetchall()

    def restore(self, snapshot: list[tuple[str, str, str]]) -> None:
        """Forget everything but *snapshot*."""
        with self.transaction():
            self._connection.execute("DELETE FROM documents")
            self._connection.executemany("INSERT INTO documents VALUES (?, ?, ?)", snapshot)

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._connection.close()
