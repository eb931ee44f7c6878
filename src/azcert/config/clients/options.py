"""The options of a client: the defaults', then its section's, in the keywords of its package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.config.clients.aliases import FAMILIES
from azcert.config.clients.shape import CORE_KEYWORDS
from azcert.config.options import read_options
from azcert.config.reading.notes import say

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.clients.shape import Shape
    from azcert.config.reading.settings import Settings

__all__ = ["client_options"]

# What a keyword that a client does not take is called in settings.
_SETTINGS = {
    "api_version": "ServiceVersion",
    "connection_timeout": "NetworkTimeout",
    "diagnostics": "Diagnostics:LoggedHeaderNames and LoggedQueryParameters",
    "logging": "Diagnostics:IsLoggingEnabled",
    "read_timeout": "NetworkTimeout",
    "retry_backoff_factor": "Retry:Delay",
    "retry_backoff_max": "Retry:MaxDelay",
    "retry_mode": "Retry:Mode",
    "telemetry": "Diagnostics:IsTelemetryEnabled",
    "user_agent": "Diagnostics:ApplicationId",
}


def client_options(cls: type, shape: Shape, section: Settings, defaults: Settings | None) -> dict[str, Any]:
    """Return the keywords that ``Options`` amount to, as far as the client *cls* takes them.

    :raises azcert.errors.ConfigurationError: a value is wrong, or a key is unknown.
    """
    keywords: dict[str, Any] = {}
    family = _family(cls)
    sections = [section.group("Options"), section]
    if defaults is not None:
        sections = [defaults.group("Options"), defaults, *sections]
    for each in sections:
        for name, value in read_options(each).items():
            target = family.get(name, name)
            if name == "api_version" and each in sections[:-2]:
                continue  # a version is one service's, not everyone's default
            if target == "":
                continue
            if target is not None and (name in family or _takes(shape, target)):
                keywords[target] = value
            elif each in sections[-2:]:
                setting = _SETTINGS.get(name, name)
                say(f"{cls.__name__} has nothing like {setting}: the section {section.path} sets it in vain.")
    return keywords


def _takes(shape: Shape, name: str) -> bool:
    made_here = ("diagnostics", "logging", "telemetry")
    return name in {*shape.parameters, *shape.keywords, *CORE_KEYWORDS, *made_here}


def _family(cls: type) -> Mapping[str, str | None]:
    module = cls.__module__.replace(".aio", "")
    found = [name for name in FAMILIES if module.startswith(name)]
    return FAMILIES[max(found, key=len)] if found else {}
