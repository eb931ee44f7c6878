"""App registrations through Microsoft Graph, and their roles; `azcert.registration.aio` has the same awaited.

Each name is imported when it is first used: start-up time is felt by every short-lived process.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert._late import late

if TYPE_CHECKING:
    from azcert.registration.model import Application, Created, KeyCredential, PasswordCredential
    from azcert.registration.proof import proof_of_possession
    from azcert.registration.role_assignments import RoleAssignments
    from azcert.registration.sync import Registrations

__all__ = [
    "Application",
    "Created",
    "KeyCredential",
    "PasswordCredential",
    "Registrations",
    "RoleAssignments",
    "proof_of_possession",
]

_HOMES = {
    "Application": "azcert.registration.model",
    "Created": "azcert.registration.model",
    "KeyCredential": "azcert.registration.model",
    "PasswordCredential": "azcert.registration.model",
    "Registrations": "azcert.registration.sync",
    "RoleAssignments": "azcert.registration.role_assignments",
    "proof_of_possession": "azcert.registration.proof",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    return late(name, _HOMES, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
