"""The emulator's page works as written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.console import ROOT, run_page

if TYPE_CHECKING:
    from pathlib import Path


def test_every_command_of_the_page_does_what_it_shows(tmp_path: Path) -> None:
    assert run_page(ROOT / "docs" / "emulator.md", tmp_path) >= 15
