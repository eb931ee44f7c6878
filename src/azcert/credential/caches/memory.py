"""Tokens of one process: a bounded table whose readers take no lock, and a cache made of it.

Readers look up a plain dictionary. They leave a mark on what they found (a count), and only writers, under
the lock, read the marks: when the table is full, one sweep drops what has expired, then what nobody has read
since the last sweep, oldest first, then the oldest. So recency costs a reader one increment, and a writer, on
average, a look at a few entries.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from azcert._redact import Secret
from azcert.credential.caches.entry import StoredToken
from azcert.credential.fork_lock import ForkLock
from azcert.credential.forks import renew_after_fork
from azcert.credential.tokens import Slot

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

    from azcert.credential.caches.entry import TokenKey

__all__ = ["DEFAULT_LIMIT", "MemoryCache", "TokenTable"]

DEFAULT_LIMIT = 100_000
"""Tokens kept by default: some 250 MB of the usual 2 KB tokens, if there ever were so many."""

_SWEEP_SHARE = 16
_MAX_NAMES = 8


class TokenTable:
    """Ready tokens under every name they are asked by.

    A token has one *identity* and up to eight further *names*: the arguments of the calls that wanted it, in
    whatever order and spelling. ``hits`` maps them all to slots and is what readers look up without a lock.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT, *, clock: Callable[[], float] = time.time) -> None:
        self.hits: dict[Hashable, Slot] = {}
        self._slots: dict[Hashable, Slot] = {}
        self._limit = limit
        self._clock = clock
        self._lock = ForkLock()
        self._past_hits = 0

    def __len__(self) -> int:
        return len(self._slots)

    @property
    def hit_count(self) -> int:
        """How often tokens were handed out from memory; may miss a few where threads counted at once."""
        with self._lock:
            return self._past_hits + sum(slot.hits for slot in self._slots.values())

    def find(self, identity: Hashable, name: Hashable = None) -> Slot | None:
        """Return the slot of that identity, fresh or not, and let *name* find it from now on."""
        slot = self._slots.get(identity)
        if slot is None:
            # Perhaps it is just being replaced.
            with self._lock:
                slot = self._slots.get(identity)
        if slot is not None and name is not None and name not in self.hits:
            with self._lock:
                if self._slots.get(identity) is slot:
                    self._name(slot, name)
        return slot

    def put(self, identity: Hashable, slot: Slot) -> None:
        """Keep the slot in place of an older one; the names of the older one lead to it."""
        with self._lock:
            older = self._slots.pop(identity, None)
            if older is not None:
                slot.hits = older.hits
            self._slots[identity] = slot
            slot.names = older.names if older is not None else ()
            for name in slot.names:
                self.hits[name] = slot
            if len(self._slots) > self._limit:
                self._sweep()

    def remove(self, identity: Hashable) -> None:
        """Forget a token."""
        with self._lock:
            slot = self._slots.pop(identity, None)
            if slot is not None:
                self._drop_names(slot)

    def _name(self, slot: Slot, name: Hashable) -> None:
        if len(slot.names) < _MAX_NAMES:
            slot.names = (*slot.names, name)
            self.hits[name] = slot

    def _drop_names(self, slot: Slot) -> None:
        self._past_hits += slot.hits
        for name in slot.names:
            self.hits.pop(name, None)

    def _sweep(self) -> None:
        now = self._clock()
        # Some room is made at once, so that a full table is not swept for every newcomer.
        surplus = len(self._slots) - self._limit + self._limit // _SWEEP_SHARE
        expired, unused, used = [], [], []
        for identity, slot in self._slots.items():
            if slot.expires_on <= now:
                expired.append(identity)
            elif slot.hits == slot.swept_at:
                unused.append(identity)
            else:
                used.append(identity)
            slot.swept_at = slot.hits
        for identity in (*expired, *(*unused, *used)[: max(0, surplus - len(expired))]):
            self._drop_names(self._slots.pop(identity))


class MemoryCache:
    """A `TokenCache` for the credentials of one process, such as a sync and an async one side by side.

    :param limit: how many tokens are kept.
    """

    def __init__(self, limit: int = DEFAULT_LIMIT) -> None:
        self._table = TokenTable(limit)
        self._lock = ForkLock()
        self._leases: dict[TokenKey, _Lease] = {}
        renew_after_fork(self)

    @property
    def shared(self) -> bool:
        """False: other processes do not see it."""
        return False

    def get(self, key: TokenKey) -> StoredToken | None:
        """Return the entry, expired or not, or None."""
        slot = self._table.find(key)
        if slot is None:
            return None
        slot.hits += 1
        return StoredToken(Secret(slot.token.token), slot.expires_on, slot.refresh_on)

    def put(self, key: TokenKey, token: StoredToken) -> None:
        """Keep the token in place of an older one."""
        slot = Slot(token.token.reveal(), expires_on=token.expires_on, refresh_on=token.refresh_on)
        self._table.put(key, slot)

    def remove(self, key: TokenKey) -> None:
        """Forget the entry."""
        self._table.remove(key)

    @contextlib.contextmanager
    def lease(self, key: TokenKey, seconds: float) -> Iterator[bool]:
        """Enter with True for one caller at a time, with False for those who waited for it."""
        with self._lock:
            lease = self._leases.setdefault(key, _Lease())
            lease.users += 1
        first = lease.lock.acquire(blocking=False)
        held = first or lease.lock.acquire(timeout=seconds)
        try:
            yield first
        finally:
            if held:
                lease.lock.release()
            with self._lock:
                lease.users -= 1
                if not lease.users:
                    self._leases.pop(key, None)

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""

    def _after_fork(self) -> None:
        # Their holders are threads of the parent.
        self._leases = {}


class _Lease:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.users = 0
