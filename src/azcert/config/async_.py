"""Clients and credentials from settings, awaited."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, TypeVar, cast

from azcert.config.factory import Factory
from azcert.vault.async_ import SecretCachePolicy
from azcert.wire.loops import in_thread

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from azcert.vault.policy import CacheRules

__all__ = ["AzureClients"]

C = TypeVar("C")


class AzureClients(Factory):
    """Makes asynchronous Azure clients and their credentials from settings, and closes all it made.

    ::

        clients = AzureClients.from_settings()
        secrets = clients.get(SecretClient, "KeyVault")

    ``async with`` and `ready` read the secrets behind all Key Vault references of the settings in worker
    threads; from then on `get` answers from memory. Without them a reference that is needed keeps the event
    loop waiting, which is said once in the log.
    """

    _asynchronous = True

    def get(self, client: type[C], section: str, **keywords: Any) -> C:
        """Return the *client* that *section* describes, the same object each time.

        :param client: a client class of any Azure SDK package, from its ``aio`` module.
        :param section: path of its section, ``KeyVault`` or ``Storage:Archive``.
        :param keywords: arguments by their Python names that win over the settings; with them, a new client.
        :raises azcert.errors.ConfigurationError: the section is not there or does not fit the client.
        :raises azcert.errors.AzcertError: its certificate cannot be used.
        """
        return cast("C", self._get(client, section, keywords))

    async def ready(self) -> None:
        """Read the secrets behind all Key Vault references of the settings anew, without blocking the loop.

        :raises azcert.errors.AzcertError: one cannot be read; the message names all of them.
        """
        await in_thread(self._read_references)

    def _policy(self, rules: CacheRules) -> SecretCachePolicy:
        return SecretCachePolicy(rules)

    async def close(self) -> None:
        """Close every client and credential made here; one failure does not keep the others open."""
        async with AsyncExitStack() as stack:
            for each in reversed(self._take_all()):
                if hasattr(each, "close"):
                    stack.push_async_callback(each.close)

    async def __aenter__(self) -> Self:
        try:
            await self.ready()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.close()
