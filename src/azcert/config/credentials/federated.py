"""An application that trusts a managed identity: the identity's token is the application's assertion."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

__all__ = ["AsyncFederatedCredential", "FederatedCredential"]


class FederatedCredential:
    """A managed identity as a federated identity credential (learn.microsoft.com/entra/workload-id).

    :param identity: gives the assertions.
    :param scope: what they are for, ``api://AzureADTokenExchange/.default`` in the public cloud.
    :param options: of azure-identity's ``ClientAssertionCredential``.
    """

    def __init__(self, identity: Any, *, tenant_id: str, client_id: str, scope: str, **options: Any) -> None:
        from azure.identity import ClientAssertionCredential  # slow to import

        self._identity = identity
        self._application = ClientAssertionCredential(
            tenant_id, client_id, lambda: str(identity.get_token(scope).token), **options
        )

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """Return a token of the application."""
        return self._application.get_token(*scopes, **kwargs)

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return a token of the application, with its times."""
        return self._application.get_token_info(*scopes, options=options)

    def close(self) -> None:
        """Close both credentials."""
        self._application.close()
        self._identity.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.close()


class AsyncFederatedCredential:
    """`FederatedCredential`, awaited.

    azure-identity's asynchronous class takes a plain function for the assertion, so the token that it
    returns is awaited before.
    """

    def __init__(self, identity: Any, *, tenant_id: str, client_id: str, scope: str, **options: Any) -> None:
        from azure.identity.aio import ClientAssertionCredential  # slow to import

        self._identity = identity
        self._scope = scope
        self._assertion = ""
        self._application = ClientAssertionCredential(
            tenant_id, client_id, lambda: self._assertion, **options
        )

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """Return a token of the application."""
        self._assertion = (await self._identity.get_token(self._scope)).token
        return await self._application.get_token(*scopes, **kwargs)

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
        """Return a token of the application, with its times."""
        self._assertion = (await self._identity.get_token(self._scope)).token
        return await self._application.get_token_info(*scopes, options=options)

    async def close(self) -> None:
        """Close both credentials."""
        await self._application.close()
        await self._identity.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.close()
