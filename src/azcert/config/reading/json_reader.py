"""JSON as .NET's configuration reads it: strict, but with comments and trailing commas; lines are kept.

``JsonConfigurationFileParser`` sets ``CommentHandling = Skip`` and ``AllowTrailingCommas = true`` and leaves
the depth at 64; everything else is RFC 8259. No kept library on PyPI reads this dialect and tells lines.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azcert.config.reading.origin import Scalar

__all__ = ["MalformedError", "Node", "read_json"]

MAX_DEPTH = 64
_SPACE = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*.*?\*/)*", re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_WORD = re.compile(r"[A-Za-z_$][\w$]*")
_CONSTANTS: dict[str, tuple[str | None, Scalar]] = {
    "true": ("True", True),
    "false": ("False", False),
    "null": (None, None),
}
_HALF_PAIR = re.compile("[\ud800-\udfff]")
_MAX_DIGITS = 400
_STRING = JSONDecoder()


@dataclass(frozen=True)
class Node:
    """A value of a file: a mapping (pairs in order, even doubles), a sequence, or a scalar with its text."""

    line: int | None
    pairs: tuple[tuple[str, int | None, Node], ...] | None = None
    items: tuple[Node, ...] | None = None
    text: str | None = field(default=None, repr=False)  # perhaps a password
    native: Scalar = field(default=None, repr=False)


class MalformedError(ValueError):
    """The text is not of its format; ``line`` and ``column`` count from 1."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


def read_json(text: str) -> Node:
    """Return the value of *text*.

    :raises MalformedError: it is no JSON, even with comments and trailing commas.
    """
    return _Reader(text).document()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line = 1
        self._counted = 0

    def document(self) -> Node:
        self._skip()
        node = self._value(1)
        self._skip()
        if self._at < len(self._text):
            raise self._fault("The file goes on after the end of its value.")
        return node

    def _value(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise self._fault(f"The values are nested deeper than {MAX_DEPTH}.")
        line = self._line_now()
        found = self._text[self._at : self._at + 1]
        if found == "{":
            return Node(line, pairs=self._object(depth))
        if found == "[":
            return Node(line, items=self._array(depth))
        if found == '"':
            value = self._string()
            return Node(line, text=value, native=value)
        number = _NUMBER.match(self._text, self._at)
        if number is not None:
            return self._number(number, line)
        word = _WORD.match(self._text, self._at)
        if word is not None and word[0] in _CONSTANTS:
            self._at = word.end()
            text, native = _CONSTANTS[word[0]]
            return Node(line, text=text, native=native)
        raise self._fault(self._unexpected("a value", word))

    def _object(self, depth: int) -> tuple[tuple[str, int | None, Node], ...]:
        pairs: list[tuple[str, int | None, Node]] = []
        self._at += 1
        while not self._closes("}", "a key in double quotes or '}'", separated=bool(pairs)):
            line = self._line_now()
            if self._text[self._at : self._at + 1] != '"':
                raise self._fault(
                    self._unexpected("a key in double quotes", _WORD.match(self._text, self._at))
                )
            key = self._string()
            self._skip()
            if self._text[self._at : self._at + 1] != ":":
                raise self._fault(f"After the key {key!r} a ':' is missing.")
            self._at += 1
            self._skip()
            pairs.append((key, line, self._value(depth + 1)))
        return tuple(pairs)

    def _array(self, depth: int) -> tuple[Node, ...]:
        items: list[Node] = []
        self._at += 1
        while not self._closes("]", "a value or ']'", separated=bool(items)):
            items.append(self._value(depth + 1))
        return tuple(items)

    def _closes(self, bracket: str, expected: str, *, separated: bool) -> bool:
        """Pass a separator; return True behind the closing bracket, which a comma may precede."""
        self._skip()
        if separated and self._text[self._at : self._at + 1] == ",":
            self._at += 1
            self._skip()
        elif separated and self._text[self._at : self._at + 1] != bracket:
            raise self._fault(self._unexpected(f"',' or '{bracket}'", _WORD.match(self._text, self._at)))
        if self._at >= len(self._text):
            raise self._fault(f"The file ends where {expected} is expected.")
        if self._text[self._at] == bracket:
            self._at += 1
            return True
        return False

    def _string(self) -> str:
        try:
            value, self._at = _STRING.raw_decode(self._text, self._at)
        except JSONDecodeError as error:
            self._at = error.pos
            raise self._fault(f"This text is no JSON string: {error.msg.lower()}.") from None
        if _HALF_PAIR.search(value):
            raise self._fault("The text before here has half of a surrogate pair.")
        return str(value)

    def _number(self, match: re.Match[str], line: int) -> Node:
        if len(match[0]) > _MAX_DIGITS:
            raise self._fault("This number is too long.")
        self._at = match.end()
        if _WORD.match(self._text, self._at):
            raise self._fault("A number is followed by letters.")
        return Node(line, text=match[0], native=float(match[0]) if match[1] or match[2] else int(match[0]))

    def _skip(self) -> None:
        match = _SPACE.match(self._text, self._at)
        assert match is not None, "the pattern matches nothing at all"  # noqa: S101
        self._at = match.end()
        if self._text.startswith("/*", self._at):
            raise self._fault("This comment has no end.")

    def _line_now(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

    def _unexpected(self, expected: str, word: re.Match[str] | None) -> str:
        if self._at >= len(self._text):
            return f"The file ends where {expected} is expected."
        # A word may be a password without its quotes: it is not repeated.
        found = "a word without quotes" if word else repr(self._text[self._at])
        return f"Expected {expected}, found {found}."

    def _fault(self, message: str) -> MalformedError:
        begin = self._text.rfind("\n", 0, self._at) + 1
        return MalformedError(message, self._text.count("\n", 0, self._at) + 1, self._at - begin + 1)
