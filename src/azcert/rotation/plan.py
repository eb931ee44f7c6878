"""The next step of a rotation, from what its journal says and the time: pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azcert.rotation.records.journal import Journal

__all__ = ["MEANING", "Step", "first_step", "next_step", "remaining_steps"]


class Step(StrEnum):
    """What is done next. In every one of them, the certificate in use can sign in."""

    MAKE = "make"
    REQUEST = "request"
    ANSWER = "answer"
    REGISTER = "register"
    PROVE = "prove"
    SWITCH = "switch"
    WAIT = "wait"
    RETIRE = "retire"
    DONE = "done"
    UNDO = "undo"


MEANING = {
    Step.MAKE: "make a new key and certificate in the same place, not in use yet",
    Step.REQUEST: "make a new key in the same place, and the request for its certificate",
    Step.ANSWER: "wait for the certificate from the authority, which --accept takes",
    Step.REGISTER: "put the new certificate on the app registration, beside the old one",
    Step.PROVE: "sign in with the new certificate until it works several times in a row",
    Step.SWITCH: "make the new certificate the one in use",
    Step.WAIT: "keep the old one registered for programs that still hold it",
    Step.RETIRE: "take the old certificate off the app registration",
    Step.DONE: "nothing is left to do",
    Step.UNDO: "take back what was begun: its key is gone, or another certificate is in use by now",
}


def first_step(*, by_authority: bool) -> Step:
    """Return how a rotation begins."""
    return Step.REQUEST if by_authority else Step.MAKE


def next_step(journal: Journal, *, now: float, overlap: float, lost: bool = False) -> Step:
    """Return what comes next.

    :param now: seconds since the epoch.
    :param overlap: seconds the old certificate stays registered after the switch.
    :param lost: the successor cannot be made the one in use any more.
    """
    if journal.switched_at is None:
        return Step.UNDO if lost else _before_the_switch(journal)
    if journal.retired_at is not None:
        return Step.DONE
    return Step.WAIT if now < journal.switched_at + overlap else Step.RETIRE


def _before_the_switch(journal: Journal) -> Step:
    if journal.certificate is None:
        return first_step(by_authority=journal.by_authority) if journal.request is None else Step.ANSWER
    if journal.proven_at is not None:
        return Step.SWITCH
    return Step.REGISTER if journal.key_id is None else Step.PROVE


def remaining_steps(step: Step) -> list[Step]:
    """Return *step* and those that follow it until all is done."""
    if step is Step.UNDO:
        return [step]
    # A rotation that makes its certificate asks nobody for it.
    skipped = {Step.UNDO, Step.REQUEST, Step.ANSWER} if step is Step.MAKE else {Step.UNDO}
    steps = list(Step)
    return [each for each in steps[steps.index(step) :] if each not in skipped]
