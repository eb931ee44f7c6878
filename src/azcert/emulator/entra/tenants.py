"""How a tenant may be named in a path."""

from __future__ import annotations

import re

from azcert.emulator.entra import faults
from azcert.emulator.entra.faults import EntraRefusal

__all__ = ["check_tenant_name"]

_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_DNS = re.compile(r"(?!-)[a-z0-9-]{1,63}(?:\.(?!-)[a-z0-9-]{1,63})*")


def check_tenant_name(name: str) -> None:
    """Check that *name* is a GUID or a DNS name.

    :raises azcert.emulator.entra.faults.EntraRefusal: the empty GUID (900021) or neither (900023).
    """
    lowered = name.lower()
    if _GUID.fullmatch(lowered):
        if set(lowered) <= {"0", "-"}:
            raise EntraRefusal(faults.TENANT_EMPTY, tenant=name)
    elif not _DNS.fullmatch(lowered):
        raise EntraRefusal(faults.TENANT_MALFORMED, tenant=name)
