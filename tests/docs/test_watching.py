"""Every command of the pages about watching and migrating is typed, and prints what the page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.console import ROOT, run_page

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(("page", "commands"), [("watching.md", 8), ("migrating.md", 6)])
def test_the_pages_are_true(tmp_path: Path, page: str, commands: int) -> None:
    assert run_page(ROOT / "docs" / page, tmp_path) == commands
