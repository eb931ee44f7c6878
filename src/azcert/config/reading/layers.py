"""Layers of settings, later ones win, as .NET's configuration has it: flat keys, case-insensitive.

``A:B:0`` is the first item of the list B in the section A. Lists merge by index: a shorter list of a later
layer leaves the rest of the longer one. A null of a later layer hides the earlier value.
Source: dotnet/runtime, Microsoft.Extensions.Configuration (``ConfigurationRoot``,
``JsonConfigurationFileParser``, ``EnvironmentVariablesConfigurationProvider``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from azcert.config.reading.json_reader import MalformedError, Node
from azcert.config.reading.origin import Entry, Origin, Place
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from azcert.config.reading.origin import Scalar

__all__ = ["Layer", "code_layer", "environment_layer", "file_layer", "fold", "merge"]

Layer: TypeAlias = "dict[str, Entry]"
"""Entries by folded key."""

# App Service puts connection strings into variables with these prefixes, .NET into ConnectionStrings.
_CONNECTION_PREFIXES = tuple(
    f"{name}CONNSTR_"
    for name in (
        "MYSQL",
        "SQLAZURE",
        "SQL",
        "POSTGRESQL",
        "APIHUB",
        "DOCDB",
        "EVENTHUB",
        "NOTIFICATIONHUB",
        "REDISCACHE",
        "SERVICEBUS",
        "CUSTOM",
    )
)


def fold(key: str) -> str:
    """Return *key* so that keys which .NET compares as equal are equal (ordinal, ignoring case)."""
    if key.isascii():
        return key.upper()
    return "".join(char.upper() if len(char.upper()) == 1 else char for char in key)


def merge(layers: Iterable[Layer]) -> Layer:
    """Return the entries that win, in the order in which keys first appear."""
    merged: Layer = {}
    for layer in layers:
        merged.update(layer)
    return merged


def file_layer(root: Node, *, place: Place, name: str, rank: int) -> Layer:
    """Return the entries of a file's value.

    :raises MalformedError: it is no mapping, or holds a key twice, in any case.
    """
    if root.pairs is None:
        raise MalformedError("The file must hold an object: { ... }.", root.line)
    layer: Layer = {}
    _add(layer, "", root, Origin(place, name, rank=rank), root.line)
    return layer


def _add(layer: Layer, key: str, node: Node, origin: Origin, line: int | None) -> None:
    children: list[tuple[str, int | None, Node]]
    if node.pairs is not None:
        children = list(node.pairs)
    elif node.items is not None:
        children = [(str(index), item.line, item) for index, item in enumerate(node.items)]
    else:
        _put(layer, key, node.text, node.native, Origin(origin.place, origin.name, line, origin.rank))
        return
    if not children and key:
        _put(layer, key, None, None, Origin(origin.place, origin.name, line, origin.rank))
    for name, child_line, child in children:
        _add(layer, f"{key}:{name}" if key else name, child, origin, child_line)


def _put(layer: Layer, key: str, text: str | None, native: Scalar, origin: Origin) -> None:
    folded = fold(key)
    if folded in layer:
        first = layer[folded].origin.line
        raise MalformedError(f"The key {key} is there twice; the first time in line {first}.", origin.line)
    layer[folded] = Entry(key, text, native, origin)


def environment_layer(environ: Mapping[str, str], *, prefix: str, rank: int) -> Layer:
    """Return the entries of environment variables: ``A__B`` is ``A:B``.

    :param prefix: only variables that begin with it, in any case, and without it.
    """
    layer: Layer = {}
    for variable in sorted(environ):
        if not fold(variable).startswith(fold(prefix)):
            continue
        name = variable[len(prefix) :]
        for connection in _CONNECTION_PREFIXES:
            if fold(name).startswith(connection):
                name = f"ConnectionStrings__{name[len(connection) :]}"
                break
        key = name.replace("__", ":")
        if key:
            text = environ[variable]
            layer[fold(key)] = Entry(key, text, text, Origin(Place.ENVIRONMENT, variable, rank=rank))
    return layer


def code_layer(values: Mapping[str, Any], *, rank: int) -> Layer:
    """Return the entries of values given in code: nested mappings and lists, or flat keys ``A:B``.

    :raises azcert.errors.ConfigurationError: a value is of a type that settings do not have.
    """
    layer: Layer = {}
    _add_code(layer, "", values, Origin(Place.CODE, rank=rank))
    return layer


def _add_code(layer: Layer, key: str, value: Any, origin: Origin) -> None:
    pairs = value.items() if hasattr(value, "items") else None
    if isinstance(value, list | tuple):
        pairs = [(str(index), item) for index, item in enumerate(value)]
    if pairs is not None:
        for name, each in pairs:
            _add_code(layer, f"{key}:{name}" if key else str(name), each, origin)
        return
    if value is not None and not isinstance(value, str | int | float):
        raise ConfigurationError(
            f"The value given in code for {key} is a {type(value).__name__}; settings are texts, numbers, "
            "booleans, lists and mappings.",
            code="wrong-setting",
            key=key,
        )
    layer[fold(key)] = Entry(key, None if value is None else str(value), value, origin)
