"""Who asks for which token, by which clock: the values that the engine's parts hand to each other."""

from __future__ import annotations

import datetime as dt
from time import monotonic, time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from azcert.entra.authority import Authority

__all__ = ["SYSTEM_CLOCK", "UNAVAILABLE", "Clock", "Identity", "Wanted", "moment"]

UNAVAILABLE = "endpoint-unavailable"
"""Code of the error that says the endpoint did not answer in time."""


class Clock(NamedTuple):
    """The two clocks of a process, so that a test can bring its own."""

    time: Callable[[], float] = time
    monotonic: Callable[[], float] = monotonic


SYSTEM_CLOCK = Clock()


class Identity(NamedTuple):
    """Who asks, and where: what does not change while a credential lives."""

    tenant_id: str
    client_id: str
    authority: Authority
    send_chain: bool = False
    additionally_allowed_tenants: frozenset[str] = frozenset()


class Wanted(NamedTuple):
    """Which token a call wants, whatever its spelling; without ``claims``, the token's identity."""

    scopes: tuple[str, ...]
    tenant_id: str
    enable_cae: bool
    claims: str | None = None

    @property
    def identity(self) -> Hashable:
        """What one token in memory is kept under."""
        return self[:3]


def moment(seconds: float) -> str:
    """Return seconds since the epoch as people read them, in UTC."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
