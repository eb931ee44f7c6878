"""The record of a rotation that several hosts know of: one of them works on it, another one can take over."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from azcert.certificate.signer import SigningCertificate
from azcert.rotation.records.sealed_note import seal, signers_of, unseal
from azcert.rotation.staged import find_staged

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azcert.rotation.place import Place
    from azcert.rotation.records.journal import Journal
    from azcert.rotation.records.lease import Lease
    from azcert.rotation.records.record import LocalRecord

__all__ = ["SharedRecord"]


class SharedRecord:
    """A `LocalRecord`, a lease between hosts, and a copy of the journal beside the lease.

    The copy counts where there is one. The local one counts where Redis has lost it, as a cache may.
    """

    def __init__(self, local: LocalRecord, lease: Lease, place: Place) -> None:
        self._local = local
        self._lease = lease
        self._place = place

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the lease on the certificate in use.

        :raises ConfigurationError: ``lease-held``: another host does, and is not waited for.
        """
        with self._local.alone(), ExitStack() as held:
            while True:
                old = self._old()
                self._lease.acquire(old)
                held.callback(self._lease.release)
                # The holder before us may have ended its rotation a moment ago.
                if self._old() == old:
                    break
                held.pop_all().close()
            yield

    def read(self) -> Journal | None:
        """Return the journal of the certificate in use, whichever host has written it."""
        mine, shared = self._local.read(), self._shared()
        if shared is None or self._outlives(mine, shared):
            return mine
        return (
            None
            if shared.retired_at is not None and self._place.current().thumbprint != shared.old
            else shared
        )

    def superseded(self) -> Journal | None:
        """Return what this host had begun where another one, which did not know of it, has begun as well."""
        mine, shared = self._local.read(), self._shared()
        if mine is None or mine.successor is None or shared is None or self._outlives(mine, shared):
            return None
        known = {shared.old, shared.successor.thumbprint if shared.successor else None}
        return None if mine.successor.thumbprint in known else mine

    def settle(self) -> None:
        """Make the local journal the shared one; remove a key of ours that another host gave up."""
        mine, shared = self._local.read(), self._shared()
        if mine is None or shared is None or self._outlives(mine, shared):
            return
        if mine.staged != shared.staged:
            self._place.discard(mine.staged)
        if shared.retired_at is None:
            self._local.write(shared)
        else:
            self._local.drop()

    def write(self, journal: Journal) -> None:
        """Write both; the shared one first, which fails where the lease has passed to another host."""
        self._lease.write(_names(journal), self._sealed(journal))
        self._local.write(journal)

    def finish(self, journal: Journal) -> None:
        """Remove the local one; the shared one stays and tells under which id the successor is registered."""
        # What is noted on the rotation that brought the certificate which is gone now is of no use any more.
        brought = self._lease.note(f"to:{journal.old}")
        others = signers_of(brought) - {journal.old} if brought else set()
        self._lease.erase([f"to:{journal.old}", *(f"from:{other}" for other in others)])
        self._lease.write(_names(journal), self._sealed(journal))
        self._local.finish(journal)

    def drop(self) -> None:
        """Remove both."""
        journal = self.read()
        if journal is not None:
            self._lease.erase(_names(journal))
        self._local.drop()

    def remembered_id(self, thumbprint: str) -> str | None:
        """Return what the last rotation, of whichever host, has written."""
        shared = self._shared()
        if shared is not None and shared.successor is not None and shared.successor.thumbprint == thumbprint:
            return shared.key_id
        return self._local.remembered_id(thumbprint)

    def hold(self) -> None:
        """Renew the lease.

        :raises ConfigurationError: ``lease-lost``, ``lease-unusable``.
        """
        self._lease.renew()

    def _shared(self) -> Journal | None:
        """Return the journal of what replaces the certificate in use, else of what brought it."""
        current = self._place.current()
        for name in (f"from:{current.thumbprint}", f"to:{current.thumbprint}"):
            note = self._lease.note(name)
            journal = unseal(note, current, application=self._lease.application) if note else None
            if journal is not None and name in _names(journal):
                return journal
        return None

    def _outlives(self, mine: Journal | None, shared: Journal) -> bool:
        """Tell whether Redis, set back to an older state, knows only of the rotation before ours."""
        current = self._place.current().thumbprint
        return mine is not None and mine.old == current != shared.old

    def _old(self) -> str:
        """Return which certificate is being replaced: what the lease is on."""
        journal, current = self.read(), self._place.current().thumbprint
        about = journal is not None and {f"from:{current}", f"to:{current}"} & set(_names(journal))
        return journal.old if journal is not None and about else current

    def _sealed(self, journal: Journal) -> bytes:
        before = self._lease.note(f"from:{journal.old}")
        with ExitStack() as opened:
            signers = [opened.enter_context(self._place.in_use())]
            successor = journal.successor
            if successor is not None and journal.switched_at is None:
                key = find_staged(journal.staged, successor.spki, password=self._place.password)
                if key is not None:
                    opened.enter_context(closing(key))
                    signers.append(SigningCertificate(successor, key.signer))
            return seal(journal, signers, application=self._lease.application, before=before)


def _names(journal: Journal) -> list[str]:
    """Return the names of the note on a rotation: for those who have the old certificate, or the new one."""
    successor = journal.successor
    return [f"from:{journal.old}", *([f"to:{successor.thumbprint}"] if successor else [])]
