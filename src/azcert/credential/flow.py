"""What the credential decides, without I/O: from which cache, with which certificate, and when again.

`Engine.acquire` is a flow: it yields requests, pauses and work, and the sync and the async credential only do
them. Both therefore send the same bytes and fail in the same words.
"""

from __future__ import annotations

import datetime as dt
import logging
import random
import uuid
from dataclasses import dataclass
from time import monotonic, time
from typing import TYPE_CHECKING, Any, NamedTuple

from azcert._redact import Secret
from azcert.credential.assertions import Assertions
from azcert.credential.backoff import Backoff, RetryRule, retry_after_seconds
from azcert.credential.caches.entry import StoredToken, TokenKey
from azcert.credential.events import Event, EventKind, OnEvent
from azcert.credential.freshness import Freshness, freshness, process_share, refresh_pause, refresh_time
from azcert.credential.rare_log import RareLog
from azcert.credential.skew import ClockSkew
from azcert.credential.tokens import Slot
from azcert.entra.aadsts import ASSERTION_OUT_OF_TIME, CERTIFICATE_REJECTED
from azcert.entra.assertion import AssertionRequest, choose_algorithm
from azcert.entra.authority import ADFS, Authority, check_tenant, resolve_tenant
from azcert.entra.exchange import Busy, Issued, TokenRequest, token_flow
from azcert.errors import AuthenticationError, AzcertError, TransportError
from azcert.wire.message import Pause, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable

    from azcert.certificate.signer import SigningCertificate
    from azcert.credential.caches.entry import TokenCache
    from azcert.credential.caches.memory import TokenTable
    from azcert.entra.region import Regions
    from azcert.sources.follow import Follower
    from azcert.wire.message import LongFlow, Response

__all__ = ["SYSTEM_CLOCK", "UNAVAILABLE", "Clock", "Engine", "Identity", "Wanted"]

_LOG = logging.getLogger("azcert.credential")

UNAVAILABLE = "endpoint-unavailable"
"""Code of the error that says the endpoint did not answer in time."""

_REGION_CODE = 100007
_LEASE = 5.0
_QUIET = 15.0


class Clock(NamedTuple):
    """The two clocks of a process, so that a test can bring its own."""

    time: Callable[[], float] = time
    monotonic: Callable[[], float] = monotonic


SYSTEM_CLOCK = Clock()


@dataclass(frozen=True)
class Identity:
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


class Engine:
    """Everything a credential knows, shared by all its callers. Safe for threads.

    :param cache: asked after memory and before the endpoint, or None.
    :param owns_cache: close it with the engine: nobody else has it.
    :param check_authority: a flow that raises if the authority is not to be trusted, or None; run once.
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
        check_authority: Callable[[], LongFlow[None]] | None = None,
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
        self._regions = regions
        self._check_authority = check_authority
        self._on_event = on_event
        self._assertions = Assertions()
        self._backoffs: dict[str, Backoff] = {}
        self._skew = ClockSkew()
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
        slot.failures += 1
        now = self.clock.time()
        pause = max(
            refresh_pause(slot.failures, random.random()),  # noqa: S311  (jitter)
            self.backoff(wanted.tenant_id).closed_for(self.clock.monotonic()),
        )
        slot.fresh_until = min(slot.expires_on, now + pause)
        self._rare_log.warning(
            "refresh",
            "The token for %s in tenant %s could not be renewed ahead of time; it stays in use until %s, and "
            "the next try is in %.0f s: %s",
            " ".join(wanted.scopes),
            wanted.tenant_id,
            _moment(slot.expires_on),
            slot.fresh_until - now,
            error,
        )

    def backoff(self, tenant_id: str) -> Backoff:
        """Return the health of this client's endpoint for one tenant."""
        known = self._backoffs.get(tenant_id)
        return known if known is not None else self._backoffs.setdefault(tenant_id, Backoff(self.rule))

    def tell(self, kind: EventKind, wanted: Wanted, *, seconds: float = 0.0, code: str | None = None) -> None:
        """Tell the hook, if there is one."""
        if self._on_event is not None:
            self._on_event(Event(kind, wanted.tenant_id, wanted.scopes, seconds, code))

    def deadline(self, timeout: float | None) -> float:
        """Return until when a call that begins now may take, by the monotonic clock."""
        return self.clock.monotonic() + (self.rule.timeout if timeout is None else timeout)

    def out_of_time(self, wanted: Wanted) -> AuthenticationError:
        """Return the error for a caller whose time ran out while another one's request was under way."""
        return AuthenticationError(
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
        self._assertions.after_fork()
        for backoff in list(self._backoffs.values()):
            backoff.after_fork()

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
            self.tell(EventKind.FAILURE, wanted, seconds=self.clock.monotonic() - began, code=error.code)
            raise
        if not patient:
            self.tell(EventKind.REFRESH, wanted, seconds=self.clock.monotonic() - began)
        self.table.put(wanted.identity, slot)
        return slot

    def _acquire(self, wanted: Wanted, *, deadline: float, patient: bool) -> LongFlow[Slot]:
        if self._check_authority is not None:
            yield from self._check_authority()
            self._check_authority = None
        certificate: SigningCertificate = yield Work(self._follower.current, self._follower.blocking)
        if self.cache is None:
            return (yield from self._ask(wanted, certificate, deadline, patient=patient))
        key = self._key(wanted, certificate)
        if wanted.claims is None:
            stored = yield from self._stored(self.cache, key, wanted, patient=patient)
            if stored is not None:
                return stored
        return (yield from self._ask_leased(self.cache, key, wanted, certificate, deadline, patient=patient))

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
        slot = yield from self._ask(wanted, certificate, deadline, patient=patient)
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

    def _ask(
        self, wanted: Wanted, certificate: SigningCertificate, deadline: float, *, patient: bool
    ) -> LongFlow[Slot]:
        conversation = _Conversation(wanted, certificate, deadline, patient=patient)
        backoff = self.backoff(wanted.tenant_id)
        while True:
            yield from self._turn(conversation, backoff)
            try:
                outcome = yield from self._once(conversation)
            except TransportError as error:
                self._broken(conversation, backoff, error)
            except AuthenticationError as error:
                backoff.answered()
                yield from self._mend(conversation, error)
            except BaseException:
                backoff.given_up()
                raise
            else:
                if isinstance(outcome, Issued):
                    backoff.answered()
                    self._follower.accepted(conversation.certificate)
                    return self._slot(wanted, outcome)
                self._busy(conversation, backoff, outcome)

    def _turn(self, conversation: _Conversation, backoff: Backoff) -> Generator[Pause, None, None]:
        """Wait until the endpoint may be asked, if that is before the deadline."""
        while True:
            now = self.clock.monotonic()
            wait = backoff.wait_until_allowed(now)
            if not wait:
                return
            if now + wait > conversation.deadline or not conversation.patient:
                raise self._unavailable(conversation, backoff)
            yield Pause(wait)

    def _once(self, conversation: _Conversation) -> LongFlow[Issued | Busy]:
        wanted = conversation.wanted
        yield from self._sign(conversation)
        region = (yield from self._regions.region()) if self._regions is not None else None
        authority = self.identity.authority
        url = authority.token_url(wanted.tenant_id)
        asked = TokenRequest(
            url=authority.regional_token_url(wanted.tenant_id, region) if region else url,
            tenant_id=wanted.tenant_id,
            client_id=self.identity.client_id,
            scopes=wanted.scopes,
            assertion=conversation.assertion,
            correlation_id=str(uuid.uuid4()),
            claims=wanted.claims,
            enable_cae=wanted.enable_cae,
            timeout=max(0.1, conversation.deadline - self.clock.monotonic()),
            busy_statuses=self.rule.statuses,
        )
        conversation.tries += 1
        sent, began = self.clock.time(), self.clock.monotonic()
        flow = token_flow(asked)
        try:
            response: Response = yield next(flow)
        except TransportError:
            self._leave_region(region, conversation)
            raise
        finally:
            self.tell(EventKind.REQUEST, wanted, seconds=self.clock.monotonic() - began)
        self._skew.measure(response.headers.get("date"), sent=sent, received=self.clock.time())
        return self._outcome(flow, response, region, conversation)

    def _outcome(
        self, flow: Any, response: Response, region: str | None, conversation: _Conversation
    ) -> Issued | Busy:
        try:
            flow.send(response)
        except StopIteration as end:
            outcome: Issued | Busy = end.value
            if isinstance(outcome, Busy):
                self._leave_region(region, conversation)
            return outcome
        except AuthenticationError as error:
            if error.aadsts == _REGION_CODE:
                self._leave_region(region, conversation)
            raise
        raise AssertionError("a token flow asks once")

    def _leave_region(self, region: str | None, conversation: _Conversation) -> None:
        if region is not None and self._regions is not None:
            self._regions.leave()
            conversation.left_region = True

    def _sign(self, conversation: _Conversation) -> LongFlow[None]:
        wanted, certificate = conversation.wanted, conversation.certificate
        adfs = wanted.tenant_id.lower() == ADFS
        request = AssertionRequest(
            certificate.certificate,
            self.identity.client_id,
            self.identity.authority.token_url(wanted.tenant_id),
            choose_algorithm(certificate.signer, adfs=adfs),
            self.identity.send_chain,
        )
        began = self.clock.monotonic()

        def signed() -> None:
            self.tell(EventKind.SIGNED, wanted, seconds=self.clock.monotonic() - began)

        def work() -> Secret:
            now = self.clock.time() + self._skew.seconds
            return self._assertions.get(
                request, certificate.signer, now=now, reuse=not adfs, on_signed=signed
            )

        conversation.assertion_request = request
        conversation.assertion = yield Work(work, certificate.signer.blocking)

    def _mend(self, conversation: _Conversation, error: AuthenticationError) -> LongFlow[None]:
        """After a refusal, do what may cure it, once; or raise it."""
        code = error.aadsts
        if code == _REGION_CODE and conversation.left_region:
            return
        if conversation.assertion_request is not None:
            self._assertions.drop(conversation.assertion_request, conversation.assertion)
        if code == ASSERTION_OUT_OF_TIME and not conversation.redated:
            # The answer has told the right time; at the least, the next assertion is fresh.
            conversation.redated = True
            return
        if code not in CERTIFICATE_REJECTED or conversation.certificate_changed:
            raise error
        rejected = conversation.certificate
        other: SigningCertificate | None = yield Work(
            lambda: self._follower.instead_of(rejected), self._follower.blocking
        )
        if other is None:
            raise error
        _LOG.warning(
            "Entra ID rejected certificate %s of %s (AADSTS%s); trying certificate %s of the same source.",
            rejected.certificate.thumbprint,
            self._follower.name,
            code,
            other.certificate.thumbprint,
        )
        conversation.certificate = other
        conversation.certificate_changed = True

    def _broken(self, conversation: _Conversation, backoff: Backoff, error: TransportError) -> None:
        if not error.details.get("retryable", True):
            backoff.given_up()
            raise _no_token(conversation, self.identity, str(error), error.code, None) from error
        conversation.broken += 1
        backoff.failed(self.clock.monotonic(), error.message, at_once=error.code == "connection")
        allowed = min(self.rule.total, max(self.rule.connect, self.rule.read))
        if not conversation.patient or conversation.broken > allowed:
            raise self._unavailable(conversation, backoff) from error

    def _busy(self, conversation: _Conversation, backoff: Backoff, outcome: Busy) -> None:
        conversation.refused += 1
        retry_after = retry_after_seconds(outcome.retry_after, self.clock.time() + self._skew.seconds)
        backoff.failed(self.clock.monotonic(), f"it answered {outcome.reason}", retry_after=retry_after)
        conversation.response = outcome.response
        if not conversation.patient or conversation.refused > min(self.rule.total, self.rule.status):
            raise self._unavailable(conversation, backoff)

    def _unavailable(self, conversation: _Conversation, backoff: Backoff) -> AuthenticationError:
        again = backoff.closed_for(self.clock.monotonic())
        return _no_token(
            conversation,
            self.identity,
            backoff.reason or "another request is waiting for its answer",
            UNAVAILABLE,
            self.clock.time() + again,
        )

    def _slot(self, wanted: Wanted, issued: Issued) -> Slot:
        now = int(self.clock.time())
        expires_on = now + issued.expires_in
        slot = Slot(
            issued.token.reveal(),
            expires_on=expires_on,
            refresh_on=refresh_time(now, issued.expires_in, issued.refresh_in, process_share()),
            token_type=issued.token_type,
        )
        _LOG.info(
            "Got a token for %s in tenant %s, valid until %s.",
            " ".join(wanted.scopes),
            wanted.tenant_id,
            _moment(expires_on),
        )
        return slot


class _Conversation:
    """What one attempt to get a token has been through."""

    def __init__(
        self, wanted: Wanted, certificate: SigningCertificate, deadline: float, *, patient: bool
    ) -> None:
        self.wanted = wanted
        self.certificate = certificate
        self.deadline = deadline
        self.patient = patient
        self.tries = 0
        self.broken = 0
        self.refused = 0
        self.assertion = Secret("")
        self.assertion_request: AssertionRequest | None = None
        self.redated = False
        self.certificate_changed = False
        self.left_region = False
        self.response: Response | None = None


def _no_token(
    conversation: _Conversation, identity: Identity, reason: str, code: str, again: float | None
) -> AuthenticationError:
    wanted = conversation.wanted
    tried = {0: "not tried now", 1: "tried once"}.get(conversation.tries, f"tried {conversation.tries} times")
    when = f" It can be tried again from {_moment(again)} on." if again is not None else ""
    return AuthenticationError(
        f"Authentication failed: no token for {' '.join(wanted.scopes)} in tenant {wanted.tenant_id} from "
        f"{identity.authority.host} ({tried}): {reason.rstrip('.')}.{when}",
        code=code,
        response=conversation.response.raw if conversation.response is not None else None,
        tries=conversation.tries,
        retry_at=again,
        tenant_id=wanted.tenant_id,
        client_id=identity.client_id,
        scopes=list(wanted.scopes),
    )


def _moment(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
