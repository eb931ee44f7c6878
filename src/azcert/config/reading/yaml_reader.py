"""YAML with the same keys: its structure is PyYAML's, its scalars are those of YAML 1.2's core schema.

PyYAML resolves scalars as YAML 1.1 does, where ``no`` is false and ``1:30`` is 90. Settings are texts as they
are written, so scalars are read here (YAML 1.2.2, 10.3.2).
"""

from __future__ import annotations

import re

import yaml

from azcert.config.reading.json_reader import MAX_DEPTH, MalformedError, Node

__all__ = ["read_yaml"]

_MAX_NODES = 100_000
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]{1,400}(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?", re.ASCII)


def read_yaml(text: str) -> Node:
    """Return the one document of *text*; an empty one is an empty mapping.

    :raises MalformedError: it is no YAML, or uses merge keys or keys that are no texts.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise MalformedError(
            f"This is no YAML: {error.problem or error.context}.",
            mark.line + 1 if mark else None,
            mark.column + 1 if mark else None,
        ) from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        reason = (
            "it is nested too deeply" if isinstance(error, RecursionError) else "a character is not allowed"
        )
        raise MalformedError(f"This is no YAML: {reason}.") from None
    return Node(1, pairs=()) if root is None else _Converter().node(root, 1)


class _Converter:
    """Counts what it makes, because aliases let ten lines stand for a billion values."""

    def __init__(self) -> None:
        self._made = 0

    def node(self, node: yaml.Node, depth: int) -> Node:
        self._made += 1
        line = node.start_mark.line + 1
        if depth > MAX_DEPTH or self._made > _MAX_NODES:
            raise MalformedError("The values are nested too deeply, or there are too many of them.", line)
        if isinstance(node, yaml.MappingNode):
            pairs = tuple(
                (self._key(key), key.start_mark.line + 1, self.node(value, depth + 1))
                for key, value in node.value
            )
            return Node(line, pairs=pairs)
        if isinstance(node, yaml.SequenceNode):
            return Node(line, items=tuple(self.node(item, depth + 1) for item in node.value))
        return _scalar(node, line)

    def _key(self, node: yaml.Node) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise MalformedError("A key must be a text.", node.start_mark.line + 1)
        if node.value == "<<" and node.style is None:
            raise MalformedError(
                "Merge keys (<<) are not read: refer to a section with $Section.", node.start_mark.line + 1
            )
        return str(node.value)


def _scalar(node: yaml.Node, line: int) -> Node:
    text = str(node.value)
    if getattr(node, "style", None) is not None:
        return Node(line, text=text, native=text)
    if text in {"", "~", "null", "Null", "NULL"}:
        return Node(line)
    if text in {"true", "True", "TRUE", "false", "False", "FALSE"}:
        value = text.lower() == "true"
        return Node(line, text=str(value), native=value)
    if _INTEGER.fullmatch(text):
        return Node(line, text=text, native=int(text))
    if _FLOAT.fullmatch(text):
        return Node(line, text=text, native=float(text))
    return Node(line, text=text, native=text)
