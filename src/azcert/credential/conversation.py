"""What one attempt to get a token has been through, and how it is told when it ends without one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from azcert._redact import Secret
from azcert.credential.wanted import moment
from azcert.errors import AuthenticationError

if TYPE_CHECKING:
    from azcert.certificate.signer import SigningCertificate
    from azcert.credential.wanted import Identity, Wanted
    from azcert.entra.assertion import AssertionRequest
    from azcert.wire.message import Response

__all__ = ["Conversation", "OutOfTimeError"]


class OutOfTimeError(AuthenticationError):
    """The next try would have come too late for this call; a caller with more time may wait for it.

    ``until`` is when that is, by the monotonic clock.
    """

    until = math.inf


class Conversation:
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
        self.reopened = False
        self.left_region = False
        self.response: Response | None = None

    def no_token(
        self,
        identity: Identity,
        reason: str,
        code: str,
        again: float | None = None,
        *,
        until: float | None = None,
    ) -> AuthenticationError:
        """Return the error that says what was tried, how often, and when it can be tried again.

        :param again: in seconds since the epoch, or None.
        :param until: where only time was lacking: the time of the next try, by the monotonic clock.
        """
        wanted = self.wanted
        tried = {0: "not tried now", 1: "tried once"}.get(self.tries, f"tried {self.tries} times")
        when = f" It can be tried again from {moment(again)} on." if again is not None else ""
        error = (AuthenticationError if until is None else OutOfTimeError)(
            f"Authentication failed: no token for {' '.join(wanted.scopes)} in tenant {wanted.tenant_id} "
            f"from {identity.authority.host} ({tried}): {reason.rstrip('.')}.{when}",
            code=code,
            response=self.response.raw if self.response is not None else None,
            tries=self.tries,
            retry_at=again,
            tenant_id=wanted.tenant_id,
            client_id=identity.client_id,
            scopes=list(wanted.scopes),
        )
        if isinstance(error, OutOfTimeError) and until is not None:
            error.until = until
        return error
