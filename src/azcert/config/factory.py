"""What both factories share: plans, one credential for the same settings, one client for a section."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from azcert.config.clients.shape import is_asynchronous, shape_of
from azcert.config.credentials.build import build_credential
from azcert.config.credentials.key_credentials import fitting
from azcert.config.credentials.spec import CredentialSpec, identity_of
from azcert.config.options import realise
from azcert.config.reading.layers import fold
from azcert.config.reading.load import load_settings
from azcert.config.sections import Sections
from azcert.config.vault_references import ReferenceReader
from azcert.errors import AzcertError, ConfigurationError

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Mapping
    from typing import Self

    from azcert.config.clients.plan import ClientPlan
    from azcert.config.reading.origin import Entry
    from azcert.config.reading.references import KeyVaultReference
    from azcert.config.reading.settings import Settings

__all__ = ["Factory"]


class Factory:
    """Plans, builds and shares; the public classes add how things are closed.

    :param settings: the settings to read.
    """

    _asynchronous = False

    def __init__(self, settings: Settings) -> None:
        self._references = ReferenceReader(settings, asynchronous=self._asynchronous)
        self._settings = settings.resolving(self._resolve)
        self._sections = Sections(self._settings)
        self._lock = threading.RLock()
        self._credentials: dict[Hashable, Any] = {}
        self._clients: dict[Hashable, Any] = {}
        self._closed = False

    @classmethod
    def from_settings(
        cls,
        settings: str | os.PathLike[str] | Mapping[str, Any] | Settings | None = None,
        *,
        environment: str | None = None,
        prefix: str = "",
        user_secrets: str | None = None,
        values: Mapping[str, Any] | None = None,
    ) -> Self:
        """Return a factory that reads *settings*: files, user secrets, environment variables, *values*.

        :param settings: a file; ``appsettings.json`` (``.toml``, ``.yaml``) of the working directory without
            it. A mapping or ready `Settings` stand in its place.
        :param environment: name of the environment, ``Production`` unless a variable says otherwise.
        :param prefix: only environment variables that begin with it count, without it.
        :param user_secrets: id of user secrets, which count in Development.
        :param values: settings that win over all others.
        :raises azcert.errors.ConfigurationError: a file is not there or malformed.
        """
        return cls(
            load_settings(
                settings, environment=environment, prefix=prefix, user_secrets=user_secrets, values=values
            )
        )

    @property
    def settings(self) -> Settings:
        """The settings, Key Vault references resolved as they are read."""
        return self._settings

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {len(self._clients)} clients, {len(self._credentials)} credentials>"

    def section(self, name: str) -> Settings:
        """Return the section of a client: at the root, or in ``AzureClients``.

        :raises azcert.errors.ConfigurationError: there is none.
        """
        return self._sections.section(name)

    def credential_spec(self, section: str | None = None) -> CredentialSpec:
        """Return the credential that *section* asks for, else the defaults', else the default chain.

        :raises azcert.errors.ConfigurationError: it cannot be built as written.
        """
        return self._sections.credential(section)

    def plan(self, client: type, section: str) -> ClientPlan:
        """Return how *client* is made from *section*; nothing is built.

        :raises azcert.errors.ConfigurationError: the section does not fit the client.
        """
        return self._sections.plan(client, section)

    def credential(self, section: str | None = None) -> Any:
        """Return the credential of *section*, the one object that all clients with the same settings share.

        :raises azcert.errors.AzcertError: it cannot be built.
        """
        return self._shared(self.credential_spec(section))

    def _shared(self, spec: CredentialSpec) -> Any:
        key = identity_of(spec)
        with self._lock:
            self._require_open()
            if key not in self._credentials:
                self._credentials[key] = build_credential(spec, asynchronous=self._asynchronous)
            return self._credentials[key]

    def _get(self, client: type, section: str, keywords: Mapping[str, Any]) -> Any:
        if not isinstance(client, type):
            raise ConfigurationError(
                f"get() takes a client class and a section; {client!r} is no class.",
                code="no-class",
                remedy="Write it as clients.get(SecretClient, 'KeyVault').",
            )
        if is_asynchronous(client) != self._asynchronous:
            right = "azcert.aio.AzureClients" if is_asynchronous(client) else "azcert.AzureClients"
            kind = "asynchronous" if is_asynchronous(client) else "not asynchronous"
            raise ConfigurationError(
                f"{client.__module__}.{client.__name__} is {kind}.",
                code="wrong-factory",
                remedy=f"Get it from {right}.",
            )
        key = (client, fold(section))
        made = None if keywords else self._clients.get(key)
        if made is not None:
            return made  # without the lock, which is held while others are made
        with self._lock:
            self._require_open()
            if keywords:
                made = self._make(client, section, keywords)
                self._clients[(client, fold(section), len(self._clients))] = made
                return made
            if key not in self._clients:
                self._clients[key] = self._make(client, section, keywords)
            return self._clients[key]

    def _make(self, client: type, section: str, given: Mapping[str, Any]) -> Any:
        plan = self.plan(client, section)
        keywords = {**plan.arguments, **realise(dict(plan.keywords)), **given}
        if plan.credential is not None and "credential" not in given:
            accepted = shape_of(client).parameters["credential"].type
            keywords["credential"] = fitting(self._shared(plan.credential), client, accepted)
        if plan.cache is not None:
            keywords["per_call_policies"] = [
                *_listed(keywords.get("per_call_policies")),
                self._policy(plan.cache),
            ]
        constructor: Any = getattr(client, plan.constructor) if plan.constructor else client
        try:
            return constructor(**keywords)
        except AzcertError:
            raise
        except (ValueError, TypeError, NotImplementedError) as error:
            raise ConfigurationError(
                f"{client.__name__} refuses the section {section}: {error}",
                code="client-refused",
                remedy="Correct the section; `azcert config show` prints what it amounts to.",
                section=section,
            ) from error

    def _policy(self, rules: Any) -> Any:
        raise NotImplementedError

    def _resolve(self, reference: KeyVaultReference, entry: Entry) -> str:
        self._require_open()
        return self._references.read(reference, entry)

    def _read_references(self) -> None:
        self._require_open()
        self._references.read_all()

    def _require_open(self) -> None:
        if self._closed:
            raise ConfigurationError(
                "These AzureClients are closed.", code="closed", remedy="Make new ones, or close them later."
            )

    def _take_all(self) -> list[Any]:
        """Return all that is to be closed, clients first; what reads references is closed here."""
        with self._lock:
            self._closed = True
            mine = [*self._clients.values(), *self._credentials.values()]
            self._clients, self._credentials = {}, {}
        self._references.close()
        return mine


def _listed(policies: Any) -> list[Any]:
    if policies is None:
        return []
    return list(policies) if isinstance(policies, list | tuple) else [policies]
