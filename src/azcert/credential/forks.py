"""What must be made anew in a forked child: locks another thread may have held, flights, connections."""

from __future__ import annotations

import os
import weakref
from typing import Protocol

__all__ = ["renew_after_fork"]


class _Renewable(Protocol):
    def _after_fork(self) -> None: ...


_known: weakref.WeakSet[_Renewable] = weakref.WeakSet()


def renew_after_fork(thing: _Renewable) -> None:
    """Have ``_after_fork`` called in each child forked while *thing* lives."""
    _known.add(thing)


def _in_child() -> None:
    for thing in list(_known):
        thing._after_fork()  # noqa: SLF001  (private to users, not to this room)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
