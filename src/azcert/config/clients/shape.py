"""What a client class takes, read from the class: its constructor's parameters and documented keywords."""

from __future__ import annotations

import enum
import inspect
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from azcert._values import nearest, parse_boolean, parse_integer, parse_timespan, words
from azcert.config.clients.aliases import MEMBER_ALIASES
from azcert.config.reading.origin import wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.reading.origin import Entry
    from azcert.config.reading.settings import Settings

__all__ = [
    "CORE_KEYWORDS",
    "Parameter",
    "Shape",
    "address_shapes",
    "connection_string_shape",
    "convert",
    "is_asynchronous",
    "plain_name",
    "shape_of",
]

CORE_KEYWORDS: dict[str, str] = {
    "api_version": "str",
    "connection_data_block_size": "int",
    "connection_timeout": "float",
    "connection_verify": "str",
    "headers": "dict",
    "logging_enable": "bool",
    "permit_redirects": "bool",
    "proxies": "dict",
    "read_timeout": "float",
    "redirect_max": "int",
    "retry_backoff_factor": "float",
    "retry_backoff_max": "float",
    "retry_connect": "int",
    "retry_mode": "str",
    "retry_on_status_codes": "list",
    "retry_read": "int",
    "retry_status": "int",
    "retry_total": "int",
    "timeout": "float",
    "use_env_settings": "bool",
    "user_agent": "str",
    "user_agent_overwrite": "bool",
    "user_agent_use_env": "bool",
}
"""azure-core's client keywords that settings can express, with their types (azure-core's README)."""

_DOCUMENTED = re.compile(r":(?:keyword|param)\s+(?:(?P<type>[^:\n]+?)\s+)?(?P<name>\w+)\s*:")
_DOCUMENTED_TYPE = re.compile(r":(?:paramtype|type)\s+(?P<name>\w+)\s*:\s*(?P<type>[^\n]+)")
_TYPE_WORD = re.compile(r"\w+")
_SCALARS = frozenset({"str", "int", "float", "bool", "optional", "none", "or", "union"})
_ENUM = re.compile(r"~?(azure(?:\.\w+)+)\.(\w+)")


@dataclass(frozen=True)
class Parameter:
    """A parameter or keyword.

    :param type: its annotation or documented type, as text.
    """

    name: str
    required: bool
    type: str


@dataclass(frozen=True)
class Shape:
    """What a constructor takes: its parameters, and the keywords its documentation adds."""

    parameters: Mapping[str, Parameter]
    keywords: Mapping[str, Parameter]


def is_asynchronous(cls: type) -> bool:
    """Tell whether clients of *cls* are awaited."""
    return hasattr(cls, "__aenter__")


@cache
def shape_of(cls: type) -> Shape:
    """Return what the constructor of *cls* takes."""
    return _shape(cls, inspect.getattr_static(cls, "__init__"))


@cache
def connection_string_shape(cls: type) -> Shape | None:
    """Return what ``from_connection_string`` of *cls* takes, None if the class has none."""
    function = getattr(cls, "from_connection_string", None)
    return None if function is None else _shape(cls, function)


@cache
def address_shapes(cls: type) -> Mapping[str, Shape]:
    """Return by name what the constructors of *cls* take that get a whole address (``from_blob_url``)."""
    names = [name for name in dir(cls) if name.startswith("from_") and name.endswith("_url")]
    return {name: _shape(cls, getattr(cls, name)) for name in names}


def _shape(cls: type, function: Any) -> Shape:
    parameters: dict[str, Parameter] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if name == "self" or parameter.kind in {parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL}:
            continue
        annotation = parameter.annotation
        text = "" if annotation is parameter.empty else annotation if isinstance(annotation, str) else ""
        text = text or ("" if annotation is parameter.empty else inspect.formatannotation(annotation))
        parameters[name] = Parameter(name, parameter.default is parameter.empty, text)
    keywords: dict[str, Parameter] = {}
    for documentation in _documentation(cls, function):
        types = {match["name"]: match["type"] for match in _DOCUMENTED_TYPE.finditer(documentation)}
        for match in _DOCUMENTED.finditer(documentation):
            name = match["name"]
            if name not in parameters:
                found = match["type"] or types.get(name) or ""
                keywords.setdefault(name, Parameter(name, required=False, type=found))
    return Shape(parameters, keywords)


def _documentation(cls: type, function: Any) -> list[str]:
    texts = [base.__dict__.get("__doc__") for base in cls.__mro__ if base is not object]
    return [text for text in (*texts, function.__doc__) if text]


def plain_name(name: str) -> str:
    """Return *name* so that spelling does not matter: words without separators, ``uri`` as ``url``."""
    return "".join("url" if word == "uri" else word for word in words(name))


def convert(section: Settings, name: str, parameter: Parameter) -> Any:
    """Return the value at *name* in the type that *parameter* wants, as far as its type says.

    :raises azcert.errors.ConfigurationError: the value is not of that type.
    """
    entry = section.entry(name)
    kinds = set(_TYPE_WORD.findall(parameter.type.lower()))
    if entry is None and kinds <= _SCALARS and kinds:
        section.text(name)  # refuses a section or list
    if entry is None or section.text(name) is None:
        return section.native(name)
    text = section.text(name) or ""
    if isinstance(entry.native, bool | int | float) and "str" not in kinds:
        return entry.native
    if "bool" in kinds and "str" not in kinds:
        value: Any = parse_boolean(text)
    elif kinds & {"int", "float"} and "str" not in kinds:
        value = _number(text)
    elif parameter.type.lower().startswith("list"):
        return section.texts(name)
    else:
        return _member(entry, parameter, text, texts="str" in kinds)
    if value is None:
        raise wrong(entry, f"is {entry.quoted}, and {parameter.name} is {parameter.type}", code="wrong-type")
    return value


def _number(text: str) -> float | None:
    span = parse_timespan(text)
    if span is not None:
        return span.total_seconds()
    whole = parse_integer(text)
    if whole is not None:
        return whole
    try:
        return float(text)
    except ValueError:
        return None


def _member(entry: Entry, parameter: Parameter, text: str, *, texts: bool) -> Any:
    """Return the member of an enumeration that *text* names, else *text* where texts are taken as well."""
    members = [member for found in _enumerations(parameter.type) for member in found]
    wanted = {plain_name(text), plain_name(MEMBER_ALIASES.get(text, text))}
    for member in members:
        if plain_name(member.name) in wanted or str(member.value) == text:
            return member
    if members and not texts:
        names = [member.name for member in members]
        near = nearest(text, names)
        raise wrong(
            entry,
            f"is {entry.quoted}, and {parameter.name} is one of {', '.join(names)}",
            code="wrong-value",
            remedy=f"Did you mean {near}?" if near else None,
        )
    return text


def _enumerations(type_text: str) -> list[type[enum.Enum]]:
    found: list[type[enum.Enum]] = []
    for module, name in _ENUM.findall(type_text):
        try:
            each = getattr(import_module(module), name, None)
        except ImportError:
            continue
        if isinstance(each, type) and issubclass(each, enum.Enum):
            found.append(each)
    return found
