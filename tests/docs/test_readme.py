"""The README's tour works as written."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from support.console import ROOT, run_page

if TYPE_CHECKING:
    from pathlib import Path


def test_every_line_of_the_tour_does_what_the_readme_shows(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    assert run_page(ROOT / "README.md", tmp_path) >= 6
