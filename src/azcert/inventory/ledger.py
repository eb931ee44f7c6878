"""What was read so far, in a SQLite file: memory stays small, and a run that was stopped can go on.

A page and the address of its successor are kept in one transaction: whatever stops the run, none is lost and
none is read twice.
"""

from __future__ import annotations

import datetime as dt
import os
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from azcert.errors import AccessError, ConfigurationError
from azcert.inventory.model import Credential, Kind, Totals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self

    from azcert.inventory.model import Examined
    from azcert.inventory.reading import Use
    from azcert.registration.applications import Page
    from azcert.registration.model import KeyCredential, PasswordCredential

__all__ = ["Ledger"]

_FORMAT = "azcert-inventory-1"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS application (
    object_id TEXT PRIMARY KEY, app_id TEXT, name TEXT, examined INTEGER DEFAULT 0) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS credential (
    object_id TEXT, key_id TEXT, kind TEXT, label TEXT, name TEXT, start REAL, end REAL,
    key_type TEXT, key_size INTEGER, signature_hash TEXT, PRIMARY KEY (object_id, key_id)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS credential_end ON credential (end);
CREATE TABLE IF NOT EXISTS use (key_id TEXT PRIMARY KEY, last REAL) WITHOUT ROWID;
"""
_CREDENTIALS = """
SELECT a.app_id, c.object_id, a.name, c.kind, c.key_id, c.label, c.name, c.start, c.end,
       (SELECT max(o.end) FROM credential o WHERE o.object_id = c.object_id AND o.end > c.end),
       c.key_type, c.key_size, c.signature_hash, u.last
FROM credential c JOIN application a USING (object_id) LEFT JOIN use u USING (key_id)
ORDER BY c.end, a.app_id, c.key_id
"""


class Ledger:
    """The state of one inventory.

    :param path: a file that a later run goes on with; None for one that is gone with the process.
    :param owner: whose inventory this is; a file of another one is refused.
    :raises ConfigurationError: ``not-a-ledger``: the file is something else, or another tenant's.
    """

    def __init__(self, path: Path | None, *, owner: str) -> None:
        self._path = path
        if path is not None:
            # Closed to others from its first byte: it lists a tenant's applications.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        # An empty name is SQLite's own temporary file, which only memory pressure ever writes.
        self._connection = sqlite3.connect("" if path is None else str(path), isolation_level=None)
        try:
            self._prepare(owner)
        except BaseException:
            self._connection.close()
            raise

    def _prepare(self, owner: str) -> None:
        try:
            known = self._connection.execute("SELECT name FROM sqlite_master").fetchall()
            if known and ("fact",) not in known:
                raise self._foreign("it is another program's database")
            self._connection.executescript(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise self._foreign(str(error)) from error
        if self.fact("format") is None:
            with self.transaction():
                self._set(format=_FORMAT, owner=owner)
        if self.fact("format") != _FORMAT:
            raise self._foreign("another version of azcert wrote it")
        if self.fact("owner") != owner:
            raise self._foreign(f"it is of {self.fact('owner')}, not of {owner}")

    def _foreign(self, found: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self._path} is no state of this inventory: {found}.",
            code="not-a-ledger",
            remedy="Name a new file, or the one of the run that was stopped.",
            path=str(self._path),
        )

    # Progress

    def fact(self, name: str) -> str | None:
        """Return a fact kept under *name*."""
        row = self._connection.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def progress(self, what: str) -> str | None:
        """Return the address to read next of *what* (``applications``, ``uses``): empty when all was read."""
        return self.fact(what)

    def keep_page(self, page: Page) -> None:
        """Keep a page of applications and where the next one is."""
        with self.transaction():
            for each in page.applications:
                self._connection.execute(
                    "INSERT OR REPLACE INTO application VALUES (?, ?, ?, 0)",
                    (each.id, each.app_id, each.display_name),
                )
                found: list[tuple[Kind, str, KeyCredential | PasswordCredential]]
                found = [(Kind.CERTIFICATE, key.thumbprint, key) for key in each.keys]
                found += [(Kind.SECRET, key.hint or "", key) for key in each.passwords]
                self._connection.executemany(
                    "INSERT OR REPLACE INTO credential VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL)",
                    [
                        (
                            each.id,
                            key.key_id,
                            kind,
                            label,
                            key.display_name or "",
                            key.start.timestamp(),
                            key.end.timestamp(),
                        )
                        for kind, label, key in found
                    ],
                )
            self._set(applications=page.following or "")

    def keep_uses(self, uses: Iterable[Use], following: str | None) -> None:
        """Keep a page of the report on sign-ins; of several uses of a credential the last counts."""
        with self.transaction():
            self._connection.executemany(
                "INSERT INTO use VALUES (?, ?) "
                "ON CONFLICT (key_id) DO UPDATE SET last = max(last, excluded.last)",
                [(each.key_id, each.last.timestamp()) for each in uses],
            )
            self._set(uses=following or "")

    def unexamined(self, now: dt.datetime) -> list[str]:
        """Return the object ids of applications with a living certificate whose bytes were not read."""
        rows = self._connection.execute(
            "SELECT DISTINCT object_id FROM application JOIN credential USING (object_id) "
            "WHERE examined = 0 AND kind = ? AND end >= ? ORDER BY object_id",
            (Kind.CERTIFICATE, now.timestamp()),
        )
        return [row[0] for row in rows]

    def keep_examined(self, found: Mapping[str, Iterable[Examined]]) -> None:
        """Keep what the bytes of applications' certificates say, by the applications' object ids."""
        with self.transaction():
            for object_id, certificates in found.items():
                self._connection.executemany(
                    "UPDATE credential SET key_type = ?, key_size = ?, signature_hash = ? "
                    "WHERE object_id = ? AND key_id = ?",
                    [
                        (each.key_type, each.key_size, each.signature_hash, object_id, each.key_id)
                        for each in certificates
                    ],
                )
                self._connection.execute(
                    "UPDATE application SET examined = 1 WHERE object_id = ?", (object_id,)
                )

    def forget_applications(self) -> None:
        """Begin again with the first page."""
        with self.transaction():
            self._connection.execute("DELETE FROM credential")
            self._connection.execute("DELETE FROM application")
            self._connection.execute("DELETE FROM fact WHERE name = 'applications'")

    def forget_uses(self) -> None:
        """Likewise for the report on sign-ins."""
        with self.transaction():
            self._connection.execute("DELETE FROM use")
            self._connection.execute("DELETE FROM fact WHERE name = 'uses'")

    # Results

    def totals(self) -> Totals:
        """Count what was read."""
        row = self._connection.execute(
            "SELECT (SELECT count(*) FROM application), (SELECT count(*) FROM credential), "
            "(SELECT count(*) FROM application a WHERE NOT EXISTS "
            "(SELECT 1 FROM credential c WHERE c.object_id = a.object_id))"
        ).fetchone()
        return Totals(*row)

    def credentials(self) -> Iterator[Credential]:
        """Yield every credential, the one that ends first before the others."""
        activity_known = self.fact("uses") == ""
        for row in self._connection.execute(_CREDENTIALS):
            app_id, object_id, app_name, kind, key_id, label, name, start, end, successor, *rest = row
            key_type, key_size, signature_hash, last = rest
            yield Credential(
                app_id=app_id,
                object_id=object_id,
                app_name=app_name,
                kind=Kind(kind),
                key_id=key_id,
                label=label,
                name=name,
                start=_moment(start),
                end=_moment(end),
                successor=None if successor is None else _moment(successor),
                key_type=key_type,
                key_size=key_size,
                signature_hash=signature_hash,
                activity_known=activity_known,
                last_used=None if last is None else _moment(last),
            )

    # The file

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all changes inside, or none.

        :raises AccessError: ``not-writable``: the disk is full, or another process uses the file.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                # A full disk has ended the transaction already.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise AccessError(
                f"{self._path or 'The temporary state'} cannot be written: {error}.",
                code="not-writable",
                remedy="Check the space left on its disk, and whether another inventory uses it.",
                path=str(self._path),
            ) from error

    def _set(self, **facts: str) -> None:
        self._connection.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", facts.items())

    def close(self) -> None:
        """Close the file; it stays for the next run."""
        self._connection.close()

    def remove(self) -> None:
        """Close and delete the file: the inventory was written, there is nothing to go on with."""
        self.close()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()


def _moment(seconds: float) -> dt.datetime:
    # Not fromtimestamp(): it refuses the year 1, which stands for a date that Graph does not give.
    return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds)
