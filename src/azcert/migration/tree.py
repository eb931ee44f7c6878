"""The values of a settings file by their paths, and the same values with one of them replaced."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azcert.config.reading.json_reader import Node

__all__ = ["Member", "Path", "members", "plain", "replaced"]

Path = tuple["str | int", ...]


@dataclass(frozen=True)
class Member:
    """A key of a file with the text it has, perhaps a secret.

    :param path: keys as they are written, and places in lists.
    """

    path: Path
    line: int
    text: str | None = field(repr=False)

    @property
    def name(self) -> str:
        """The key of .NET's configuration, in lower case: ``azuread:clientcredentials:0:clientsecret``."""
        return ":".join(map(str, self.path)).lower()

    @property
    def key(self) -> str:
        """The key as it is written; with colons where it stands for a whole path."""
        return str(self.path[-1])


def members(node: Node, path: Path = ()) -> Iterator[Member]:
    """Yield every key that has a text, in the file's order."""
    for key, line, value in node.pairs or ():
        if value.pairs is None and value.items is None:
            yield Member((*path, key), line or 1, value.text)
        else:
            yield from members(value, (*path, key))
    for index, value in enumerate(node.items or ()):
        yield from members(value, (*path, index))


def plain(node: Node) -> object:
    """Return what *node* says, without lines; of two keys with one name both are kept."""
    if node.items is not None:
        return [plain(each) for each in node.items]
    if node.pairs is not None:
        return [(key, plain(value)) for key, _, value in node.pairs]
    return (node.text, type(node.native).__name__)


def replaced(tree: object, path: Path, pairs: list[tuple[str, object]]) -> object:
    """Return *tree*, of `plain`, with *pairs* (of `plain`, too) in the place of the key at *path*."""
    assert isinstance(tree, list)  # noqa: S101 - a path goes through mappings and lists only
    here, rest = path[0], path[1:]
    if isinstance(here, int):
        return [replaced(each, rest, pairs) if at == here else each for at, each in enumerate(tree)]
    found: list[object] = []
    for key, value in tree:
        if key != here:
            found.append((key, value))
        elif rest:
            found.append((key, replaced(value, rest, pairs)))
        else:
            found += pairs
    return found
