"""From the keys of a section to the arguments of a constructor: by their words, not their spelling.

One rule: a key is a parameter of the constructor if their words are the same, ``uri`` being ``url``
(``vaultUri`` is ``vault_url``). An address (a key that ends in ``Uri``, ``Url`` or ``Endpoint``) is the
constructor's address, whatever either is called. What is neither is looked up in
`azcert.config.clients.aliases`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from azcert._values import words
from azcert.config.clients.aliases import ACCOUNT_HOSTS, ALIASES
from azcert.config.clients.shape import CORE_KEYWORDS, Parameter, convert, plain_name
from azcert.config.credentials.choose import CREDENTIAL_KEYS
from azcert.config.options import OPTION_KEYS
from azcert.config.reading.layers import fold
from azcert.config.reading.notes import warn_of_secret
from azcert.config.reading.origin import wrong
from azcert.config.reading.secrecy import is_secret
from azcert.config.reading.unknown_keys import unknown_key
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.clients.shape import Shape
    from azcert.config.reading.settings import Settings

__all__ = ["STRUCTURE", "ClientSection"]

_ADDRESS = frozenset({"url", "uri", "endpoint"})
# Keys of a client's section that stand for something larger than an argument.
STRUCTURE = ("Credential", "Options", "Cache", "ConnectionString", "Arguments")
"""Keys and sections of every client that are no parameter of its."""
# Never from settings: certificates of servers are always verified; a file of own authorities may be named.
_VERIFY = "connection_verify"


_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")


class ClientSection:
    """Finds for each key of a section what it means to a constructor."""

    def __init__(self, cls: type, shape: Shape, section: Settings) -> None:
        self._cls = cls
        self._shape = shape
        self._section = section
        self._names = _names(shape)
        hosts = [host for package, host in ACCOUNT_HOSTS.items() if cls.__module__.startswith(package)]
        self._host = next(iter(hosts), None)

    def arguments(self) -> dict[str, Any]:
        """Return parameters and keywords by their Python names, converted."""
        found: dict[str, tuple[str, Settings]] = {}
        addresses: list[str] = []
        for section, name in self._keys():
            keyword = self._names.get(plain_name(name))
            if keyword is not None:
                found[keyword] = (name, section)
            elif (words(name) and words(name)[-1] in _ADDRESS) or self._is_account(name):
                addresses.append(name)
            else:
                raise self._unknown(section, name)
        self._place(addresses, found)
        return {
            keyword: self._value(section, name, keyword) for keyword, (name, section) in found.items()
        } | self._verbatim()

    def _is_account(self, name: str) -> bool:
        return words(name) == ("account", "name") and self._host is not None

    def _keys(self) -> list[tuple[Settings, str]]:
        options = self._section.group("Options")
        # An audience is the web application's in an AzureAd section, and a parameter of many clients.
        own = {plain_name(name) for name in (*self._shape.parameters, *self._shape.keywords)}
        credentials = {fold(name) for name in CREDENTIAL_KEYS if plain_name(name) not in own - {"credential"}}
        apart = {fold(name) for name in (*OPTION_KEYS, *STRUCTURE)}
        keys = [
            (self._section, name) for name in self._section.names() if fold(name) not in credentials | apart
        ]
        return keys + [(options, name) for name in options.names() if fold(name) not in apart]

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
        taken = [name for keyword, (name, _) in found.items() if words(keyword)[-1] in _ADDRESS]
        if target is None and taken:
            raise self._two_addresses(addresses[0], taken[0])
        if target is None:
            raise self._unknown(self._section, addresses[0])
        # AzureWebJobsStorage has blobServiceUri, queueServiceUri, ...: the class's words decide.
        mine = set(words(self._cls.__name__))
        ranked = sorted(addresses, key=lambda name: -len(mine & set(words(name))))
        if len(ranked) > 1 and len(mine & set(words(ranked[0]))) == len(mine & set(words(ranked[1]))):
            raise self._two_addresses(ranked[1], ranked[0])
        found[target] = (ranked[0], self._section)

    def _two_addresses(self, name: str, other: str) -> Exception:
        entry = self._section.entry(name) or next(iter(self._section.section(name)))
        return wrong(
            entry,
            f"is an address, and so is {other}: {self._cls.__name__} takes one",
            code="two-addresses",
            remedy="Keep one.",
        )

    def _value(self, section: Settings, name: str, keyword: str) -> Any:
        parameter = (
            self._shape.parameters.get(keyword)
            or self._shape.keywords.get(keyword)
            or Parameter(keyword, required=False, type=CORE_KEYWORDS[keyword])
        )
        value = convert(section, name, parameter)
        entry = section.entry(name)
        if entry is not None and self._is_account(name):
            if not _ACCOUNT.fullmatch(str(value)):
                raise wrong(entry, f"is {entry.quoted}, which is no storage account", code="wrong-value")
            return f"https://{value}.{self._host}.core.windows.net"
        if entry is not None and keyword == _VERIFY and str(value).lower() in {"false", "0", "no"}:
            raise wrong(
                entry,
                "would switch off the verification of servers' certificates, which settings cannot",
                code="verification-off",
                remedy="Name a file with the authority's certificate instead.",
            )
        if entry is not None and isinstance(value, str):
            if value and words(keyword)[-1] in _ADDRESS and "://" not in value:
                raise wrong(
                    entry,
                    f"is {entry.quoted}, which is no URL",
                    code="wrong-value",
                    remedy="Write it in full: https://...",
                )
            if is_secret(entry.key, value):
                warn_of_secret(entry)
        return value

    def _verbatim(self) -> dict[str, Any]:
        """Return ``Arguments``: keywords passed by their Python names, for those no documentation lists."""
        arguments = self._section.group("Arguments")
        return {name: arguments.native(name) for name in arguments.names()}

    def require(self, arguments: Mapping[str, Any], *, without: tuple[str, ...]) -> None:
        """Refuse a section that lacks a parameter.

        :raises azcert.errors.ConfigurationError: the message lists what is needed and what was found.
        """
        needed = [
            name for name, each in self._shape.parameters.items() if each.required and name not in without
        ]
        missing = [name for name in needed if arguments.get(name) is None or arguments[name] == ""]
        if not missing:
            return
        found = ", ".join(map(self._shown, self._section.names())) or "nothing"
        raise ConfigurationError(
            f"The section {self._section.path} does not say enough for {self._cls.__name__}: it needs "
            f"{', '.join(missing)}; found {found}.",
            code="incomplete-client",
            remedy=f"Add {missing[0]} to the section {self._section.path}, or set the environment variable "
            f"{self._section.path.replace(':', '__')}__{missing[0]}.",
            missing=missing,
            section=self._section.path,
        )

    def _shown(self, name: str) -> str:
        entry = self._section.written(name)
        return f"{name} (empty)" if entry is not None and entry.text == "" else name

    def _unknown(self, section: Settings, name: str) -> Exception:
        mine = [name for name in (*self._shape.parameters, *self._shape.keywords) if name != "credential"]
        known = [*mine, *CORE_KEYWORDS, *CREDENTIAL_KEYS, *OPTION_KEYS, *STRUCTURE]
        return unknown_key(section, name, known, listed=[*mine, *STRUCTURE])


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
