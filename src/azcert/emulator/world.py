"""All that the emulated services share: what is known, what time it is, how slow the service is."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from azcert.emulator.faults import Faults
from azcert.emulator.state import Documents

__all__ = ["Clock", "Delays", "World"]


class Clock:
    """The emulator's time: the machine's, shifted."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        return time.time() + self.offset

    def set(self, moment: float) -> None:
        """Make it *moment* (seconds since the epoch) now; time goes on from there."""
        self.offset = moment - time.time()

    def advance(self, seconds: float) -> None:
        """Move the clock by *seconds*, backwards where negative."""
        self.offset += seconds


@dataclass
class Delays:
    """How long the real service takes, in seconds; all zero unless asked for."""

    propagation: float = 0.0
    """A certificate or role added is known to the front ends after this long."""
    deletion: float = 0.0
    """A deleted object appears among the deleted ones after this long."""
    recovery: float = 0.0
    """A recovered or restored object is live after this long."""
    issuance: float = 0.0
    """A certificate that a vault makes is ready after this long."""
    sign_in: float = 0.0
    """The person of the device code flow has signed in after this long."""
    latency: float = 0.0
    """Every answer takes this long."""


@dataclass
class World:
    """The state behind every emulated host.

    Documents by kind (keys are lower case where the service ignores case):

    ``tenant``  tenant id -> ``{id, domains: [..]}``
    ``app``     client id -> Graph's application object (``id``, ``appId``, ``displayName``,
                ``keyCredentials`` with ``key`` always kept, ``passwordCredentials``) plus the emulator's own
                ``tenant``, ``servicePrincipalId``, ``trustedCertificateSubjects``
    ``vault``   vault name -> ``{name, tenant, suffix, retentionDays}``
    ``role``    ``vault/servicePrincipalId`` -> list of role names, or ``{name, addedAt}`` where time matters
    Each service adds kinds of its own, named in its module. A key or role with ``addedAt`` (seconds since the
    epoch, the emulator's own field) is known only once ``delays.propagation`` has passed since.
    """

    documents: Documents = field(default_factory=Documents)
    clock: Clock = field(default_factory=Clock)
    delays: Delays = field(default_factory=Delays)
    record: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=1000))
    """What clients sent and how it ended, newest last; assertions decoded, never a signature or a secret."""
    requests: deque[dict[str, Any]] = field(default_factory=lambda: deque(maxlen=1000))
    """Every request, newest last: ``at``, ``method``, ``host``, ``path``, ``status``, ``fault`` if any, and
    ``batch`` where it was a part of Graph's ``$batch``."""
    faults: Faults = field(default_factory=Faults)
    """What shall go wrong."""
    token_lifetime: int = 3599
    """``expires_in`` of an access token, in seconds."""
    tokens_revoked_before: float = 0.0
    """Vaults answer a token issued before this moment with a CAE claims challenge."""
    empty_pages: int = 0
    """So many empty pages follow the last item of a vault's list, as the real service may send."""

    def begin_again(self, documents: list[tuple[str, str, str]]) -> None:
        """Put everything back: *documents* (of `Documents.snapshot`), and the rest as in a new world."""
        self.documents.restore(documents)
        self.clock.offset = 0.0
        self.faults.clear()
        self.requests.clear()
        self.record.clear()
        self.delays = Delays()
        for each in fields(self):
            if each.default is not MISSING:
                setattr(self, each.name, each.default)
