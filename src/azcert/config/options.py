"""``Options`` of .NET's clients as azure-core's keywords: retries, diagnostics, timeouts, service version.

Sources: Azure.Core's *ConfigurationAndDependencyInjection*; azure-core's ``CLIENT_LIBRARY_DEVELOPER.md``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from azcert.config.reading.notes import say
from azcert.config.reading.origin import wrong
from azcert.config.reading.unknown_keys import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.config.reading.settings import Settings

__all__ = [
    "DIAGNOSTICS_KEYS",
    "OPTION_KEYS",
    "RETRY_ALIASES",
    "RETRY_KEYS",
    "Diagnostics",
    "pipeline_options",
    "read_options",
    "realise",
    "service_version",
]

T = TypeVar("T")

OPTION_KEYS = ("Retry", "RetryOptions", "Diagnostics", "NetworkTimeout", "ServiceVersion", "ApiVersion")
RETRY_KEYS = ("MaxRetries", "Delay", "MaxDelay", "Mode", "NetworkTimeout")
RETRY_ALIASES = {"MaximumRetries": "MaxRetries", "MaximumDelay": "MaxDelay", "TryTimeout": "NetworkTimeout"}
"""Names in ``RetryOptions``, which Service Bus and Event Hubs for .NET have instead of ``Retry``."""
DIAGNOSTICS_KEYS = (
    "ApplicationId",
    "IsLoggingEnabled",
    "IsLoggingContentEnabled",
    "IsTelemetryEnabled",
    "IsDistributedTracingEnabled",
    "LoggedContentSizeLimit",
    "LoggedHeaderNames",
    "LoggedQueryParameters",
    "AdditionalLoggedHeaderNames",
    "AdditionalLoggedQueryParameters",
)
# What .NET can say and azure-core has no keyword for: accepted, so that the file works, and said once.
_WITHOUT_COUNTERPART = ("LoggedContentSizeLimit", "IsDistributedTracingEnabled")
_MODES = ("exponential", "fixed")
_APPLICATION_ID_LENGTH = 24


@dataclass(frozen=True)
class Diagnostics:
    """What is logged of requests.

    :param headers: names of headers whose values may be logged, besides azure-core's own list.
    :param query: the same of query parameters.
    """

    headers: tuple[str, ...] = ()
    query: tuple[str, ...] = ()


def pipeline_options(section: Settings) -> dict[str, Any]:
    """Return the keywords that ``Retry``, ``Diagnostics`` and ``NetworkTimeout`` amount to.

    ``diagnostics`` (a `Diagnostics`), ``logging`` and ``telemetry`` are left for `realise`.

    :raises azcert.errors.ConfigurationError: a value is of another type, or a key is unknown.
    """
    return {
        **_retry(section.group("RetryOptions")),
        **_retry(section.group("Retry")),
        **_diagnostics(section.group("Diagnostics")),
        **_timeout(section),
    }


def read_options(section: Settings) -> dict[str, Any]:
    """Return `pipeline_options` and the service version.

    :raises azcert.errors.ConfigurationError: a value is of another type, or a key is unknown.
    """
    keywords = pipeline_options(section)
    version = section.text("ServiceVersion") or section.text("ApiVersion")
    if version is not None:
        keywords["api_version"] = service_version(version)
    return keywords


def _retry(section: Settings) -> dict[str, Any]:
    refuse_unknown(section, (*RETRY_KEYS, *RETRY_ALIASES))
    keywords: dict[str, Any] = {}
    retries = _either(section.integer, "MaxRetries")
    if retries is not None:
        # azure-core also counts by cause, three of each by default, whatever the total.
        keywords.update(
            dict.fromkeys(("retry_total", "retry_connect", "retry_read", "retry_status"), retries)
        )
    for name, keyword in (("Delay", "retry_backoff_factor"), ("MaxDelay", "retry_backoff_max")):
        delay = _either(section.duration, name)
        if delay is not None:
            keywords[keyword] = delay.total_seconds()
    mode, entry = section.text("Mode"), section.entry("Mode")
    if mode is not None and entry is not None:
        if mode.lower() not in _MODES:
            raise wrong(entry, f"is {entry.quoted}; it is Exponential or Fixed", code="wrong-value")
        keywords["retry_mode"] = mode.lower()
    return keywords | _timeout(section)


def _either(read: Callable[[str], T | None], name: str) -> T | None:
    """Return what *read* finds at *name*, or at the name that Service Bus and Event Hubs have for it."""
    names = (name, *(alias for alias, meant in RETRY_ALIASES.items() if meant == name))
    return next((value for each in names if (value := read(each)) is not None), None)


def _timeout(section: Settings) -> dict[str, Any]:
    timeout = _either(section.duration, "NetworkTimeout")
    return (
        {}
        if timeout is None
        else dict.fromkeys(("connection_timeout", "read_timeout"), timeout.total_seconds())
    )


def _diagnostics(section: Settings) -> dict[str, Any]:
    refuse_unknown(section, DIAGNOSTICS_KEYS)
    keywords: dict[str, Any] = {}
    application, entry = section.text("ApplicationId"), section.entry("ApplicationId")
    if application is not None and entry is not None:
        if len(application) > _APPLICATION_ID_LENGTH:
            found = f"has {len(application)} characters; {_APPLICATION_ID_LENGTH} are allowed"
            raise wrong(entry, found, code="wrong-value")
        keywords["user_agent"] = application
    if section.boolean("IsLoggingContentEnabled"):
        keywords["logging_enable"] = True
    if section.boolean("IsTelemetryEnabled") is False:
        keywords["telemetry"] = False
    if section.boolean("IsLoggingEnabled") is False:
        keywords["logging"] = False
    headers = _both(section, "LoggedHeaderNames")
    query = _both(section, "LoggedQueryParameters")
    if headers or query:
        keywords["diagnostics"] = Diagnostics(headers, query)
    tracing = section.boolean("IsDistributedTracingEnabled")
    for name in _WITHOUT_COUNTERPART:
        given = section.entry(name)
        if given is not None and not (name == "IsDistributedTracingEnabled" and tracing):
            say(f"The setting {given.key} ({given.origin}) has no counterpart in azure-core and is left out.")
    return keywords


def _both(section: Settings, name: str) -> tuple[str, ...]:
    return (*(section.texts(name) or ()), *(section.texts(f"Additional{name}") or ()))


def service_version(text: str) -> str:
    """Return a version as Python writes it: ``V7_4`` is ``7.4``, ``V2024_05_04`` is ``2024-05-04``."""
    if text[:1] not in {"V", "v"} or "_" not in text:
        return text
    parts = text[1:].split("_")
    is_date = len(parts[0]) == len("2024")
    return ("-" if is_date else ".").join(parts)


def realise(keywords: dict[str, Any]) -> dict[str, Any]:
    """Return *keywords* with ``logging``, ``diagnostics``, ``telemetry`` made into what azure-core takes."""
    made = dict(keywords)
    diagnostics = made.pop("diagnostics", None)
    telemetry = made.pop("telemetry", True)
    if not made.pop("logging", True):
        made["logger"] = _silent()  # HttpLoggingPolicy's own keyword
    if diagnostics is None and telemetry:
        return made
    from azure.core.pipeline.policies import (  # imported only where settings ask for it
        HttpLoggingPolicy,
        SansIOHTTPPolicy,
    )

    if not telemetry:
        made["user_agent_policy"] = SansIOHTTPPolicy()
    if diagnostics is not None:
        policy = HttpLoggingPolicy(logger=made.get("logger"))
        policy.allowed_header_names = {*policy.allowed_header_names, *diagnostics.headers}
        policy.allowed_query_params = {*policy.allowed_query_params, *diagnostics.query}
        made["http_logging_policy"] = policy
    return made


def _silent() -> logging.Logger:
    logger = logging.Logger("azcert.config.silent")  # noqa: LOG001 - deliberately outside of the tree
    logger.disabled = True
    return logger
