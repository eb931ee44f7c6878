"""What of OData's queries Graph's directory objects understand: $filter, $select, $top.

https://learn.microsoft.com/graph/filter-query-parameter
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from azcert.emulator.graph import faults
from azcert.emulator.graph.faults import GraphRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

    Condition = Callable[[dict[str, Any]], bool]

__all__ = ["parse_filter", "parse_top", "selected"]

DEFAULT_TOP, MAX_TOP = 100, 999
MAX_DEPTH = 20

_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<name>[A-Za-z_][\w./-]*)|(?P<number>\d[\w:.+-]*)|(?P<mark>[(),:]))"
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda mine, theirs: bool(mine == theirs),
    "ne": lambda mine, theirs: bool(mine != theirs),
    "ge": lambda mine, theirs: mine is not None and bool(mine >= theirs),
    "le": lambda mine, theirs: mine is not None and bool(mine <= theirs),
    "gt": lambda mine, theirs: mine is not None and bool(mine > theirs),
    "lt": lambda mine, theirs: mine is not None and bool(mine < theirs),
}
_CONSTANTS = {"null": None, "true": True, "false": False}


def parse_filter(text: str) -> Condition:
    """Return the condition that a ``$filter`` says. Text is compared without regard to case, as Graph does.

    :raises GraphRefusal: it is not understood.
    """
    parser = _Parser(text)
    condition = parser.either(0)
    parser.expect_end()
    return condition


def parse_top(text: str | None) -> int:
    """Return the page size that ``$top`` says.

    :raises GraphRefusal: it is not a number from 1 to 999.
    """
    if text is None:
        return DEFAULT_TOP
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= MAX_TOP:
        raise GraphRefusal(faults.QUERY, name="$top", value=text)
    return int(text)


def selected(shown: dict[str, Any], select: str | None) -> dict[str, Any]:
    """Return the members of *shown* that ``$select`` names, all without it."""
    if not select:
        return shown
    wanted = {name.strip() for name in select.split(",")}
    return {name: value for name, value in shown.items() if name in wanted or name.startswith("@")}


class _Parser:
    """Recursive descent over the tokens of one filter."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str]] = []
        at = 0
        while text[at:].strip():
            found = _TOKEN.match(text, at)
            if found is None:
                raise GraphRefusal(faults.FILTER, reason=f"at position {at}")
            self._tokens.append((str(found.lastgroup), found[str(found.lastgroup)]))
            at = found.end()
        self._at = 0

    def expect_end(self) -> None:
        if self._at < len(self._tokens):
            raise GraphRefusal(faults.FILTER, reason=f"unexpected {self._tokens[self._at][1]}")

    def either(self, depth: int) -> Condition:
        if depth > MAX_DEPTH:
            raise GraphRefusal(faults.FILTER, reason="too many parentheses")
        conditions = [self._both(depth)]
        while self._take("or"):
            conditions.append(self._both(depth))
        return lambda found: any(condition(found) for condition in conditions)

    def _both(self, depth: int) -> Condition:
        conditions = [self._one(depth)]
        while self._take("and"):
            conditions.append(self._one(depth))
        return lambda found: all(condition(found) for condition in conditions)

    def _one(self, depth: int) -> Condition:
        if self._take("not"):
            denied = self._one(depth + 1) if depth < MAX_DEPTH else self.either(depth + 1)
            return lambda found: not denied(found)
        if self._take("("):
            inner = self.either(depth + 1)
            self._need(")")
            return inner
        kind, name = self._next()
        if kind != "name":
            raise GraphRefusal(faults.FILTER, reason=f"unexpected {name}")
        if name in {"startswith", "endswith"}:
            return self._affix(name)
        if name.endswith("/any"):
            return self._any(name.removesuffix("/any"))
        return self._comparison(name)

    def _affix(self, name: str) -> Condition:
        self._need("(")
        member = self._next()[1]
        self._need(",")
        value = str(self._value())
        self._need(")")
        test = str.startswith if name == "startswith" else str.endswith
        return lambda found: test(str(_folded(_member(found, member)) or ""), value)

    def _any(self, member: str) -> Condition:
        self._need("(")
        self._next()
        self._need(":")
        self._next()
        if not self._take("eq"):
            raise GraphRefusal(faults.FILTER, reason="any() is understood with eq only")
        value = self._value()
        self._need(")")
        return lambda found: value in [_folded(item) for item in _member(found, member) or ()]

    def _comparison(self, member: str) -> Condition:
        word = self._next()[1]
        if word == "in":
            self._need("(")
            values = [self._value()]
            while self._take(","):
                values.append(self._value())
            self._need(")")
            return lambda found: _folded(_member(found, member)) in values
        if word not in _COMPARE:
            raise GraphRefusal(faults.FILTER, reason=f"operator {word}")
        value, compare = self._value(), _COMPARE[word]
        return lambda found: compare(_folded(_member(found, member)), value)

    def _value(self) -> Any:
        kind, text = self._next()
        if kind == "text":
            return _folded(text[1:-1].replace("''", "'"))
        if kind == "number":
            return _folded(text)
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        raise GraphRefusal(faults.FILTER, reason=f"unexpected {text}")

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise GraphRefusal(faults.FILTER, reason="it ends too early")
        self._at += 1
        return self._tokens[self._at - 1]

    def _take(self, text: str) -> bool:
        if self._at < len(self._tokens) and self._tokens[self._at][1] == text:
            self._at += 1
            return True
        return False

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise GraphRefusal(faults.FILTER, reason=f"{text} is missing")


def _member(found: dict[str, Any], path: str) -> Any:
    value: Any = found
    for name in path.split("/"):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value
