"""Where a cache of a test is, so that another object or another process can open the same one."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from support import cache_worker

if TYPE_CHECKING:
    from azcert.credential.caches.entry import TokenCache

__all__ = ["Place", "result_of"]

_WORKER = Path(cache_worker.__file__)


@dataclass(frozen=True)
class Place:
    """One cache's kind and address; *folder* is where its files are, if it has any."""

    kind: str
    where: str
    key_file: str
    folder: Path

    def open(self, **options: int) -> TokenCache:
        """Return a new object for this cache."""
        return cache_worker.make_cache(self.kind, self.where, self.key_file, **options)

    def start(self, action: str, *arguments: str) -> subprocess.Popen[str]:
        """Start another process that uses this cache."""
        return subprocess.Popen(
            [sys.executable, str(_WORKER), self.kind, self.where, self.key_file, action, *arguments],
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, action: str, *arguments: str) -> Any:
        """Let another process use this cache; return what it says."""
        return result_of(self.start(action, *arguments))


def result_of(process: subprocess.Popen[str]) -> Any:
    """Return what a worker prints; it must end well."""
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return json.loads(output)
