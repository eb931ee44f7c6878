"""The table, as text for a terminal and as Markdown for the documentation."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import ssl
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.rows import Figures, Row

__all__ = ["HEADINGS", "cells", "machine", "markdown"]

HEADINGS = ("what", "azcert", "the other", "which other", "ratio", "aim")


def cells(row: Row) -> tuple[str, ...]:
    """Return one row's texts; a figure is its median, and the least of its runs in brackets."""
    aim = ""
    if row.aim is not None:
        sign = "≥" if row.more_is_better else "≤"
        aim = f"{sign} {_short(row.aim)} {'met' if row.met else 'MISSED'}"
    return (
        row.name,
        _figure(row.ours, row.unit),
        _figure(row.theirs, row.unit),
        row.against,
        _short(row.ratio),
        aim,
    )


def markdown(rows: Iterable[Row]) -> str:
    """Return the whole table as Markdown."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(cells(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> str:
    """Return what was measured on, and with which versions."""
    versions = ", ".join(
        f"{name} {importlib.metadata.version(name)}"
        for name in ("azure-identity", "msal", "azure-core", "cryptography", "redis")
    )
    redis = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"v=(\S+)", redis)
    kernel = ".".join(platform.release().split(".")[:2])
    return (
        f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {kernel}; "
        f"Python {platform.python_version()} with {ssl.OPENSSL_VERSION}; {versions}; "
        f"redis-server {found[1] if found else 'unknown'}."
    )


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    found = re.search(r"^model name\s*: (.*)$", text, re.MULTILINE)
    return found[1] if found else platform.machine()


def _figure(figures: Figures, unit: str) -> str:
    middle = _scaled(figures.middle, unit)
    return middle if len(figures.runs) == 1 else f"{middle} ({_scaled(figures.least, unit)})"


def _scaled(value: float, unit: str) -> str:
    if unit == "s":
        return f"{value * 1000:.0f} ms" if value < 10 else f"{value:.1f} s"
    if unit == "ns":
        for size, name in ((1e6, "ms"), (1e3, "µs")):
            if value >= size:
                return f"{value / size:.3g} {name}"
        return f"{value:.0f} ns"
    return f"{value:,.0f}{unit if unit.startswith('/') else f' {unit}'.rstrip()}"


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}" if value < 0.1 else f"{value:.2f}"
