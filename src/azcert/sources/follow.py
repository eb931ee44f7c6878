"""Notices a renewed certificate and swaps it in between two requests; keeps the old if the new is broken.

Nothing here runs on the way of a cached token: whoever needs to sign asks `Follower.current`.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
import weakref
from typing import TYPE_CHECKING

from azcert.certificate.fitness import require_fit
from azcert.errors import AzcertError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from azcert.certificate.signer import SigningCertificate
    from azcert.sources.source import Source

__all__ = ["Follower"]

_LOG = logging.getLogger(__name__)

_REJECTED_FOR = 300.0
"""Seconds a rejected certificate is passed over: a fresh upload may still be on its way to every server."""
_RETRY_BROKEN = 60.0
"""Seconds until a certificate that could not be loaded is tried again though its source looks unchanged."""


class Follower:
    """Follows one source. Safe for threads.

    A replaced certificate's signer is closed when the last request that signs with it has let go of it.

    :param owns_source: close the source with the follower: nobody else has it.
    :param monotonic: seconds of a clock that never goes back.
    """

    def __init__(
        self,
        source: Source,
        *,
        owns_source: bool = True,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._owns_source = owns_source
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._revision: Hashable = None
        self._held: SigningCertificate | None = None
        # The last one the service took; until it took one, the first one there was.
        self._proven: SigningCertificate | None = None
        self._rejected: dict[str, float] = {}
        self._look_again_at = float("inf")

    @property
    def name(self) -> str:
        """The source's name."""
        return self._source.name

    @property
    def blocking(self) -> bool:
        """True where asking the source waits for a device or a network."""
        return self._source.blocking

    def current(self) -> SigningCertificate:
        """Return the certificate to sign with now.

        :raises AzcertError: nothing usable was ever loaded, or what is held has expired and the source has
            nothing better; the error is the source's.
        """
        revision = self._source.revision()
        known, held = self._revision, self._held
        if held is not None and revision == known and self._monotonic() < self._look_again_at:
            return held
        with self._lock:
            if (
                self._held is not None
                and revision == self._revision
                and self._monotonic() < self._look_again_at
            ):
                return self._held
            return self._reload(revision)

    def instead_of(self, rejected: SigningCertificate) -> SigningCertificate | None:
        """Return another valid certificate after the service rejected this one, or None.

        That is the source's next best, or else the last one that the service took: while old and new overlap,
        the new one may not have reached every server yet.
        """
        thumbprint = rejected.certificate.thumbprint
        with self._lock:
            self._rejected[thumbprint] = self._monotonic() + _REJECTED_FOR
            passed_over = self._still_rejected()
            if self._held is not None and self._held.certificate.thumbprint not in passed_over:
                # Somebody else's request was rejected as well, and has found another one already.
                return self._held
            found = self._other(passed_over)
            if found is None:
                return None
            self._held = found
            self._look_again_at = self._monotonic() + _REJECTED_FOR
            return found

    def reopened(self, failed: SigningCertificate) -> SigningCertificate | None:
        """Return what the source has now, after this one's key did not sign, or None if that is nothing.

        The key may have been destroyed in favour of a newer one while a request was waiting for its turn. A
        certificate that is still the best one comes with a key that was looked for anew.
        """
        with self._lock:
            if self._held is not None and self._held is not failed:
                return self._held
            try:
                found = self._load(self._still_rejected())
            except AzcertError as error:
                _LOG.debug("%s has no certificate now: %s", self.name, error)
                return None
            self._held = found
            return found

    def accepted(self, certificate: SigningCertificate) -> None:
        """Say that the service took this certificate: the one proven before it is not needed any more."""
        if self._proven is certificate and not self._rejected:
            return
        with self._lock:
            self._rejected.pop(certificate.certificate.thumbprint, None)
            if self._held is certificate:
                self._proven = certificate

    def close(self) -> None:
        """Close the source, if it is the follower's own; signers close as their last users let go."""
        with self._lock:
            self._held = self._proven = None
            if self._owns_source:
                self._source.close()

    def after_fork(self) -> None:
        """Forget locks that another thread of the parent may have held."""
        self._lock = threading.Lock()

    def _reload(self, revision: Hashable) -> SigningCertificate:
        held = self._held
        changed = revision != self._revision
        try:
            found = self._load(self._still_rejected())
        except AzcertError as error:
            if held is None or _has_expired(held):
                self._revision = None
                raise
            self._look_again_at = self._monotonic() + _RETRY_BROKEN
            self._revision = revision
            if changed:
                _LOG.warning(
                    "The certificate of %s changed and cannot be used: %s The one before it stays in use "
                    "(thumbprint %s, valid until %s).",
                    self.name,
                    error,
                    held.certificate.thumbprint,
                    held.certificate.not_after,
                )
            return held
        if held is not None and found.certificate.thumbprint != held.certificate.thumbprint:
            _LOG.info(
                "Using the renewed certificate of %s: thumbprint %s, valid until %s, in place of %s.",
                self.name,
                found.certificate.thumbprint,
                found.certificate.not_after,
                held.certificate.thumbprint,
            )
        if self._proven is None:
            self._proven = held
        self._held = found
        self._look_again_at = float("inf")
        # Last of all: who reads it without the lock takes what is held for what it stands for.
        self._revision = revision
        return found

    def _other(self, rejected: frozenset[str]) -> SigningCertificate | None:
        try:
            found = self._load(rejected)
        except AzcertError as error:
            _LOG.debug("%s has no other certificate: %s", self.name, error)
        else:
            if found.certificate.thumbprint not in rejected:
                return found
        proven = self._proven
        if proven is None or proven.certificate.thumbprint in rejected or _has_expired(proven):
            return None
        return proven

    def _load(self, skip: frozenset[str]) -> SigningCertificate:
        found = self._source.load(skip=skip)
        require_fit(found.certificate, now=dt.datetime.now(dt.UTC), name=self.name)
        weakref.finalize(found, found.signer.close)
        return found

    def _still_rejected(self) -> frozenset[str]:
        now = self._monotonic()
        self._rejected = {name: until for name, until in self._rejected.items() if until > now}
        return frozenset(self._rejected)


def _has_expired(held: SigningCertificate) -> bool:
    return held.certificate.not_after < dt.datetime.now(dt.UTC)
