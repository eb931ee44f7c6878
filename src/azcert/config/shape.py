"""What a client class takes, read from the class: its constructor's parameters and documented keywords."""

from __future__ import annotations

import enum
import inspect
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from azcert._values import parse_boolean, parse_integer, parse_timespan, words
from azcert.config.origin import wrong

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.settings import Settings

__all__ = ["CORE_KEYWORDS", "Parameter", "Shape", "convert", "is_asynchronous", "plain_name", "shape_of"]

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
    text = section.text(name)
    if entry is None or text is None:
        return section.native(name)
    kind = parameter.type.lower()
    if isinstance(entry.native, bool | int | float) and "str" not in kind:
        return entry.native
    if "bool" in kind and "str" not in kind:
        value: Any = parse_boolean(text)
    elif ("int" in kind or "float" in kind) and "str" not in kind:
        value = _number(text)
    elif kind.startswith("list"):
        return section.texts(name)
    else:
        return _member(parameter.type, text)
    if value is None:
        raise wrong(entry, f"is {text!r}, and {parameter.name} is {parameter.type}", code="wrong-type")
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


def _member(type_text: str, text: str) -> Any:
    """Return the member of an enumeration that *text* names, else *text*."""
    for module, name in _ENUM.findall(type_text):
        try:
            found = getattr(import_module(module), name, None)
        except ImportError:
            continue
        if isinstance(found, type) and issubclass(found, enum.Enum):
            for member in found:
                if plain_name(member.name) == plain_name(text) or str(member.value) == text:
                    return member
    return text
