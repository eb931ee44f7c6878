"""The texts of settings files: JSON with comments, YAML and TOML, each read, and one key of it rewritten.

A key is looked for from its line on; what was found is right where the whole file then says what it should.
So comments, order and every other byte stay, and what is written in an unusual way is refused, not damaged.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azcert._redact import REDACTED
from azcert.config.reading.json_reader import MalformedError, Node, read_json
from azcert.errors import ConfigurationError
from azcert.migration.model import Line
from azcert.migration.tree import plain, replaced

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.migration.tree import Member

__all__ = ["Format", "Value", "format_of"]

Value = str | list[dict[str, str]]

_STRING = r'"(?:[^"\\\r\n]|\\.)*"'
_END = r"(?=(?:[ \t]+#[^\r\n]*|[ \t]*)\r?$)"


@dataclass(frozen=True)
class Format:
    """One kind of file.

    :param pair: a key with its value, as the groups ``key``, ``sign`` and ``value``.
    :param sign: stands between them where a pair is added.
    :param between: stands between two pairs of a mapping.
    """

    name: str
    read: Callable[[str], Node]
    pair: re.Pattern[str]
    sign: str
    between: str

    def parse(self, text: str, name: str) -> Node:
        """Return what *text*, the content of the file *name*, says.

        :raises ConfigurationError: ``malformed``: it is not of this format.
        """
        try:
            return self.read(text)
        except MalformedError as error:
            where = f", line {error.line}, column {error.column}," if error.line else ""
            raise ConfigurationError(
                f"{name}{where} cannot be read as {self.name}: {error.message}",
                code="malformed",
                remedy="Mend the file first.",
                path=name,
            ) from error

    def rewrite(self, text: str, member: Member, pairs: list[tuple[str, Value]]) -> tuple[str, Line] | None:
        """Return *text* with *pairs* in the place of *member*, and the changed line; None if not found."""
        wanted = replaced(plain(self.read(text)), member.path, [(key, _plain(value)) for key, value in pairs])
        at = sum(len(each) for each in text.splitlines(keepends=True)[: member.line - 1])
        for match in self.pair.finditer(text, at):
            if _key(match["key"]) != member.key:
                continue
            indent = text[text.rfind("\n", 0, match.start("key")) + 1 : match.start("key")]
            new = self._pairs(pairs, match, indent)
            changed = text[: match.start("key")] + new + text[match.end("value") :]
            if self._says(changed, wanted):
                old = f"{match['key']}{match['sign']}{_shown(match['value'], member)}"
                return changed, Line(text.count("\n", 0, match.start("key")) + 1, old, new)
        return None

    def example(self, pairs: list[tuple[str, Value]]) -> str:
        """Return *pairs* as one would write them."""
        return self.between.join(
            f"{self._write_key(key, '')}{self.sign}{self._write(value)}" for key, value in pairs
        ).replace("\n", " ")

    def _pairs(self, pairs: list[tuple[str, Value]], match: re.Match[str], indent: str) -> str:
        between = self.between if not indent.strip(" \t") else self.between.replace("\n", " ")
        return (between + indent if "\n" in between else between).join(
            f"{self._write_key(key, match['key'])}{match['sign']}{self._write(value)}" for key, value in pairs
        )

    def _write_key(self, key: str, like: str) -> str:
        quoted = self.name == "JSON" or like.startswith(('"', "'")) or not re.fullmatch(r"[\w-]+", key)
        return json.dumps(key) if quoted else key

    def _write(self, value: Value) -> str:
        if isinstance(value, str):
            return json.dumps(value, ensure_ascii=False)
        equals = " = " if self.name == "TOML" else ": "
        items = (
            ", ".join(f'"{key}"{equals}{self._write(text)}' for key, text in each.items()) for each in value
        )
        return f"[ {', '.join(f'{{ {item} }}' for item in items)} ]"

    def _says(self, text: str, wanted: object) -> bool:
        try:
            return plain(self.read(text)) == wanted
        except MalformedError:
            return False


def format_of(suffix: str) -> Format | None:
    """Return the format of files whose names end so; None for others."""
    return _FORMATS.get(suffix.lower())


def _read_yaml(text: str) -> Node:
    from azcert.config.reading.yaml_reader import read_yaml  # PyYAML is slow to import

    return read_yaml(text)


def _read_toml(text: str) -> Node:
    from azcert.config.reading.toml_reader import read_toml  # only the reader in use is imported

    return read_toml(text)


def _key(raw: str) -> str:
    if raw.startswith('"'):
        try:
            return str(json.loads(raw, strict=False))
        except ValueError:
            return raw
    return raw.strip("'")


def _plain(value: Value) -> object:
    if isinstance(value, str):
        return (value, "str")
    return [[(key, _plain(text)) for key, text in each.items()] for each in value]


def _shown(value: str, member: Member) -> str:
    return f'"{REDACTED}"' if member.key.lower().endswith("secret") else value


_JSON = Format(
    "JSON",
    read_json,
    re.compile(rf"(?P<key>{_STRING})(?P<sign>\s*:\s*)(?P<value>{_STRING}|[-\w.+]+)"),
    ": ",
    ",\n",
)
_YAML = Format(
    "YAML",
    _read_yaml,
    re.compile(
        rf"^[ \t]*(?:-[ \t]+)?(?P<key>{_STRING}|'[^'\r\n]*'|[^\s\"'#][^:#\r\n]*?)(?P<sign>[ \t]*:[ \t]+)"
        rf"(?P<value>{_STRING}|'(?:[^'\r\n]|'')*'|[^\s\"'#\[{{](?:(?![ \t]#)[^\r\n])*?){_END}",
        re.MULTILINE,
    ),
    ": ",
    "\n",
)
_TOML = Format(
    "TOML",
    _read_toml,
    re.compile(
        rf"^[ \t]*(?P<key>{_STRING}|'[^'\r\n]*'|[\w-]+)(?P<sign>[ \t]*=[ \t]*)"
        rf"(?P<value>{_STRING}|'[^'\r\n]*'|[-\w.+]+){_END}",
        re.MULTILINE,
    ),
    " = ",
    "\n",
)
_FORMATS = {".json": _JSON, ".yaml": _YAML, ".yml": _YAML, ".toml": _TOML}
