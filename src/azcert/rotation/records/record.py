"""Where a rotation's journal is kept, and what keeps two runs from working on it at once."""

from __future__ import annotations

import hashlib
import json
import os
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from azcert._files import write_atomic
from azcert._locks import exclusive
from azcert.errors import AccessError, ConfigurationError
from azcert.rotation.records.journal import Journal
from azcert.sources.uris.uri import FileUri, TpmUri, parse_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from azcert.certificate.model import Certificate

__all__ = ["LocalRecord", "Record", "has_begun", "journal_path"]

_FOLDER_MODE = 0o700


class Record(Protocol):
    """The journal of one source's rotation."""

    def alone(self) -> AbstractContextManager[None]:
        """Be the only run that works on this rotation, for the length of a block.

        :raises azcert.errors.AzcertError: another one works on it, and is not waited for.
        """

    def read(self) -> Journal | None:
        """Return the journal, or None where no rotation has begun."""

    def superseded(self) -> Journal | None:
        """Return an older journal that another host's has replaced, whose successor must be taken back."""

    def settle(self) -> None:
        """Forget the older journal, and the key it stands for."""

    def write(self, journal: Journal) -> None:
        """Replace the journal, whole."""

    def finish(self, journal: Journal) -> None:
        """Remove the journal of a rotation that is done; remember under which id its successor is known."""

    def drop(self) -> None:
        """Remove the journal of a rotation that was undone."""

    def remembered_id(self, thumbprint: str) -> str | None:
        """Return under which id an earlier rotation registered this certificate, or None.

        It is needed where the application may not read itself.
        """

    def hold(self) -> None:
        """Make sure that this run is still the only one, before it changes what cannot be changed back.

        :raises azcert.errors.AzcertError: it is not, or nobody can tell.
        """


class LocalRecord:
    """A file, and a lock of the same name beside it which keeps a second run waiting."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Wait until no other run of this host works on the rotation, and keep them waiting.

        :raises AccessError: ``not-writable``.
        """
        with ExitStack() as stack:
            try:
                self.path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
                stack.enter_context(exclusive(self.path.with_suffix(".lock")))
            except OSError as error:
                raise self._unusable(error) from error
            yield

    def read(self) -> Journal | None:
        """Return the journal, or None where there is no file.

        :raises ConfigurationError: ``journal-damaged``.
        :raises AccessError: ``not-writable``: another user's.
        """
        try:
            return Journal.from_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error
        except ValueError as error:
            raise ConfigurationError(
                f"The journal {self.path} is no record of a rotation: {error}",
                code="journal-damaged",
                remedy="Compare 'azcert app credentials APP' with 'azcert show', then move the journal away.",
            ) from error

    def superseded(self) -> None:
        """Return None: no other host writes here."""

    def settle(self) -> None:
        """Do nothing."""

    def write(self, journal: Journal) -> None:
        """Replace the file, whole."""
        write_atomic(self.path, journal.as_json(), overwrite=True)

    def finish(self, journal: Journal) -> None:
        """Remove the file; keep the id beside it."""
        successor = journal.successor
        if successor is not None and journal.key_id is not None:
            known = {"thumbprint": successor.thumbprint, "keyId": journal.key_id}
            write_atomic(self._registered, json.dumps(known).encode(), overwrite=True)
        self.drop()

    def drop(self) -> None:
        """Remove the file."""
        self.path.unlink(missing_ok=True)

    def remembered_id(self, thumbprint: str) -> str | None:
        """Return what `finish` kept."""
        try:
            known = json.loads(self._registered.read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(known, dict) or known.get("thumbprint") != thumbprint:
            return None
        return str(known.get("keyId"))

    def hold(self) -> None:
        """Do nothing: the kernel gives the lock to nobody else while this process lives."""

    def _unusable(self, error: OSError) -> AccessError:
        return AccessError(
            f"The record of the rotation cannot be kept in {self.path.parent}: {error.strerror or error}.",
            code="not-writable",
            remedy="Name a folder that this user may write and that stays: --state FOLDER.",
            path=str(self.path.parent),
        )

    @property
    def _registered(self) -> Path:
        return self.path.with_suffix(".registered")


def journal_path(source: str, client_id: str, folder: Path | None = None) -> Path:
    """Return the journal of a source's rotation: in *folder*, else root's state folder, else XDG's."""
    uri = parse_source(source)
    if isinstance(uri, FileUri | TpmUri) and uri.path is not None:
        # One file has one journal, from whatever folder it is named.
        uri = type(uri)(path=os.path.realpath(uri.path))
    name = hashlib.sha256(f"{uri}|{client_id}".encode()).hexdigest()[:32]
    return (folder or _state_folder()) / f"{name}.json"


def has_begun(certificate: Certificate, folder: Path | None = None) -> bool:
    """Tell whether *folder*, or the usual one, has the journal of a rotation from or to this certificate."""
    for path in (folder or _state_folder()).glob("*.json"):
        try:
            journal = Journal.from_json(path.read_bytes())
        except (OSError, ValueError):
            continue
        successor = journal.successor
        if certificate.thumbprint in {journal.old, successor.thumbprint if successor else None}:
            return True
    return False


def _state_folder() -> Path:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/azcert/rotation")
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "azcert" / "rotation"
