"""The pages on registering and rotating: their commands are typed, the diagram is the plan's."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from azcert.rotation.journal import Journal
from azcert.rotation.plan import MEANING, Step, next_step
from support.console import ROOT, run_page

if TYPE_CHECKING:
    from pathlib import Path

PAGE = ROOT / "docs" / "rotating.md"

# What each step writes into the journal.
WRITES = {
    Step.MAKE: {"certificate": "PEM"},
    Step.REGISTER: {"key_id": "id"},
    Step.PROVE: {"proven_at": 0.0},
    Step.SWITCH: {"switched_at": 0.0},
    Step.RETIRE: {"retired_at": 0.0},
}


def diagram() -> str:
    """Walk through the plan and draw the way."""
    journal, now = Journal("source", "old", None, "staged"), 0.0
    step = next_step(journal, now=now, overlap=1)
    lines = ["stateDiagram-v2", f"    [*] --> {step}"]
    while step is not Step.DONE:
        lines.append(f"    {step}: {step} - {MEANING[step]}")
        if step is Step.WAIT:
            now = 2.0
        else:
            journal = replace(journal, **WRITES[step])  # type: ignore[arg-type]  # one field each
        following = next_step(journal, now=now, overlap=1)
        lines.append(f"    {step} --> {following if following is not Step.DONE else '[*]'}")
        step = following
    return "\n".join(lines)


def test_the_diagram_is_the_plan() -> None:
    (shown,) = re.findall(r"```mermaid\n(.*?)\n```", PAGE.read_text(), re.DOTALL)
    assert shown == diagram()


def test_the_commands_on_rotating_print_what_the_page_shows(tmp_path: Path) -> None:
    assert run_page(PAGE, tmp_path) == 5


def test_the_commands_on_registering_print_what_the_page_shows(tmp_path: Path) -> None:
    assert run_page(ROOT / "docs" / "registering.md", tmp_path) == 5
