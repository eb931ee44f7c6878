"""Does the steps of a rotation; may be stopped at any moment and goes on from its journal."""

from __future__ import annotations

import datetime as dt
import time
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from azcert.certificate.signer import SigningCertificate
from azcert.entra.aadsts import CERTIFICATE_REJECTED
from azcert.errors import AuthenticationError, RegistrationError, SelectionError
from azcert.rotation.begin import accepted, begin, begun_otherwise
from azcert.rotation.due import SHARE, due_at
from azcert.rotation.lost import can_be_undone, is_lost, successor_elsewhere
from azcert.rotation.plan import Step, first_step, next_step
from azcert.rotation.staged import made_for, make_staged
from azcert.rotation.successor import request_for, self_signed_after

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.certificate.model import Certificate
    from azcert.rotation.place import Place
    from azcert.rotation.prover import Prover
    from azcert.rotation.records.journal import Journal
    from azcert.rotation.records.record import Record
    from azcert.rotation.registrar import Registrar
    from azcert.rotation.successor import Answer

__all__ = ["Rotation", "Rules"]

_UNHEARD = 300.0
"""Seconds after which a certificate would sign in everywhere, had the addition nobody heard of been done."""

_REFUSALS = range(400, 500)


@dataclass(frozen=True)
class Rules:
    """How a rotation goes.

    :param overlap: seconds the old certificate stays registered after the switch.
    :param days: validity of the successor; as long as its predecessor's without it.
    :param share: share of the life after which a certificate is due.
    :param by_authority: begin with a request for an authority, instead of a self-signed certificate.
    """

    overlap: float = 3600.0
    days: int | None = None
    share: float = SHARE
    by_authority: bool = False


class Rotation:
    """The rotation of one source.

    :param record: keeps the journal.
    :param told: hears each step before it is done.
    """

    def __init__(
        self,
        place: Place,
        registrar: Registrar,
        prover: Prover,
        record: Record,
        *,
        rules: Rules | None = None,
        told: Callable[[Step], None] | None = None,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._place = place
        self._registrar = registrar
        self._prover = prover
        self._record = record
        self._rules = rules or Rules()
        self._told = told
        self._now = now
        self._sleep = sleep
        self.left_registered: str | None = None
        """The thumbprint of a certificate that could not be taken off the application: the application may
        not read itself, and nobody knows the id under which it was registered."""

    def is_due(self) -> bool:
        """Tell whether a rotation has begun, or the certificate in use is due for one."""
        return self._record.read() is not None or self._moment() >= self.due_at()

    def due_at(self) -> dt.datetime:
        """Return the moment from which on the certificate in use is due for its successor."""
        return due_at(self._place.current(), share=self._rules.share)

    def next_step(self, answer: Answer | None = None) -> Step:
        """Return what `run` would do first.

        :raises azcert.errors.AzcertError: the *answer* would be refused.
        """
        journal = self._record.read()
        if answer is not None and (journal is None or self._next(journal) is not Step.UNDO):
            journal = self._accepted(journal, answer)
            return self._next(journal) if journal else Step.DONE
        return self._next(journal) if journal else first_step(by_authority=self._rules.by_authority)

    def request(self) -> str | None:
        """Return the request that an authority is asked to answer, as PEM; None where there is none."""
        journal = self._record.read()
        return journal.request if journal else None

    def run(self, *, force: bool = False, answer: Answer | None = None) -> Step | None:
        """Take step after step until there is nothing but to wait.

        :param force: begin though the certificate is not due yet.
        :param answer: what the authority returned.
        :return: `Step.DONE`, or what is waited for: `Step.ANSWER` or `Step.WAIT`; None where nothing is due.
        :raises azcert.errors.AzcertError: a step failed; the certificate in use still signs in, and the
            next run goes on from here.
        """
        with self._record.alone():
            self._take_back_superseded()
            journal = self._record.read()
            if journal is not None and self._next(journal) is Step.UNDO:
                self._tell(Step.UNDO)
                self._undo(journal)
                journal = None
            if answer is not None:
                journal = self._accepted(journal, answer)
            elif journal is None and (force or self.is_due()):
                by_authority = self._rules.by_authority
                journal = begin(self._place, self._registrar, self._record, by_authority=by_authority)
            if journal is None and answer is not None:
                self._tell(Step.DONE)
                return Step.DONE
            if journal is None:
                return None
            if self._rules.by_authority and not journal.by_authority:
                raise begun_otherwise(self._place)
            self._record.write(journal)
            while True:
                step = next_step(journal, now=self._now(), overlap=self._rules.overlap)
                self._tell(step)
                if step in {Step.ANSWER, Step.WAIT}:
                    return step
                if step is Step.DONE:
                    self._record.finish(journal)
                    return step
                self._record.hold()
                journal = _DO[step](self, journal)
                self._record.write(journal)

    def abort(self) -> bool:
        """Undo a rotation whose successor is not in use yet; return False where there is nothing to undo."""
        with self._record.alone():
            journal = self._record.read()
            if journal is None or not can_be_undone(journal, self._place):
                return False
            self._undo(journal)
            return True

    def _tell(self, step: Step) -> None:
        if self._told is not None:
            self._told(step)

    def _next(self, journal: Journal) -> Step:
        lost = journal.switched_at is None and is_lost(journal, self._place)
        return next_step(journal, now=self._now(), overlap=self._rules.overlap, lost=lost)

    def _undo(self, journal: Journal) -> None:
        self._record.hold()
        self._unregister(journal)
        self._place.discard(journal.staged)
        self._record.drop()

    def _take_back_superseded(self) -> None:
        journal = self._record.superseded()
        if journal is not None:
            self._tell(Step.UNDO)
            self._unregister(journal)
        self._record.settle()

    def _unregister(self, journal: Journal) -> None:
        """Take the successor off the application again, if it was put there."""
        if journal.successor is not None and (journal.asked_at or journal.key_id):
            self._take_off(journal.successor.thumbprint, journal.key_id)

    def _take_off(self, thumbprint: str, key_id: str | None) -> None:
        if not self._registrar.take_off(thumbprint, key_id):
            self.left_registered = thumbprint

    def _accepted(self, journal: Journal | None, answer: Answer) -> Journal | None:
        return accepted(journal, answer, self._place, now=self._moment())

    def _make(self, journal: Journal) -> Journal:
        old = self._place.current()
        with closing(make_staged(journal.staged, like=old, password=self._place.next_password())) as key:
            made = self_signed_after(old, key.signer, days=self._rules.days, now=self._moment())
        self._sleep(max(0.0, made.not_before.timestamp() - self._now()))
        return journal.with_successor(made)

    def _request(self, journal: Journal) -> Journal:
        old = self._place.current()
        with closing(make_staged(journal.staged, like=old, password=self._place.next_password())) as key:
            return replace(journal, request=request_for(old, key.signer))

    def _register(self, journal: Journal) -> Journal:
        successor = _made(journal)
        unheard = journal.asked_at is not None and not self._registrar.key_ids(successor.thumbprint)
        if unheard and not self._registrar.sees_all and self._signs_in(journal, successor):
            return replace(journal, proven_at=self._now())
        # Before it is done: stopped on the way, the next run knows that it may have been.
        journal = replace(journal, asked_at=self._now())
        self._record.write(journal)
        try:
            return replace(journal, key_id=self._registrar.add(successor))
        except RegistrationError as error:
            if error.details.get("status") in _REFUSALS:
                self._record.write(replace(journal, asked_at=None))
            raise

    def _signs_in(self, journal: Journal, successor: Certificate) -> bool:
        """Tell whether the addition that nobody heard of was done: only then the certificate signs in."""
        assert journal.asked_at is not None, "it was asked for"  # noqa: S101
        try:
            self._try(journal, successor, patience=journal.asked_at + _UNHEARD - self._now())
        except AuthenticationError as error:
            if error.aadsts not in CERTIFICATE_REJECTED:
                raise
            return False
        return True

    def _prove(self, journal: Journal) -> Journal:
        self._try(journal, _made(journal))
        return replace(journal, proven_at=self._now())

    def _try(self, journal: Journal, successor: Certificate, *, patience: float | None = None) -> None:
        with closing(made_for(journal.staged, successor, password=self._place.password)) as key:
            self._prover.prove(SigningCertificate(successor, key.signer), patience=patience)

    def _switch(self, journal: Journal) -> Journal:
        successor = _made(journal)
        self._place.switch(journal.staged, successor)
        used = self._place.current()
        if used.thumbprint != successor.thumbprint:
            raise SelectionError(
                f"{self._place.name} gives {used.thumbprint}, not the successor {successor.thumbprint}.",
                code="not-switched",
                remedy="Remove what is newer than the successor, then run azcert rotate again.",
                source=self._place.name,
            )
        return replace(journal, switched_at=self._now())

    def _retire(self, journal: Journal) -> Journal:
        if self._place.current().thumbprint == journal.old:
            raise successor_elsewhere(journal, self._place)
        self._take_off(journal.old, journal.old_key_id)
        self._place.retire(journal.old)
        return replace(journal, retired_at=self._now())

    def _moment(self) -> dt.datetime:
        return dt.datetime.fromtimestamp(self._now(), dt.UTC)


def _made(journal: Journal) -> Certificate:
    successor = journal.successor
    assert successor is not None, "the plan asks for it only after it was made"  # noqa: S101
    return successor


_DO: dict[Step, Callable[[Rotation, Journal], Journal]] = {
    Step.MAKE: Rotation._make,
    Step.REQUEST: Rotation._request,  # noqa: SLF001
    Step.REGISTER: Rotation._register,  # noqa: SLF001
    Step.PROVE: Rotation._prove,  # noqa: SLF001
    Step.SWITCH: Rotation._switch,  # noqa: SLF001
    Step.RETIRE: Rotation._retire,  # noqa: SLF001
}
