"""Every command of the pages about places for keys is typed, and prints what the page shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.console import ROOT, run_page

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("page", "commands"),
    [("pkcs11.md", 8), ("tpm.md", 11), ("key-vault-keys.md", 2), ("choosing-a-place.md", 2)],
)
def test_the_pages_are_true(tmp_path: Path, page: str, commands: int) -> None:
    assert run_page(ROOT / "docs" / page, tmp_path) >= commands


def test_what_was_not_run_is_not_shown_as_if_it_had_been() -> None:
    assert "```console" not in (ROOT / "docs" / "windows.md").read_text(encoding="utf-8")
