"""Role assignments, awaited: each method runs one flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.registration.graph import DEFAULT_AUTHORITY
from azcert.registration.roles import Roles, arm_host
from azcert.wire.async_ import AsyncChannel

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from azure.core.credentials_async import AsyncTokenCredential

__all__ = ["RoleAssignments"]


class RoleAssignments:
    """The role assignments at vaults that an identity may make.

    :param credential: signs in to Azure Resource Manager.
    :keyword authority: host of the authority, which tells the cloud; the public one by default.
    :keyword options: azure-core's pipeline keywords.
    """

    def __init__(
        self, credential: AsyncTokenCredential, *, authority: str = DEFAULT_AUTHORITY, **options: Any
    ) -> None:
        from azure.core.pipeline.policies import (  # azure-core is slow to import
            AsyncBearerTokenCredentialPolicy,
            AsyncRetryPolicy,
        )

        self._flows = Roles(arm_host(authority))
        signed = [
            AsyncRetryPolicy(**options),
            AsyncBearerTokenCredentialPolicy(credential, self._flows.scope),
        ]
        self._channel = AsyncChannel(
            {**options, "per_call_policies": [*options.get("per_call_policies", ()), *signed]}
        )

    async def vault(self, name: str, *, subscription: str | None = None) -> str:
        """Return the resource id of a vault, of *subscription* or of any that this identity can see."""
        return await self._channel.run(self._flows.vault(name, subscription=subscription))

    async def assign(self, resource: str, role: str, principal_id: str) -> bool:
        """Give a service principal a role of `azcert.registration.roles.ROLES`; False where it had it."""
        return await self._channel.run(self._flows.assign(resource, role, principal_id))

    async def close(self) -> None:
        """Close the connections."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()
