"""Which section describes a client, and what counts where it says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert._values import nearest
from azcert.config.clients.plan import plan_client
from azcert.config.credentials.choose import CREDENTIAL_KEYS, choose_credential
from azcert.config.credentials.flat import FLAT_KEYS
from azcert.config.credentials.identity_web import LISTS
from azcert.config.credentials.spec import CredentialSpec
from azcert.config.options import OPTION_KEYS
from azcert.config.reading.layers import fold
from azcert.config.reading.unknown_keys import refuse_unknown
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from azcert.config.clients.plan import ClientPlan
    from azcert.config.reading.settings import Settings

__all__ = ["DEFAULT_SECTIONS", "Sections"]

DEFAULT_SECTIONS = ("Default", "AzureDefaults")
"""Sections whose credential and options count where a client's own section says nothing."""

_TOP = "AzureClients"
_DEFAULT_KEYS = (*CREDENTIAL_KEYS, *OPTION_KEYS, "Credential", "Options")
# A section of that name may be about something else, such as a default language or domain.
_TELLING = frozenset(map(fold, (*FLAT_KEYS, *LISTS, *OPTION_KEYS, "Credential", "Options")))
# The README of Microsoft.Extensions.Azure has it in its Default section; .NET itself reads nothing from it.
_READ_BY_NOBODY = ("TelemetryPolicy",)


class Sections:
    """Answers what the sections of *settings* ask for; nothing is built."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def section(self, name: str) -> Settings:
        """Return the section of a client: at the root, or in ``AzureClients``.

        :raises azcert.errors.ConfigurationError: there is none.
        """
        for path in (name, f"{_TOP}:{name}"):
            found = self._settings.section(path)
            if found or self._settings.entry(path) is not None:
                return found
        if self._settings.section("ConnectionStrings").entry(name) is not None:
            return self._settings.section(name)
        names = [each for each in self._settings.names() if self._settings.section(each)]
        near = nearest(name, names)
        raise ConfigurationError(
            f"The settings have no section {name}; found {', '.join(names) or 'no section'}.",
            code="no-section",
            remedy=f"Did you mean {near}?" if near else "Check the file's name and the working directory.",
            section=name,
        )

    def defaults(self) -> Settings | None:
        """Return the section of defaults, None if there is none with a credential or options.

        :raises azcert.errors.ConfigurationError: it has a key that nobody would read.
        """
        for name in DEFAULT_SECTIONS:
            found = self._settings.section(name)
            if any(fold(each) in _TELLING for each in found.names()):
                refuse_unknown(found, _DEFAULT_KEYS, ignored=_READ_BY_NOBODY)
                return found
        return None

    def credential(self, name: str | None = None) -> CredentialSpec:
        """Return the credential that section *name* asks for, else the defaults', else the default chain.

        :raises azcert.errors.ConfigurationError: it cannot be built as written.
        """
        wanted = None if name is None else choose_credential(self.section(name))
        defaults = self.defaults()
        if wanted is None and defaults is not None:
            wanted = choose_credential(defaults)
        return wanted or CredentialSpec("DefaultCredential")

    def plan(self, client: type, name: str) -> ClientPlan:
        """Return how *client* is made from section *name*.

        :raises azcert.errors.ConfigurationError: the section does not fit the client.
        """
        return plan_client(client, self.section(name), root=self._settings, defaults=self.defaults())
