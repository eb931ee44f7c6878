"""Asks Entra's token endpoint until it has answered: with which assertion, at which host, when again.

Without I/O: `Endpoint.ask` is a flow.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING, Any

from azcert.credential.assertions import Assertions
from azcert.credential.backoff import Backoff, retry_after_seconds
from azcert.credential.conversation import Conversation
from azcert.credential.events import EventKind
from azcert.credential.freshness import process_share, refresh_time
from azcert.credential.skew import ClockSkew
from azcert.credential.tokens import Slot
from azcert.credential.wanted import UNAVAILABLE, moment
from azcert.entra.aadsts import ASSERTION_OUT_OF_TIME, CERTIFICATE_REJECTED
from azcert.entra.assertion import AssertionRequest, choose_algorithm
from azcert.entra.authority import ADFS
from azcert.entra.exchange import Busy, Issued, TokenRequest, token_flow
from azcert.errors import AuthenticationError, SigningError, TransportError
from azcert.wire.message import Pause, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from azcert._redact import Secret
    from azcert.certificate.signer import SigningCertificate
    from azcert.credential.retry_rule import RetryRule
    from azcert.credential.wanted import Clock, Identity, Wanted
    from azcert.entra.region import Regions
    from azcert.sources.follow import Follower
    from azcert.wire.message import LongFlow, Response

__all__ = ["Endpoint"]

_LOG = logging.getLogger("azcert.credential")

_REGION_CODE = 100007
_TICK = 0.05
"""Seconds by which a request that is given its time may end early."""


class Endpoint:
    """The token endpoint as one credential knows it: its health, its clock, its region. Safe for threads.

    :param tell: called with each event.
    """

    def __init__(
        self,
        identity: Identity,
        follower: Follower,
        *,
        rule: RetryRule,
        regions: Regions | None,
        clock: Clock,
        tell: Callable[..., None],
    ) -> None:
        self._identity = identity
        self._follower = follower
        self._rule = rule
        self._regions = regions
        self._clock = clock
        self._tell = tell
        self._assertions = Assertions()
        self._backoffs: dict[str, Backoff] = {}
        self._skew = ClockSkew()

    def backoff(self, tenant_id: str) -> Backoff:
        """Return the health of this client's endpoint for one tenant."""
        known = self._backoffs.get(tenant_id)
        return known if known is not None else self._backoffs.setdefault(tenant_id, Backoff(self._rule))

    def after_fork(self) -> None:
        """Become usable in a child process, whatever the parent's threads were doing."""
        self._assertions.after_fork()
        for backoff in list(self._backoffs.values()):
            backoff.after_fork()

    def ask(
        self, wanted: Wanted, certificate: SigningCertificate, deadline: float, *, patient: bool
    ) -> LongFlow[tuple[Slot, SigningCertificate]]:
        """Ask until there is a token or no more time; return it with the certificate that got it.

        :param certificate: the one to begin with.
        :param deadline: by the monotonic clock.
        :param patient: repeat what failed.
        :raises AzcertError: no token, and why.
        """
        conversation = Conversation(wanted, certificate, deadline, patient=patient)
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
            except SigningError as error:
                backoff.given_up()
                yield from self._reopen(conversation, error)
            except BaseException:
                backoff.given_up()
                raise
            else:
                if isinstance(outcome, Issued):
                    backoff.answered()
                    self._follower.accepted(conversation.certificate)
                    return self._slot(wanted, outcome), conversation.certificate
                self._busy(conversation, backoff, outcome)

    def _turn(self, conversation: Conversation, backoff: Backoff) -> Generator[Pause, None, None]:
        """Wait until the endpoint may be asked, if that is before the deadline."""
        while True:
            now = self._clock.monotonic()
            wait = backoff.wait_until_allowed(now)
            if not wait:
                return
            if now + wait > conversation.deadline or not conversation.patient:
                raise self._unavailable(conversation, backoff, wait)
            yield Pause(wait)

    def _once(self, conversation: Conversation) -> LongFlow[Issued | Busy]:
        wanted = conversation.wanted
        yield from self._sign(conversation)
        region = (yield from self._regions.region()) if self._regions is not None else None
        authority = self._identity.authority
        url = authority.token_url(wanted.tenant_id)
        asked = TokenRequest(
            url=authority.regional_token_url(wanted.tenant_id, region) if region else url,
            tenant_id=wanted.tenant_id,
            client_id=self._identity.client_id,
            scopes=wanted.scopes,
            assertion=conversation.assertion,
            correlation_id=str(uuid.uuid4()),
            claims=wanted.claims,
            enable_cae=wanted.enable_cae,
            timeout=max(0.1, conversation.deadline - self._clock.monotonic()),
            busy_statuses=self._rule.statuses,
        )
        conversation.tries += 1
        sent, began = self._clock.time(), self._clock.monotonic()
        flow = token_flow(asked)
        try:
            response: Response = yield next(flow)
        except TransportError:
            self._leave_region(region, conversation)
            raise
        finally:
            self._tell(EventKind.REQUEST, wanted, seconds=self._clock.monotonic() - began)
        self._skew.measure(response.headers.get("date"), sent=sent, received=self._clock.time())
        return self._outcome(flow, response, region, conversation)

    def _outcome(
        self, flow: Any, response: Response, region: str | None, conversation: Conversation
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

    def _leave_region(self, region: str | None, conversation: Conversation) -> None:
        if region is not None and self._regions is not None:
            self._regions.leave()
            conversation.left_region = True

    def _sign(self, conversation: Conversation) -> LongFlow[None]:
        wanted, certificate = conversation.wanted, conversation.certificate
        adfs = wanted.tenant_id.lower() == ADFS
        began = self._clock.monotonic()

        def signed() -> None:
            self._tell(EventKind.SIGNED, wanted, seconds=self._clock.monotonic() - began)

        def work() -> tuple[AssertionRequest, Secret]:
            request = AssertionRequest(
                certificate.certificate,
                self._identity.client_id,
                self._identity.authority.token_url(wanted.tenant_id),
                # A device may have to sign to know what it can.
                choose_algorithm(certificate.signer, adfs=adfs),
                self._identity.send_chain,
            )
            now = self._clock.time() + self._skew.seconds
            assertion = self._assertions.get(
                request, certificate.signer, now=now, reuse=not adfs, on_signed=signed
            )
            return request, assertion

        conversation.assertion_request, conversation.assertion = yield Work(work, certificate.signer.blocking)

    def _mend(self, conversation: Conversation, error: AuthenticationError) -> LongFlow[None]:
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

    def _reopen(self, conversation: Conversation, error: SigningError) -> LongFlow[None]:
        """After a key that did not sign, take what its source has now, then another one; or raise."""
        failed = conversation.certificate
        step: Callable[[SigningCertificate], SigningCertificate | None]
        if not conversation.reopened:
            step = self._follower.reopened
        elif not conversation.certificate_changed:
            conversation.certificate_changed = True
            step = self._follower.instead_of
        else:
            raise error
        conversation.reopened = True
        found: SigningCertificate | None = yield Work(lambda: step(failed), self._follower.blocking)
        if found is None:
            raise error
        _LOG.warning(
            "The key of certificate %s did not sign (%s); trying certificate %s, which %s has now.",
            failed.certificate.thumbprint,
            error,
            found.certificate.thumbprint,
            self._follower.name,
        )
        conversation.certificate = found

    def _broken(self, conversation: Conversation, backoff: Backoff, error: TransportError) -> None:
        if not error.details.get("retryable", True):
            backoff.given_up()
            raise conversation.no_token(self._identity, str(error), error.code, None) from error
        conversation.broken += 1
        backoff.failed(self._clock.monotonic(), error.message, at_once=error.code == "connection")
        allowed = min(self._rule.total, max(self._rule.connect, self._rule.read))
        if not conversation.patient or conversation.broken > allowed:
            raise self._unavailable(conversation, backoff) from error

    def _busy(self, conversation: Conversation, backoff: Backoff, outcome: Busy) -> None:
        conversation.refused += 1
        retry_after = retry_after_seconds(outcome.retry_after, self._clock.time() + self._skew.seconds)
        backoff.failed(self._clock.monotonic(), f"it answered {outcome.reason}", retry_after=retry_after)
        conversation.response = outcome.response
        if not conversation.patient or conversation.refused > min(self._rule.total, self._rule.status):
            raise self._unavailable(conversation, backoff)

    def _unavailable(
        self, conversation: Conversation, backoff: Backoff, wait: float = 0.0
    ) -> AuthenticationError:
        now = self._clock.monotonic()
        again = backoff.closed_for(now)
        reason = backoff.reason or "another request is waiting for its answer"
        in_time = now + wait < conversation.deadline - _TICK
        return conversation.no_token(
            self._identity,
            reason,
            UNAVAILABLE,
            self._clock.time() + again,
            until=None if in_time else max(conversation.deadline, now + max(wait, again)),
        )

    def _slot(self, wanted: Wanted, issued: Issued) -> Slot:
        now = int(self._clock.time())
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
            moment(expires_on),
        )
        return slot
