"""The benchmark: what its table says, and that one short run of it measures both libraries."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from bench.rows import Figures, Row
from bench.table import cells, machine, markdown

from support.console import ROOT

if TYPE_CHECKING:
    from pathlib import Path


def row(ours: list[float], theirs: list[float], **more: object) -> Row:
    return Row("what", "s", Figures(ours), Figures(theirs), **more)  # type: ignore[arg-type] # keywords of Row


def test_a_ratio_is_of_medians_and_the_least_stands_in_brackets() -> None:
    line = cells(row([0.2, 0.1, 0.6], [0.4, 0.4, 9.0], aim=0.6))
    assert line == ("what", "200 ms (100 ms)", "400 ms (400 ms)", "azure-identity", "0.50", "≤ 0.60 met")


@pytest.mark.parametrize(
    ("ours", "more_is_better", "met"),
    [(1.0, False, True), (3.0, False, False), (3.0, True, True), (1.0, True, False)],
)
def test_an_aim_is_met_on_the_right_side(ours: float, more_is_better: bool, met: bool) -> None:
    assert row([ours], [2.0], aim=0.85, more_is_better=more_is_better).met is met
    assert row([ours], [2.0]).met is None


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0123, "s", "12 ms"),
        (25.04, "s", "25.0 s"),
        (281.7, "ns", "282 ns"),
        (19200, "ns", "19.2 µs"),
        (27600000, "ns", "27.6 ms"),
        (819.2, "bytes", "819 bytes"),
        (3925.1, "/s", "3,925/s"),
        (100, "", "100"),
    ],
)
def test_figures_have_their_unit(value: float, unit: str, text: str) -> None:
    assert cells(Row("what", unit, Figures([value]), Figures([value])))[1] == text


def test_the_markdown_has_a_heading_and_a_line_for_each_row() -> None:
    lines = markdown([row([1.0], [2.0]), row([1.0], [4.0])]).splitlines()
    assert len(lines) == 4
    assert all(line.count("|") == lines[0].count("|") for line in lines)


def test_the_machine_is_named_with_its_versions() -> None:
    text = machine()
    assert "azure-identity 1." in text
    assert "Python 3." in text


def test_a_short_run_measures_both_and_writes_the_page(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("before\n<!-- figures: begin -->\nold\n<!-- figures: end -->\nafter\n")
    done = subprocess.run(
        [sys.executable, "-m", "bench", "--only", "herds", "--runs", "1", "--markdown", str(page)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    text = page.read_text()
    assert "| herd of 100 threads: requests | 1 |" in text
    assert "| herd of 100 tasks: requests | 1 | 100 |" in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "old" not in text
