"""Headless Chromium: what a page becomes in a browser, read and pictured. It gets no network."""

from __future__ import annotations

import subprocess
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Reader", "dom", "screenshot"]

_FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--disable-dev-shm-usage", "--host-resolver-rules=MAP * ~NOTFOUND"),
)


def dom(page: Path, folder: Path) -> str:
    """Return the document Chromium makes of *page*."""
    return _chromium(page, folder, "--dump-dom")


def screenshot(page: Path, folder: Path, *, width: int = 1280, height: int = 1600) -> Path:
    """Return a picture of *page*."""
    picture = folder / f"{page.stem}.png"
    _chromium(page, folder, f"--window-size={width},{height}", f"--screenshot={picture}")
    return picture


def _chromium(page: Path, folder: Path, *options: str) -> str:
    profile = f"--user-data-dir={folder / 'chromium'}"
    done = subprocess.run(
        ["chromium", *_FLAGS, profile, *options, page.as_uri()],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    )
    return done.stdout


class Reader(HTMLParser):
    """Collects a page's text, tags, and everything that would be loaded or run."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            if name in {"src", "href", "xlink:href", "action", "data"}:
                self.addresses.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.words.append(data.strip())
