"""How a client is made from its section: constructor, arguments, credential, options; nothing is built."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from azcert._redact import Secret
from azcert.config.clients.aliases import ALIASES
from azcert.config.clients.cache import cache_rules
from azcert.config.clients.options import client_options
from azcert.config.clients.section import ClientSection
from azcert.config.clients.shape import address_shapes, connection_string_shape, plain_name, shape_of
from azcert.config.credentials.choose import choose_credential
from azcert.config.credentials.spec import CredentialSpec
from azcert.config.reading.notes import warn_of_secret
from azcert.config.reading.origin import wrong
from azcert.config.reading.secrecy import carries_secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.clients.shape import Shape
    from azcert.config.reading.settings import Settings
    from azcert.vault.policy import CacheRules

__all__ = ["ClientPlan", "plan_client"]

_URL = ("https://", "http://")


@dataclass(frozen=True)
class ClientPlan:
    """How a client is made.

    :param constructor: name of the class method, empty for the class itself.
    :param arguments: parameters from the section, by their Python names.
    :param credential: None where the client is made without one.
    :param keywords: options; ``diagnostics``, ``logging`` and ``telemetry`` are yet to be realised.
    :param cache: how secrets are kept, None for not at all.
    """

    cls: type
    constructor: str
    arguments: Mapping[str, Any] = field(repr=False)
    credential: CredentialSpec | None
    keywords: Mapping[str, Any]
    cache: CacheRules | None


def plan_client(
    cls: type,
    section: Settings,
    *,
    root: Settings,
    defaults: Settings | None = None,
    environ: Mapping[str, str] | None = None,
) -> ClientPlan:
    """Return how the client *cls* is made from *section*.

    :param root: all settings, in which a connection string of the section's name may be.
    :param defaults: credential and options for what the section does not say.
    :raises azcert.errors.ConfigurationError: a parameter is missing, a key is unknown or has a wrong value.
    """
    environ = os.environ if environ is None else environ
    connection = _connection_string(section, root)
    if connection is not None and isinstance(connection.text, str) and connection.text.startswith(_URL):
        # A text that is a URL is the client's address, as .NET Aspire writes it among connection strings.
        section, connection = section.completed({"endpoint": connection}), None
    shape = shape_of(cls)
    constructor = ""
    if connection is not None:
        found = connection_string_shape(cls)
        if found is None:
            raise wrong(
                connection,
                f"is a connection string, which {cls.__name__} does not take",
                remedy=f"It needs {', '.join(_required(shape))}: write {{ ... }} with these.",
            )
        shape, constructor = found, "from_connection_string"
    else:
        constructor, shape = _by_address(cls, section) or (constructor, shape)
    reading = ClientSection(cls, shape, section)
    arguments = reading.arguments()
    if connection is not None:
        text = connection.text.reveal() if isinstance(connection.text, Secret) else connection.text
        arguments[next(iter(shape.parameters))] = text
        if text and carries_secret(text):
            warn_of_secret(connection)
    keywords = client_options(cls, shape, section, defaults)
    for name in [name for name in arguments if name not in shape.parameters]:
        keywords[name] = arguments.pop(name)
    reading.require(arguments, without=() if connection is not None else ("credential",))
    credential = None
    if connection is None and "credential" in shape.parameters and not _anonymous(shape, arguments):
        credential = choose_credential(section, environ)
        if credential is None and defaults is not None:
            credential = choose_credential(defaults, environ)
        credential = credential or CredentialSpec("DefaultCredential")
    return ClientPlan(cls, constructor, arguments, credential, keywords, cache_rules(cls, section))


def _required(shape: Shape) -> list[str]:
    return [name for name, each in shape.parameters.items() if each.required and name != "credential"]


def _by_address(cls: type, section: Settings) -> tuple[str, Shape] | None:
    """Return the constructor for a whole address, such as ``blobUri``, if *section* has one."""
    given = {plain_name(name) for name in section.names()}
    for constructor, shape in address_shapes(cls).items():
        address = next(iter(shape.parameters))
        if given & {plain_name(name) for name in (address, *ALIASES.get(address, ()))}:
            return constructor, shape
    return None


def _connection_string(section: Settings, root: Settings) -> Any:
    entry = section.entry("ConnectionString") or root.entry(section.path)
    if entry is not None and entry.text:
        return entry
    return None if section else root.section("ConnectionStrings").entry(section.path)


def _anonymous(shape: Shape, arguments: Mapping[str, Any]) -> bool:
    """Tell whether the address itself grants access (a shared access signature)."""
    if shape.parameters["credential"].required:
        return False
    return any(isinstance(value, str) and "sig=" in value.partition("?")[2] for value in arguments.values())
