"""The next step of a rotation, from what its journal says and the time: pure."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azcert.rotation.journal import Journal

__all__ = ["MEANING", "Step", "next_step", "remaining_steps"]


class Step(StrEnum):
    """What is done next. In every one of them, the certificate in use can sign in."""

    MAKE = "make"
    REGISTER = "register"
    PROVE = "prove"
    SWITCH = "switch"
    WAIT = "wait"
    RETIRE = "retire"
    DONE = "done"


MEANING = {
    Step.MAKE: "make a new key and certificate in the same place, not in use yet",
    Step.REGISTER: "put the new certificate on the app registration, beside the old one",
    Step.PROVE: "sign in with the new certificate until it works several times in a row",
    Step.SWITCH: "make the new certificate the one in use",
    Step.WAIT: "keep the old one registered for programs that still hold it",
    Step.RETIRE: "take the old certificate off the app registration",
    Step.DONE: "nothing is left to do",
}


def next_step(journal: Journal, *, now: float, overlap: float) -> Step:
    """Return what comes next.

    :param now: seconds since the epoch.
    :param overlap: seconds the old certificate stays registered after the switch.
    """
    if journal.certificate is None:
        return Step.MAKE
    if journal.key_id is None and journal.proven_at is None:
        return Step.REGISTER
    if journal.proven_at is None:
        return Step.PROVE
    if journal.switched_at is None:
        return Step.SWITCH
    if journal.retired_at is not None:
        return Step.DONE
    return Step.WAIT if now < journal.switched_at + overlap else Step.RETIRE


def remaining_steps(step: Step) -> list[Step]:
    """Return *step* and those that follow it."""
    steps = list(Step)
    return steps[steps.index(step) :]
