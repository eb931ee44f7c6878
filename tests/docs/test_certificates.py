"""Every command of docs/certificates.md is typed, and prints what the page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from support.console import ROOT, run_page

if TYPE_CHECKING:
    from pathlib import Path


def test_the_page_about_certificates_is_true(tmp_path: Path) -> None:
    assert run_page(ROOT / "docs" / "certificates.md", tmp_path) >= 15
