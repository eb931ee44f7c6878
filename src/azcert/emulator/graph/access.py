"""Who calls Graph, and what its permissions allow.

https://learn.microsoft.com/graph/permissions-reference
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azcert.emulator.entra import tokens
from azcert.emulator.entra.resources import GRAPH
from azcert.emulator.graph import faults
from azcert.emulator.graph.faults import GraphRefusal

if TYPE_CHECKING:
    from azcert.emulator.world import World

__all__ = ["Caller", "authenticate"]

OWNED = "Application.ReadWrite.OwnedBy"
WRITE = frozenset({"Application.ReadWrite.All", "Directory.ReadWrite.All"})
ACTIVITY = frozenset({"AuditLog.Read.All", "Directory.Read.All"})
READ = WRITE | {OWNED, "Application.Read.All", "Directory.Read.All"}


@dataclass(frozen=True)
class Caller:
    """What a token says of its bearer."""

    principal: str
    app_id: str
    tenant: str
    permissions: frozenset[str]

    def check_may_read(self) -> None:
        """Check the permission to read registrations.

        :raises GraphRefusal: 403.
        """
        if not self.permissions & READ:
            raise GraphRefusal(faults.DENIED)

    def check_may_read_activity(self) -> None:
        """Check the permission to read reports on sign-ins.

        :raises GraphRefusal: 403.
        """
        if not self.permissions & ACTIVITY:
            raise GraphRefusal(faults.DENIED)

    def check_may_create(self) -> None:
        """Check the permission to make a registration.

        :raises GraphRefusal: 403.
        """
        if not self.permissions & (WRITE | {OWNED}):
            raise GraphRefusal(faults.DENIED)

    def check_may_write(self, app: dict[str, Any]) -> None:
        """Check the permission to change *app*: on all, or on those it owns.

        :raises GraphRefusal: 403.
        """
        owns = OWNED in self.permissions and self.principal in (app.get("owners") or ())
        if not self.permissions & WRITE and not owns:
            raise GraphRefusal(faults.DENIED)

    def check_may_roll_keys(self, app: dict[str, Any]) -> None:
        """Check that the caller is *app* itself, which needs no permission for that, or may change it.

        :raises GraphRefusal: 403.
        """
        if self.app_id.lower() != str(app["appId"]).lower():
            self.check_may_write(app)


def authenticate(world: World, host: str, authorization: str) -> Caller:
    """Check the Authorization header and return the caller.

    :raises GraphRefusal: 401.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise GraphRefusal(faults.NO_TOKEN)
    try:
        claims = tokens.check(world, token.strip())
    except tokens.InvalidTokenError as error:
        raise GraphRefusal(faults.BAD_TOKEN, reason=str(error)) from error
    if str(claims["aud"]).rstrip("/") not in {GRAPH, f"https://{host}"}:
        raise GraphRefusal(faults.BAD_TOKEN, reason="Invalid audience.")
    permissions = {*claims.get("roles", ()), *str(claims.get("scp", "")).split()}
    return Caller(
        str(claims["oid"]),
        str(claims.get("appid") or claims.get("azp") or ""),
        str(claims["tid"]).lower(),
        frozenset(permissions),
    )
