"""What both factories share: plans, one credential for the same settings, one client for a section."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from azcert._redact import Secret
from azcert._values import nearest
from azcert.config.build import build_credential
from azcert.config.choose import choose_credential
from azcert.config.client_plan import plan_client
from azcert.config.layers import fold
from azcert.config.load import load_settings
from azcert.config.options import realise
from azcert.config.shape import is_asynchronous, shape_of
from azcert.config.spec import CredentialSpec, identity_of
from azcert.errors import AzcertError, ConfigurationError

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Mapping
    from typing import Self

    from azcert.config.client_plan import ClientPlan
    from azcert.config.references import KeyVaultReference
    from azcert.config.settings import Settings

__all__ = ["DEFAULT_SECTIONS", "Factory"]

DEFAULT_SECTIONS = ("Default", "AzureDefaults")
"""Sections whose credential and options count where a client's own section says nothing."""

_TOP = "AzureClients"
_REFERENCES = "KeyVaultReferences"


class Factory:
    """Plans, builds and shares; the public classes add how things are closed.

    :param settings: the settings to read.
    """

    _asynchronous = False

    def __init__(self, settings: Settings) -> None:
        self._settings = settings.resolving(self._resolve)
        self._lock = threading.RLock()
        self._credentials: dict[Hashable, Any] = {}
        self._clients: dict[Hashable, Any] = {}
        self._readers: dict[str, Any] = {}
        self._reader_credential: Any = None
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
        for path in (name, f"{_TOP}:{name}"):
            found = self._settings.section(path)
            if found or self._settings.entry(path) is not None:
                return found
        if self._settings.section("ConnectionStrings").entry(name) is not None:
            return self._settings.section(name)
        names = self._candidates()
        near = nearest(name, names)
        raise ConfigurationError(
            f"The settings have no section {name}; found {', '.join(names) or 'no section'}.",
            code="no-section",
            remedy=f"Did you mean {near}?" if near else "Check the file's name and the working directory.",
            section=name,
        )

    def _candidates(self) -> list[str]:
        return [name for name in self._settings.names() if self._settings.section(name)]

    def _defaults(self) -> Settings | None:
        for name in DEFAULT_SECTIONS:
            found = self._settings.section(name)
            if found:
                return found
        return None

    def credential_spec(self, section: str | None = None) -> CredentialSpec:
        """Return the credential that *section* asks for, else the defaults', else the default chain.

        :raises azcert.errors.ConfigurationError: it cannot be built as written.
        """
        wanted = None if section is None else choose_credential(self.section(section))
        defaults = self._defaults()
        if wanted is None and defaults is not None:
            wanted = choose_credential(defaults)
        return wanted or CredentialSpec("DefaultCredential")

    def plan(self, client: type, section: str) -> ClientPlan:
        """Return how *client* is made from *section*; nothing is built.

        :raises azcert.errors.ConfigurationError: the section does not fit the client.
        """
        return plan_client(client, self.section(section), root=self._settings, defaults=self._defaults())

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
        if is_asynchronous(client) != self._asynchronous:
            right = "azcert.aio.AzureClients" if is_asynchronous(client) else "azcert.AzureClients"
            kind = "asynchronous" if is_asynchronous(client) else "not asynchronous"
            raise ConfigurationError(
                f"{client.__module__}.{client.__name__} is {kind}.",
                code="wrong-factory",
                remedy=f"Get it from {right}.",
            )
        key = (client, fold(section))
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
            keywords["credential"] = self._credential_for(client, plan.credential)
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

    def _credential_for(self, client: type, spec: CredentialSpec) -> Any:
        credential = self._shared(spec)
        if not isinstance(credential, Secret):
            return credential
        accepted = shape_of(client).parameters["credential"].type
        if "AzureKeyCredential" in accepted:
            from azure.core.credentials import AzureKeyCredential  # noqa: PLC0415 - few clients take keys

            return AzureKeyCredential(credential.reveal())
        if "str" in accepted:
            return credential.reveal()
        raise ConfigurationError(
            f"{client.__name__} takes no key; {spec.origin} gives one.",
            code="no-key-accepted",
            remedy="Use another CredentialSource.",
        )

    def _policy(self, rules: Any) -> Any:
        raise NotImplementedError

    def _resolve(self, reference: KeyVaultReference) -> str:
        """Read the secret behind a Key Vault reference, with a client for threads, whichever kind this is."""
        from azure.keyvault.secrets import SecretClient  # noqa: PLC0415 - slow to import

        with self._lock:
            self._require_open()
            if self._reader_credential is None:
                self._reader_credential = build_credential(self._reader_spec(), asynchronous=False)
            if reference.vault_url not in self._readers:
                self._readers[reference.vault_url] = SecretClient(
                    reference.vault_url, self._reader_credential
                )
            reader = self._readers[reference.vault_url]
        return reader.get_secret(reference.name, reference.version).value or ""

    def _reader_spec(self) -> CredentialSpec:
        # The section's own values must not be references to what it signs in for: they are read unresolved.
        unresolved = self._settings.resolving(None)
        for name in (_REFERENCES, *DEFAULT_SECTIONS):
            wanted = choose_credential(unresolved.section(name))
            if wanted is not None:
                return wanted
        return CredentialSpec("DefaultCredential")

    def _require_open(self) -> None:
        if self._closed:
            raise ConfigurationError(
                "These AzureClients are closed.", code="closed", remedy="Make new ones, or close them later."
            )

    def _take_all(self) -> tuple[list[Any], list[Any]]:
        """Return all that is to be closed, clients first: own things, then those that only threads use."""
        with self._lock:
            self._closed = True
            made = [*self._clients.values(), *self._credentials.values()]
            mine = [each for each in made if not isinstance(each, Secret)]
            readers = [*self._readers.values(), *filter(None, [self._reader_credential])]
            self._clients, self._credentials, self._readers = {}, {}, {}
            self._reader_credential = None
            return mine, readers


def _listed(policies: Any) -> list[Any]:
    if policies is None:
        return []
    return list(policies) if isinstance(policies, list | tuple) else [policies]
