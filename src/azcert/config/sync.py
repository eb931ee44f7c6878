"""Clients and credentials from settings, for threads."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, TypeVar, cast

from azcert.config.credentials.build import build_credential
from azcert.config.factory import Factory
from azcert.vault.sync import SecretCachePolicy

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from azcert.config.reading.load import SettingsFrom
    from azcert.vault.policy import CacheRules

__all__ = ["AzureClients", "credential_from_settings"]

C = TypeVar("C")


class AzureClients(Factory):
    """Makes Azure clients and their credentials from settings, and closes all it made.

    ::

        clients = AzureClients.from_settings()
        secrets = clients.get(SecretClient, "KeyVault")
    """

    def get(self, client: type[C], section: str, **keywords: Any) -> C:
        """Return the *client* that *section* describes, the same object each time.

        :param client: a client class of any Azure SDK package.
        :param section: path of its section, ``KeyVault`` or ``Storage:Archive``.
        :param keywords: arguments by their Python names that win over the settings; with them, a new client.
        :raises azcert.errors.ConfigurationError: the section is not there or does not fit the client.
        :raises azcert.errors.AzcertError: its certificate cannot be used.
        """
        return cast("C", self._get(client, section, keywords))

    def ready(self) -> None:
        """Read the secrets behind all Key Vault references of the settings now, several at once.

        Without it each is read when it is first needed.

        :raises azcert.errors.AzcertError: one cannot be read; the message names all of them.
        """
        self._read_references()

    def _policy(self, rules: CacheRules) -> SecretCachePolicy:
        return SecretCachePolicy(rules)

    def close(self) -> None:
        """Close every client and credential made here; one failure does not keep the others open."""
        with ExitStack() as stack:
            for each in reversed(self._take_all()):
                stack.callback(getattr(each, "close", _nothing))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.close()


def _nothing() -> None:
    """Stand for the ``close`` of a credential that holds nothing open."""


def credential_from_settings(settings: SettingsFrom, section: str | None = None) -> Any:
    """Return the credential that *section* describes, else the defaults', else the default chain.

    :raises azcert.errors.ConfigurationError: the settings cannot be read, or describe none that can be built.
    """
    factory = AzureClients.from_settings(settings)
    return build_credential(factory.credential_spec(section), asynchronous=False)
