"""Signed assertions, reused while they are valid: a slow key (TPM, vault) signs once in nine minutes."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING

from azcert._redact import Secret
from azcert.entra.assertion import LIFETIME, AssertionRequest, attach

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.certificate.signer import Signer

__all__ = ["Assertions"]

_MARGIN = 60
"""Seconds before its end from which an assertion is not used again, as in MSAL."""
_LIMIT = 1024


class Assertions:
    """Keeps one assertion per certificate, algorithm, audience and chain. Safe for threads.

    Entra ID accepts the same assertion many times while it is valid (every MSAL reuses its own). AD FS can be
    set to detect replays, so there each request gets its own: the caller says so with ``reuse``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[AssertionRequest, _Kept] = {}

    def get(
        self,
        wanted: AssertionRequest,
        signer: Signer,
        *,
        now: float,
        reuse: bool = True,
        on_signed: Callable[[], None] = lambda: None,
    ) -> Secret:
        """Return an assertion that is valid at *now* (seconds since the epoch, by the service's clock).

        Callers who want the same one wait for its signature; others do not.

        :param on_signed: called after the key has signed.
        :raises azcert.errors.SigningError: the place that holds the key did not sign.
        """
        if not reuse:
            return _sign(wanted, signer, now, on_signed)
        kept = self._kept.get(wanted)
        if kept is None:
            kept = self._make_room_for(wanted, now)
        assertion = kept.valid_at(now)
        if assertion is not None:
            return assertion
        with kept.lock:
            assertion = kept.valid_at(now)
            if assertion is None:
                assertion = _sign(wanted, signer, now, on_signed)
                kept.made = (now, assertion)
            return assertion

    def drop(self, wanted: AssertionRequest, assertion: Secret) -> None:
        """Forget this assertion, which the service did not like; a newer one stays."""
        kept = self._kept.get(wanted)
        if kept is not None and kept.made is not None and kept.made[1] is assertion:
            kept.made = None

    def after_fork(self) -> None:
        """Forget what locks of the parent's threads may guard."""
        self._lock = threading.Lock()
        self._kept = {}

    def _make_room_for(self, wanted: AssertionRequest, now: float) -> _Kept:
        with self._lock:
            if len(self._kept) >= _LIMIT:
                self._kept = {each: kept for each, kept in self._kept.items() if kept.valid_at(now)}
            while len(self._kept) >= _LIMIT:
                self._kept.pop(next(iter(self._kept)))
            return self._kept.setdefault(wanted, _Kept())


class _Kept:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.made: tuple[float, Secret] | None = None

    def valid_at(self, now: float) -> Secret | None:
        made = self.made
        if made is None or not made[0] <= now < made[0] + LIFETIME - _MARGIN:
            return None
        return made[1]


def _sign(wanted: AssertionRequest, signer: Signer, now: float, on_signed: Callable[[], None]) -> Secret:
    signing_input = wanted.signing_input(issued_at=int(now), identifier=str(uuid.uuid4()))
    signature = signer.sign(signing_input, wanted.algorithm)
    on_signed()
    return Secret(attach(signing_input, signature))
