"""What the credential decides, without I/O: from which cache, with which certificate, and when again.

`Engine.acquire` is a flow: it yields requests, pauses and work, and the sync and the async credential only do
them. Both therefore send the same bytes and fail in the same words.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from azcert import errors
from azcert._redact import Secret
from azcert.credential.caches.entry import StoredToken, TokenKey
from azcert.credential.events import Event, EventKind
from azcert.credential.fork_lock import ForkLock
from azcert.credential.freshness import Freshness, freshness, refresh_pause
from azcert.credential.rare_log import RareLog
from azcert.credential.tokens import Slot
from azcert.credential.wanted import UNAVAILABLE, Wanted, moment
from azcert.entra.authority import check_tenant, resolve_tenant
from azcert.errors import AzcertError
from azcert.wire.message import Work

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from azcert.certificate.signer import SigningCertificate
    from azcert.credential.caches.entry import TokenCache
    from azcert.credential.caches.memory import TokenTable
    from azcert.credential.endpoint import Endpoint
    from azcert.credential.events import OnEvent
    from azcert.credential.retry_rule import RetryRule
    from azcert.credential.wanted import Clock, Identity
    from azcert.entra.region import Regions
    from azcert.sources.follow import Follower
    from azcert.wire.message import LongFlow

__all__ = ["Engine"]

_LOG = logging.getLogger("azcert.credential")

_LEASE = 5.0
_QUIET = 15.0


class Engine:
    """Everything a credential knows, shared by all its callers. Safe for threads.

    :param cache: asked after memory and before the endpoint, or None.
    :param owns_cache: close it with the engine: nobody else has it.
    :param check_authority: gives a flow, for so many seconds, that raises if the authority is not to be
        trusted; or None. It succeeds once.
    """

    def __init__(
        self,
        identity: Identity,
        follower: Follower,
        *,
        table: TokenTable,
        rule: RetryRule,
        cache: TokenCache | None = None,
        owns_cache: bool = False,
        regions: Regions | None = None,
        check_authority: Callable[[float], LongFlow[None]] | None = None,
        on_event: OnEvent | None = None,
        clock: Clock,
    ) -> None:
        self.identity = identity
        self.table = table
        self.rule = rule
        self.clock = clock
        self.cache = cache
        self._follower = follower
        self._owns_cache = owns_cache
        self._check_authority = check_authority
        self._on_event = on_event
        self._regions = regions
        self._lock = ForkLock()
        self._endpoint: Endpoint | None = None
        self._rare_log = RareLog(_LOG, pause=_QUIET, clock=clock.monotonic)

    def wanted(
        self,
        scopes: tuple[str, ...],
        claims: str | None,
        tenant_id: str | None,
        enable_cae: bool,
        method: str,
    ) -> Wanted:
        """Return which token these arguments of *method* stand for.

        :raises ValueError: no scope.
        :raises AuthenticationError: a tenant that is not allowed.
        """
        if not scopes:
            raise ValueError(f'"{method}" requires at least one scope')
        tenant = resolve_tenant(
            self.identity.tenant_id, tenant_id, self.identity.additionally_allowed_tenants
        )
        return Wanted(tuple(sorted(set(scopes))), check_tenant(tenant), bool(enable_cae), claims or None)

    def in_memory(self, wanted: Wanted, name: Hashable) -> tuple[Slot | None, Freshness]:
        """Return what memory has, and what to do with it. A challenge's claims pass every cache by."""
        if wanted.claims is not None:
            return None, Freshness.MUST_REFRESH
        slot = self.table.find(wanted.identity, name)
        if slot is None:
            return None, Freshness.MUST_REFRESH
        now = self.clock.time()
        if now >= slot.expires_on:
            return slot, Freshness.MUST_REFRESH
        return slot, Freshness.USE if now < slot.fresh_until else Freshness.REFRESH_EARLY

    def begin_refresh(self, slot: Slot) -> None:
        """Let callers have this token without a thought while its refresh is under way."""
        slot.fresh_until = min(slot.expires_on, self.clock.time() + self.rule.timeout)

    def pause_refresh(self, slot: Slot, wanted: Wanted, error: Exception) -> None:
        """Keep the good token after a failed refresh, and try again after a while."""
        import random  # whoever has a token need not wait for it

        slot.failures += 1
        now = self.clock.time()
        pause = max(
            refresh_pause(slot.failures, random.random()),  # noqa: S311  (jitter)
            self._opened_endpoint().backoff(wanted.tenant_id).closed_for(self.clock.monotonic()),
        )
        slot.fresh_until = min(slot.expires_on, now + pause)
        self._rare_log.warning(
            "refresh",
            "The token for %s in tenant %s could not be renewed ahead of time; it stays in use until %s, and "
            "the next try is in %.0f s: %s",
            " ".join(wanted.scopes),
            wanted.tenant_id,
            moment(slot.expires_on),
            slot.fresh_until - now,
            error,
        )

    def tell(self, kind: EventKind, wanted: Wanted, *, seconds: float = 0.0, code: str | None = None) -> None:
        """Tell the hook, if there is one."""
        if self._on_event is not None:
            try:
                self._on_event(Event(kind, wanted.tenant_id, wanted.scopes, seconds, code))
            except Exception as error:  # noqa: BLE001  (an observer's fault is no reason to be without a token)
                self._rare_log.warning("hook", "The on_event hook failed: %r", error)

    def deadline(self, timeout: float | None) -> float:
        """Return until when a call that begins now may take, by the monotonic clock."""
        return self.clock.monotonic() + (self.rule.timeout if timeout is None else timeout)

    def until(self, deadline: float, state: Freshness) -> float:
        """Return a flight's deadline: its first caller's, or its own where nobody waits for it."""
        return self.deadline(None) if state is Freshness.REFRESH_EARLY else deadline

    def out_of_time(self, wanted: Wanted) -> errors.AuthenticationError:
        """Return the error for a caller whose time ran out while another one's request was under way."""
        return errors.AuthenticationError(
            f"Authentication failed: no token for {' '.join(wanted.scopes)} in tenant {wanted.tenant_id} "
            f"from {self.identity.authority.host} in time; the request is still under way.",
            code=UNAVAILABLE,
            remedy="Give the call more time, or look why the endpoint is slow.",
            tenant_id=wanted.tenant_id,
            client_id=self.identity.client_id,
            scopes=list(wanted.scopes),
        )

    def close(self) -> None:
        """Close the certificate's source and the cache, as far as they were made for this credential."""
        if self.cache is not None and self._owns_cache:
            self.cache.close()
        self._follower.close()

    def __str__(self) -> str:
        who = self.identity
        return (
            f"client {who.client_id} in tenant {who.tenant_id} at {who.authority.host}, {self._follower.name}"
        )

    def after_fork(self) -> None:
        """Become usable in a child process, whatever the parent's threads were doing."""
        self._follower.after_fork()
        if self._endpoint is not None:
            self._endpoint.after_fork()

    def acquire(self, wanted: Wanted, *, deadline: float, patient: bool = True) -> LongFlow[Slot]:
        """Get a token from the second-level cache or from the endpoint, and keep it.

        :param deadline: by the monotonic clock.
        :param patient: repeat what failed; a refresh ahead of time does not, it comes again by itself.
        :raises AzcertError: no token, and why.
        """
        began = self.clock.monotonic()
        try:
            slot = yield from self._acquire(wanted, deadline=deadline, patient=patient)
        except AzcertError as error:
            # A refusal by its number: an alert on an expired certificate is another one than on an outage.
            aadsts = getattr(error, "aadsts", None)
            code = f"AADSTS{aadsts}" if aadsts else error.code
            self.tell(EventKind.FAILURE, wanted, seconds=self.clock.monotonic() - began, code=code)
            raise
        if not patient:
            self.tell(EventKind.REFRESH, wanted, seconds=self.clock.monotonic() - began)
        self.table.put(wanted.identity, slot)
        return slot

    def _acquire(self, wanted: Wanted, *, deadline: float, patient: bool) -> LongFlow[Slot]:
        certificate: SigningCertificate = yield Work(self._follower.current, self._follower.blocking)
        if self.cache is None:
            slot, _ = yield from self._ask(wanted, certificate, deadline, patient=patient)
            return slot
        key = self._key(wanted, certificate)
        if wanted.claims is None:
            stored = yield from self._stored(self.cache, key, wanted, patient=patient)
            if stored is not None:
                return stored
        return (yield from self._ask_leased(self.cache, key, wanted, certificate, deadline, patient=patient))

    def _ask(
        self, wanted: Wanted, certificate: SigningCertificate, deadline: float, *, patient: bool
    ) -> LongFlow[tuple[Slot, SigningCertificate]]:
        # Only here: a cached token proves nothing to the authority, so nobody need vouch for it.
        # Another thread may be done with it at any moment.
        check_authority = self._check_authority
        if check_authority is not None:
            yield from check_authority(max(0.1, deadline - self.clock.monotonic()))
            self._check_authority = None
        return (yield from self._opened_endpoint().ask(wanted, certificate, deadline, patient=patient))

    def _opened_endpoint(self) -> Endpoint:
        """Return the endpoint; what it needs is imported with the first request."""
        if self._endpoint is None:
            from azcert.credential.endpoint import Endpoint

            with self._lock:
                if self._endpoint is None:
                    self._endpoint = Endpoint(
                        self.identity,
                        self._follower,
                        rule=self.rule,
                        regions=self._regions,
                        clock=self.clock,
                        tell=self.tell,
                    )
        return self._endpoint

    def _ask_leased(
        self,
        cache: TokenCache,
        key: TokenKey,
        wanted: Wanted,
        certificate: SigningCertificate,
        deadline: float,
        *,
        patient: bool,
    ) -> LongFlow[Slot]:
        # Whoever waits for another process in vain must still have the time to ask by itself.
        lease = cache.lease(key, min(_LEASE, max(0.0, deadline - self.clock.monotonic()) / 2))
        yield Work(lease.__enter__, cache.shared)
        try:
            slot = yield from self._ask_unless_stored(
                cache, key, wanted, certificate, deadline, patient=patient
            )
        except AzcertError:
            yield Work(lambda: lease.__exit__(None, None, None), cache.shared)
            raise
        except BaseException:
            # A flow that is being thrown away may not yield any more.
            lease.__exit__(None, None, None)
            raise
        yield Work(lambda: lease.__exit__(None, None, None), cache.shared)
        return slot

    def _ask_unless_stored(
        self,
        cache: TokenCache,
        key: TokenKey,
        wanted: Wanted,
        certificate: SigningCertificate,
        deadline: float,
        *,
        patient: bool,
    ) -> LongFlow[Slot]:
        # Whoever led before may have left a token, whether this caller waited for that or just came later.
        if wanted.claims is None:
            stored = yield from self._stored(cache, key, wanted, patient=patient)
            if stored is not None:
                return stored
        slot, used = yield from self._ask(wanted, certificate, deadline, patient=patient)
        if used is not certificate:
            key = self._key(wanted, used)
        kept = StoredToken(Secret(slot.token.token), slot.expires_on, slot.refresh_on)
        yield Work(lambda: cache.put(key, kept), cache.shared)
        return slot

    def _stored(
        self, cache: TokenCache, key: TokenKey, wanted: Wanted, *, patient: bool
    ) -> LongFlow[Slot | None]:
        stored: StoredToken | None = yield Work(lambda: cache.get(key), cache.shared)
        if stored is None:
            return None
        state = freshness(self.clock.time(), refresh_on=stored.refresh_on, expires_on=stored.expires_on)
        # Who needs a token now takes one that is due for a refresh; who refreshes wants a newer one.
        if state is Freshness.MUST_REFRESH or (state is Freshness.REFRESH_EARLY and not patient):
            return None
        self.tell(EventKind.CACHE_HIT, wanted)
        return Slot(stored.token.reveal(), expires_on=stored.expires_on, refresh_on=stored.refresh_on)

    def _key(self, wanted: Wanted, certificate: SigningCertificate) -> TokenKey:
        return TokenKey(
            authority=self.identity.authority.host + self.identity.authority.path,
            tenant_id=wanted.tenant_id,
            client_id=self.identity.client_id,
            scopes=wanted.scopes,
            enable_cae=wanted.enable_cae,
            thumbprint=certificate.certificate.thumbprint_sha256,
        )
