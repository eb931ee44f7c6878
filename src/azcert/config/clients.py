"""From a section to the call that makes a client: by the words of its keys, not their spelling.

One rule: a key is a parameter of the constructor if their words are the same, ``uri`` being ``url``
(``vaultUri`` is ``vault_url``). An address (a key that ends in ``Uri``, ``Url`` or ``Endpoint``) is the
constructor's address, whatever either is called. What is neither is looked up in `ALIASES`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from azcert._values import words
from azcert.config.choose import CREDENTIAL_KEYS, choose_credential
from azcert.config.layers import fold
from azcert.config.options import OPTION_KEYS, read_options, refuse_unknown, say, unknown_key
from azcert.config.origin import wrong
from azcert.config.secrecy import carries_secret
from azcert.config.settings import Settings, warn_of_secret
from azcert.config.shape import (
    CORE_KEYWORDS,
    Parameter,
    Shape,
    connection_string_shape,
    convert,
    plain_name,
    shape_of,
)
from azcert.config.spec import CredentialSpec
from azcert.errors import ConfigurationError
from azcert.vault.policy import CacheRules

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALIASES", "FAMILIES", "ClientPlan", "plan_client"]

ALIASES: dict[str, tuple[str, ...]] = {
    "subscription_id": ("defaultSubscriptionId",),  # ArmClient's parameter
    "key": ("keyId", "keyIdentifier"),  # CryptographyClient
    "container_name": ("blobContainerName",),  # BlobContainerClient
    "fully_qualified_namespace": ("namespace", "serviceBusNamespace", "eventHubNamespace"),
    "conn_str": ("connectionString",),
}
"""Parameter -> keys that mean it, though their words differ."""

FAMILIES: dict[str, dict[str, str | None]] = {
    # Its clients make their own logging policy and take no other.
    "azure.keyvault": {"diagnostics": None},
    "azure.data.tables": {"diagnostics": None},
    "azure.storage": {
        # Storage has a retry policy of its own (ExponentialRetry).
        "retry_backoff_factor": "initial_backoff",
        "retry_backoff_max": None,
        "retry_mode": None,
        "diagnostics": None,
        "telemetry": None,
    },
    "azure.servicebus.management": {},
    "azure.servicebus": {
        "connection_timeout": None,
        "read_timeout": "socket_timeout",
        "diagnostics": None,
        "logging": None,
        "telemetry": None,
        "retry_connect": "",
        "retry_read": "",
        "retry_status": "",
        "api_version": None,
    },
    "azure.eventhub": {
        "connection_timeout": None,
        "read_timeout": "socket_timeout",
        "diagnostics": None,
        "logging": None,
        "telemetry": None,
        "retry_connect": "",
        "retry_read": "",
        "retry_status": "",
        "api_version": None,
    },
}
"""Packages whose keywords differ from azure-core's: keyword -> theirs, None where they have none.

An empty text is a part of another keyword, with nothing to say of its own."""

_ADDRESS = frozenset({"url", "uri", "endpoint"})
_CACHED_CLIENTS = "azure.keyvault.secrets"
_STRUCTURE = ("Credential", "Options", "Cache", "ConnectionString", "Arguments")
_CACHE_KEYS = ("Enabled", "Ttl", "PinnedTtl", "RefreshAhead", "Stale", "Patience", "Capacity")
# Never from settings: certificates of servers are always verified; a file of own authorities may be named.
_VERIFY = "connection_verify"


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
    shape = shape_of(cls)
    constructor = ""
    if connection is not None:
        found = connection_string_shape(cls)
        if found is None:
            raise wrong(connection, f"is a connection string, which {cls.__name__} does not take")
        shape, constructor = found, "from_connection_string"
    reading = _Reading(cls, shape, section)
    arguments = reading.arguments()
    if connection is not None:
        text = (
            connection.text
            if isinstance(connection.text, str)
            else connection.text and connection.text.reveal()
        )
        arguments[next(iter(shape.parameters))] = text
        if text and carries_secret(text):
            warn_of_secret(connection)
    keywords = _options(cls, shape, section, defaults)
    for name in [name for name in arguments if name not in shape.parameters]:
        keywords[name] = arguments.pop(name)
    reading.require(arguments, without=() if constructor else ("credential",))
    credential = None
    if not constructor and "credential" in shape.parameters and not _anonymous(shape, arguments):
        credential = choose_credential(section, environ)
        if credential is None and defaults is not None:
            credential = choose_credential(defaults, environ)
        credential = credential or CredentialSpec("DefaultCredential")
    return ClientPlan(cls, constructor, arguments, credential, keywords, _cache(cls, section))


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


class _Reading:
    """Finds for each key of a section what it means to a constructor."""

    def __init__(self, cls: type, shape: Shape, section: Settings) -> None:
        self._cls = cls
        self._shape = shape
        self._section = section
        self._names = _names(shape)

    def arguments(self) -> dict[str, Any]:
        """Return parameters and keywords by their Python names, converted."""
        found: dict[str, tuple[str, Settings]] = {}
        addresses: list[str] = []
        for section, name in self._keys():
            keyword = self._names.get(plain_name(name))
            if keyword is not None:
                found[keyword] = (name, section)
            elif words(name) and words(name)[-1] in _ADDRESS:
                addresses.append(name)
            else:
                raise unknown_key(section, name, self._known())
        self._place(addresses, found)
        return {
            keyword: self._value(section, name, keyword) for keyword, (name, section) in found.items()
        } | self._verbatim()

    def _keys(self) -> list[tuple[Settings, str]]:
        options = self._section.section("Options")
        about_others = {fold(name) for name in (*CREDENTIAL_KEYS, *OPTION_KEYS, *_STRUCTURE)}
        mine = {fold(name) for name in OPTION_KEYS}
        keys = [(self._section, name) for name in self._section.names() if fold(name) not in about_others]
        return keys + [(options, name) for name in options.names() if fold(name) not in mine]

    def _place(self, addresses: list[str], found: dict[str, tuple[str, Settings]]) -> None:
        """Give the one address of the section to the one address of the constructor."""
        if not addresses:
            return
        free = [
            name
            for name, parameter in self._shape.parameters.items()
            if name not in found and words(name)[-1] in _ADDRESS and parameter.type.find("bool") < 0
        ]
        required = [name for name in free if self._shape.parameters[name].required]
        target = next(iter(required or free), None)
        if target is None:
            raise unknown_key(self._section, addresses[0], self._known())
        # AzureWebJobsStorage has blobServiceUri, queueServiceUri, ...: the class's words decide.
        mine = set(words(self._cls.__name__))
        ranked = sorted(addresses, key=lambda name: -len(mine & set(words(name))))
        if len(ranked) > 1 and len(mine & set(words(ranked[0]))) == len(mine & set(words(ranked[1]))):
            entry = self._section.entry(ranked[1])
            assert entry is not None, "an address is a value"  # noqa: S101
            raise wrong(entry, f"is an address, and so is {ranked[0]}: {self._cls.__name__} takes one")
        found[target] = (ranked[0], self._section)

    def _value(self, section: Settings, name: str, keyword: str) -> Any:
        parameter = (
            self._shape.parameters.get(keyword)
            or self._shape.keywords.get(keyword)
            or Parameter(keyword, required=False, type=CORE_KEYWORDS[keyword])
        )
        value = convert(section, name, parameter)
        entry = section.entry(name)
        if entry is not None and keyword == _VERIFY and str(value).lower() in {"false", "0", "no"}:
            raise wrong(
                entry,
                "would switch off the verification of servers' certificates, which settings cannot",
                code="verification-off",
                remedy="Name a file with the authority's certificate instead.",
            )
        if entry is not None and isinstance(value, str) and carries_secret(value):
            warn_of_secret(entry)
        return value

    def _verbatim(self) -> dict[str, Any]:
        """Return ``Arguments``: keywords passed by their Python names, for those no documentation lists."""
        arguments = self._section.section("Arguments")
        return {name: arguments.native(name) for name in arguments.names()}

    def require(self, arguments: Mapping[str, Any], *, without: tuple[str, ...]) -> None:
        """Refuse a section that lacks a parameter.

        :raises azcert.errors.ConfigurationError: the message lists what is needed and what was found.
        """
        needed = [
            name for name, each in self._shape.parameters.items() if each.required and name not in without
        ]
        missing = [name for name in needed if arguments.get(name) in {None, ""}]
        if not missing:
            return
        found = ", ".join(self._section.names()) or "nothing"
        raise ConfigurationError(
            f"The section {self._section.path} does not say enough for {self._cls.__name__}: it needs "
            f"{', '.join(missing)}; found {found}.",
            code="incomplete-client",
            remedy=f"Add {missing[0]} to the section {self._section.path}, or set the environment variable "
            f"{self._section.path.replace(':', '__')}__{missing[0]}.",
            missing=missing,
            section=self._section.path,
        )

    def _known(self) -> list[str]:
        names = [name for name in (*self._shape.parameters, *self._shape.keywords) if name != "credential"]
        return [*names, *CORE_KEYWORDS, *CREDENTIAL_KEYS, *OPTION_KEYS, *_STRUCTURE]


def _names(shape: Shape) -> dict[str, str]:
    """Return the Python name for every plain one; parameters beat keywords, these azure-core's."""
    names: dict[str, str] = {}
    for name in (*shape.parameters, *shape.keywords, *CORE_KEYWORDS):
        if name != "credential":
            names.setdefault(plain_name(name), name)
    for name, aliases in ALIASES.items():
        if name in shape.parameters:
            for alias in aliases:
                names.setdefault(plain_name(alias), name)
    return names


def _options(cls: type, shape: Shape, section: Settings, defaults: Settings | None) -> dict[str, Any]:
    keywords: dict[str, Any] = {}
    family = _family(cls)
    sections = [section.section("Options"), section]
    if defaults is not None:
        sections = [defaults.section("Options"), defaults, *sections]
    for each in sections:
        for name, value in read_options(each).items():
            target = family.get(name, name)
            if name == "api_version" and each in sections[:-2]:
                continue  # a version is one service's, not everyone's default
            if target == "":
                continue
            if target is not None and _takes(shape, target):
                keywords[target] = value
            elif each in sections[-2:]:
                say(f"{cls.__name__} has nothing like {name}: the section {section.path} sets it in vain.")
    return keywords


def _takes(shape: Shape, name: str) -> bool:
    return name in {
        *shape.parameters,
        *shape.keywords,
        *CORE_KEYWORDS,
        "diagnostics",
        "logging",
        "telemetry",
    } or (name == "initial_backoff")


def _family(cls: type) -> Mapping[str, str | None]:
    module = cls.__module__.replace(".aio", "")
    found = [name for name in FAMILIES if module.startswith(name)]
    return FAMILIES[max(found, key=len)] if found else {}


def _cache(cls: type, section: Settings) -> CacheRules | None:
    cache, entry = section.section("Cache"), section.entry("Cache")
    enabled = section.boolean("Cache") if entry is not None and entry.text else None
    if not cache and not enabled:
        return None
    if not (cls.__module__.startswith(_CACHED_CLIENTS) and cls.__name__ == "SecretClient"):
        raise wrong(entry or next(iter(cache)), f"is for Key Vault's SecretClient; this is {cls.__name__}")
    refuse_unknown(cache, _CACHE_KEYS)
    if cache.boolean("Enabled") is False:
        return None
    given: dict[str, Any] = {}
    for name, keyword in (
        ("Ttl", "ttl"),
        ("PinnedTtl", "pinned_ttl"),
        ("RefreshAhead", "refresh_ahead"),
        ("Stale", "stale"),
        ("Patience", "patience"),
    ):
        duration = cache.duration(name)
        if duration is not None:
            given[keyword] = duration.total_seconds()
    capacity = cache.integer("Capacity")
    if capacity is not None:
        given["capacity"] = capacity
    return CacheRules(**given)
