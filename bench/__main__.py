"""Measure and print one table.

    python -m bench [--runs N] [--only NAME] [--markdown FILE]

``--only`` picks by name: importing, second_process, calling, remembering, herds, fleets, asking, signing,
javascript, devices, lookups, secrets, files.
``--markdown`` also writes the table and the machine between the two marks in FILE.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from bench import places, settings
from bench.rows import Row, measure
from bench.setting import setting
from bench.table import HEADINGS, cells, machine, markdown

_BEGIN, _END = "<!-- figures: begin -->", "<!-- figures: end -->"
_WIDTHS = (48, 20, 20, 23, 8, 12)


def main() -> int:
    """Print the table; the exit code is 1 where an aim was missed."""
    options = argparse.ArgumentParser(prog="python -m bench", description="Speed, as ratios to named peers.")
    options.add_argument("--runs", type=int, default=5, help="how often each figure is taken (5)")
    options.add_argument("--only", default="", help="measurements whose name contains this")
    options.add_argument(
        "--markdown", type=Path, help="also write the table into this file, between its marks"
    )
    given = options.parse_args()
    load = os.getloadavg()[0]
    print(machine())
    print("Figures: median (least) of several runs.", end=" ")
    print(f"Load before: {load:.1f}." + (" Something else is running: wait for it." if load > 1 else ""))
    _line(HEADINGS)
    rows: list[Row] = []
    with setting() as place:
        for measured in (measure, places.measure, settings.measure):
            for row in measured(place, given.runs, given.only):
                rows.append(row)
                _line(cells(row))
    if given.markdown:
        _write(given.markdown, f"{markdown(rows)}\n\nMeasured on: {machine()}")
    return 1 if any(row.met is False for row in rows) else 0


def _line(texts: tuple[str, ...]) -> None:
    print(
        "  ".join(text.ljust(width) for text, width in zip(texts, _WIDTHS, strict=True)).rstrip(), flush=True
    )


def _write(path: Path, text: str) -> None:
    before, begin, rest = path.read_text().partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        sys.exit(f"{path} does not have the marks {_BEGIN} and {_END}")
    path.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{after}")


if __name__ == "__main__":
    sys.exit(main())
