"""Names of a module that are imported when they are first used: start-up time is felt by every process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["late"]


def late(name: str, homes: Mapping[str, str], module: dict[str, Any]) -> Any:
    """Return what *module*'s ``__getattr__`` is asked for (PEP 562), and put it where it is found next time.

    :param homes: the module in which each name is defined.
    :param module: the ``globals()`` of the one that is asked.
    :raises AttributeError: it has no such name.
    """
    if name not in homes:
        raise AttributeError(f"module {module['__name__']!r} has no attribute {name!r}")
    from importlib import import_module

    value = module[name] = getattr(import_module(homes[name]), name)
    return value
