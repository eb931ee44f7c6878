"""One moment and one set of keys for tests about certificates."""

from __future__ import annotations

import datetime as dt
import functools
from typing import TYPE_CHECKING

from corpus.material import Material, certificate_pem, key_pem

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NOW", "material", "write_app"]

NOW = dt.datetime(2031, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
"""The moment at which `material`'s good certificates are valid."""


@functools.cache
def material() -> Material:
    """Return keys and certificates, made once for the whole process."""
    return Material(NOW)


def write_app(path: Path, *, password: str | None = None) -> Path:
    """Write the good key and certificate to *path* as PEM, mode 0600."""
    made = material()
    path.write_bytes(key_pem(made.key, password=password) + certificate_pem(made.leaf))
    path.chmod(0o600)
    return path
