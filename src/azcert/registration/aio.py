"""The classes of `azcert.registration`, awaited."""

from __future__ import annotations

from azcert.registration.async_ import Registrations
from azcert.registration.role_assignments_async import RoleAssignments

__all__ = ["Registrations", "RoleAssignments"]
