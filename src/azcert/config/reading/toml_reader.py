"""TOML with the same keys. The standard library's reader tells no lines, so a second look finds them."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
from typing import TYPE_CHECKING, Any

from azcert.config.reading.json_reader import MAX_DEPTH, MalformedError, Node

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_toml"]

_AT = re.compile(r"\(at line (\d+), column (\d+)\)")
_HEADER = re.compile(r"\s*(\[\[?)([^\[\]]+)\]\]?\s*(?:#.*)?")
_KEY = re.compile(r"""\s*((?:[\w.\- ]|"[^"\\]*"|'[^']*')+?)\s*=""")

_Path = tuple[str, ...]


def read_toml(text: str) -> Node:
    """Return the table that *text* is.

    :raises MalformedError: it is no TOML.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = _AT.search(str(error))
        reason = _AT.sub("", str(error)).strip().rstrip(".")
        line, column = (int(place[1]), int(place[2])) if place else (None, None)
        raise MalformedError(f"This is no TOML: {reason}.", line, column) from None
    except (RecursionError, ValueError):
        raise MalformedError("This TOML cannot be read: a value is nested too deeply or too long.") from None
    return _node(table, (), _lines(text), None, 1)


def _node(value: Any, path: _Path, lines: Mapping[_Path, int], above: int | None, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise MalformedError(f"The values are nested deeper than {MAX_DEPTH}.", above)
    line = lines.get(path, above)
    if isinstance(value, dict):
        return Node(
            line,
            pairs=tuple(
                (key, lines.get((*path, key), line), _node(each, (*path, key), lines, line, depth + 1))
                for key, each in value.items()
            ),
        )
    if isinstance(value, list):
        return Node(
            line,
            items=tuple(
                _node(each, (*path, str(index)), lines, line, depth + 1) for index, each in enumerate(value)
            ),
        )
    if isinstance(value, dt.date | dt.time):
        return Node(line, text=value.isoformat(), native=value.isoformat())
    return Node(line, text=str(value), native=value)


def _lines(text: str) -> dict[_Path, int]:
    """Return the line on which each key seems to be written; it may see keys in multi-line strings."""
    lines: dict[_Path, int] = {}
    counts: dict[_Path, int] = {}
    table: _Path = ()
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.fullmatch(line)
        if header is not None:
            table = _indexed(_path(header[2]), counts, several=header[1] == "[[")
            lines.setdefault(table, number)
            continue
        key = _KEY.match(line)
        if key is not None:
            path = _path(key[1])
            for length in range(1, len(path) + 1):
                lines.setdefault(table + path[:length], number)
    return lines


def _indexed(path: _Path, counts: dict[_Path, int], *, several: bool) -> _Path:
    found: _Path = ()
    for position, part in enumerate(path):
        found = (*found, part)
        if several and position == len(path) - 1:
            counts[found] = counts.get(found, -1) + 1
        if found in counts:
            found = (*found, str(counts[found]))
    return found


def _path(text: str) -> _Path:
    """Return the keys that a dotted key consists of; an empty path if it is none."""
    try:
        value: Any = tomllib.loads(f"{text} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    path: list[str] = []
    while isinstance(value, dict):
        key = next(iter(value))
        path.append(key)
        value = value[key]
    return tuple(path)
