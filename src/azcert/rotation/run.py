"""Does the steps of a rotation; may be stopped at any moment and goes on from its journal."""

from __future__ import annotations

import datetime as dt
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from azcert._locks import exclusive
from azcert.certificate.issue import BACK_DATED, self_signed
from azcert.certificate.signer import SigningCertificate
from azcert.errors import ConfigurationError, SelectionError
from azcert.rotation.due import SHARE, due_at
from azcert.rotation.journal import Journal
from azcert.rotation.place import staged_key
from azcert.rotation.plan import Step, next_step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.rotation.place import Place
    from azcert.rotation.prover import Prover
    from azcert.rotation.registrar import Registrar
    from azcert.sources.signer_place import SignerPlace

__all__ = ["Rotation", "Rules"]


@dataclass(frozen=True)
class Rules:
    """How a rotation goes.

    :param overlap: seconds the old certificate stays registered after the switch.
    :param days: validity of the successor; as long as its predecessor's without it.
    :param share: share of the life after which a certificate is due.
    """

    overlap: float = 3600.0
    days: int | None = None
    share: float = SHARE


class Rotation:
    """The rotation of one source.

    :param journal: its file; a lock of the same name beside it keeps a second run waiting.
    :param told: hears each step before it is done.
    """

    def __init__(
        self,
        place: Place,
        registrar: Registrar,
        prover: Prover,
        journal: Path,
        *,
        rules: Rules | None = None,
        password: Secret | None = None,
        told: Callable[[Step], None] | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._place = place
        self._registrar = registrar
        self._prover = prover
        self._path = journal
        self._rules = rules or Rules()
        self._password = password
        self._told = told
        self._now = now
        self._sleep = sleep
        self.left_registered: str | None = None
        """The thumbprint of a replaced certificate that `run` could not take off the application: the
        application may not read itself, and nobody told the id under which it was registered."""

    def is_due(self) -> bool:
        """Tell whether a rotation has begun, or the certificate in use is due for one."""
        if Journal.read(self._path) is not None:
            return True
        due = due_at(self._place.current().certificate, share=self._rules.share)
        return self._now() >= due.timestamp()

    def next_step(self) -> Step:
        """Return what `run` would do first."""
        journal = Journal.read(self._path)
        if journal is None:
            return Step.MAKE
        return next_step(journal, now=self._now(), overlap=self._rules.overlap)

    def run(self, *, force: bool = False) -> Step:
        """Take step after step until nothing is left but to wait; return `Step.WAIT` or `Step.DONE`.

        :param force: begin though the certificate is not due yet.
        :raises azcert.errors.AzcertError: a step failed; the certificate in use still signs in, and the
            next run goes on from here.
        """
        with self._alone():
            if not force and not self.is_due():
                return Step.DONE
            journal = Journal.read(self._path) or self._begin()
            while True:
                step = next_step(journal, now=self._now(), overlap=self._rules.overlap)
                if self._told is not None:
                    self._told(step)
                if step is Step.WAIT:
                    return step
                if step is Step.DONE:
                    journal.remember_id(self._path)
                    self._path.unlink(missing_ok=True)
                    return step
                journal = _DO[step](self, journal)
                journal.write(self._path)

    def abort(self) -> bool:
        """Undo a rotation whose successor is not in use yet; return False where there is nothing to undo."""
        with self._alone():
            journal = Journal.read(self._path)
            if journal is None or journal.switched_at is not None:
                return False
            successor = journal.successor
            if successor is not None and self._place.current().certificate.thumbprint == successor.thumbprint:
                return False
            key_id = journal.key_id
            if key_id is None and successor is not None:
                key_id = self._registrar.key_id(successor.thumbprint)
            if key_id is not None:
                self._registrar.remove(key_id)
            self._place.discard(journal.staged)
            self._path.unlink(missing_ok=True)
            return True

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with exclusive(self._path.with_suffix(".lock")):
            yield

    def _begin(self) -> Journal:
        old = self._place.current().certificate
        if not old.is_self_signed:
            raise ConfigurationError(
                f"The certificate of {self._place.name} was issued by {old.issuer}; a self-signed successor "
                "would not be what it is.",
                code="not-rotatable",
                remedy="Ask its authority for the next one: azcert csr, then azcert accept.",
                source=self._place.name,
            )
        journal = Journal(
            source=self._place.name,
            old=old.thumbprint,
            old_key_id=self._registrar.key_id(old.thumbprint)
            or Journal.remembered_id(self._path, old.thumbprint),
            staged=self._place.next_key(),
        )
        journal.write(self._path)
        return journal

    def _make(self, journal: Journal) -> Journal:
        old = self._place.current().certificate
        days = self._rules.days or max(1, (old.not_after - old.not_before).days)
        # Stores and tokens give the newest: the successor begins later, however young its predecessor is.
        moment = max(self._moment(), old.not_before + BACK_DATED + dt.timedelta(seconds=1))
        with self._staged(journal, old) as key:
            made = self_signed(key.signer, subject=old.subject, days=days, now=moment)
        self._sleep(max(0.0, made.not_before.timestamp() - self._now()))
        return journal.with_successor(made)

    def _register(self, journal: Journal) -> Journal:
        successor = _made(journal)
        return replace(journal, key_id=self._registrar.add(successor))

    def _prove(self, journal: Journal) -> Journal:
        successor = _made(journal)
        with self._staged(journal, successor) as key:
            self._prover.prove(SigningCertificate(successor, key.signer))
        return replace(journal, proven_at=self._now())

    def _switch(self, journal: Journal) -> Journal:
        successor = _made(journal)
        self._place.switch(journal.staged, successor)
        used = self._place.current().certificate
        if used.thumbprint != successor.thumbprint:
            raise SelectionError(
                f"{self._place.name} gives {used.thumbprint}, not the successor {successor.thumbprint}.",
                code="not-switched",
                remedy="Remove what is newer than the successor, then run azcert rotate again.",
                source=self._place.name,
            )
        return replace(journal, switched_at=self._now())

    def _retire(self, journal: Journal) -> Journal:
        key_id = journal.old_key_id or self._registrar.key_id(journal.old)
        if key_id is not None:
            self._registrar.remove(key_id)
        elif not self._registrar.sees_all:
            self.left_registered = journal.old
        self._place.retire(journal.old)
        return replace(journal, retired_at=self._now())

    @contextmanager
    def _staged(self, journal: Journal, like: Certificate) -> Iterator[SignerPlace]:
        key = staged_key(journal.staged, name=like.subject, bits=like.key_size, password=self._password)
        try:
            yield key
        finally:
            key.close()

    def _moment(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._now(), dt.UTC)


def _made(journal: Journal) -> Certificate:
    successor = journal.successor
    assert successor is not None, "the plan asks for it only after it was made"  # noqa: S101
    return successor


_DO: dict[Step, Callable[[Rotation, Journal], Journal]] = {
    Step.MAKE: Rotation._make,
    Step.REGISTER: Rotation._register,  # noqa: SLF001
    Step.PROVE: Rotation._prove,  # noqa: SLF001
    Step.SWITCH: Rotation._switch,  # noqa: SLF001
    Step.RETIRE: Rotation._retire,  # noqa: SLF001
}
