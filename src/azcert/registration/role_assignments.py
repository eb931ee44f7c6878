"""Role assignments, with threads: each method runs one flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.registration.graph import DEFAULT_AUTHORITY
from azcert.registration.roles import Roles, arm_host
from azcert.wire.sync import Channel

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from azure.core.credentials import TokenCredential

__all__ = ["RoleAssignments"]


class RoleAssignments:
    """The role assignments at vaults that an identity may make.

    :param credential: signs in to Azure Resource Manager.
    :keyword authority: host of the authority, which tells the cloud; the public one by default.
    :keyword options: azure-core's pipeline keywords.
    """

    def __init__(
        self, credential: TokenCredential, *, authority: str = DEFAULT_AUTHORITY, **options: Any
    ) -> None:
        from azure.core.pipeline.policies import (  # azure-core is slow to import
            BearerTokenCredentialPolicy,
            RetryPolicy,
        )

        self._flows = Roles(arm_host(authority))
        signed = [RetryPolicy(**options), BearerTokenCredentialPolicy(credential, self._flows.scope)]
        self._channel = Channel(
            {**options, "per_call_policies": [*options.get("per_call_policies", ()), *signed]}
        )

    def vault(self, name: str, *, subscription: str | None = None) -> str:
        """Return the resource id of a vault, of *subscription* or of any that this identity can see."""
        return self._channel.run(self._flows.vault(name, subscription=subscription))

    def assign(self, resource: str, role: str, principal_id: str) -> bool:
        """Give a service principal a role of `azcert.registration.roles.ROLES`; False where it had it."""
        return self._channel.run(self._flows.assign(resource, role, principal_id))

    def close(self) -> None:
        """Close the connections."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()
