"""The pages on registering and rotating: their commands are typed, the diagram is the plan's."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from azcert.rotation.plan import MEANING, Step, next_step
from azcert.rotation.records.journal import Journal
from support.console import ROOT, run_page

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "rotating.md"

# What each step writes into the journal.
WRITES: dict[Step, dict[str, object]] = {
    Step.MAKE: {"certificate": "PEM"},
    Step.REQUEST: {"request": "PEM"},
    Step.ANSWER: {"certificate": "PEM"},
    Step.REGISTER: {"key_id": "id"},
    Step.PROVE: {"proven_at": 0.0},
    Step.SWITCH: {"switched_at": 0.0},
    Step.RETIRE: {"retired_at": 0.0},
}


def way(*, by_authority: bool) -> list[str]:
    """Walk through the plan and draw the way."""
    journal, now = Journal("source", "old", None, "staged", by_authority=by_authority), 0.0
    step = next_step(journal, now=now, overlap=1)
    lines = [f"    [*] --> {step}"]
    while step is not Step.DONE:
        lines.append(f"    {step}: {step} - {MEANING[step]}")
        if next_step(journal, now=now, overlap=1, lost=True) is Step.UNDO:
            lines.append(f"    {step} --> undo")
        if step is Step.WAIT:
            now = 2.0
        else:
            journal = replace(journal, **WRITES[step])  # type: ignore[arg-type]  # one field each
        following = next_step(journal, now=now, overlap=1)
        lines.append(f"    {step} --> {following if following is not Step.DONE else '[*]'}")
        step = following
    return lines


def diagram() -> str:
    """Draw both ways, what they have in common once."""
    lines = [*way(by_authority=False), *way(by_authority=True)]
    undo = [f"    undo: undo - {MEANING[Step.UNDO]}", "    undo --> [*]"]
    return "\n".join(["stateDiagram-v2", *dict.fromkeys(lines), *undo])


def test_the_diagram_is_the_plan() -> None:
    (shown,) = re.findall(r"```mermaid\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert shown == diagram()


def test_the_commands_on_rotating_print_what_the_page_shows(tmp_path: Path) -> None:
    assert run_page(PAGE, tmp_path) == 9


def test_the_commands_on_registering_print_what_the_page_shows(tmp_path: Path) -> None:
    assert run_page(ROOT / "docs" / "registering.md", tmp_path) == 5
