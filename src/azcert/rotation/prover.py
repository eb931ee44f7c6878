"""Proves that Entra ID takes a certificate: several sign-ins in a row, each with a request of its own.

One front end may know a new certificate before the next one does, so a single success proves little.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from azcert.credential.sync import CertificateCredential
from azcert.entra.aadsts import CERTIFICATE_REJECTED
from azcert.errors import AuthenticationError

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from azcert.certificate.signer import SigningCertificate

__all__ = ["IN_A_ROW", "Prover"]

IN_A_ROW = 5
"""Clean sign-ins in a row that count as proof."""

_PAUSE = 1.0
_SLOWEST = 15.0


class Prover:
    """Signs in as one application.

    :param patience: seconds to wait until the certificate is known.
    :param options: keywords of `CertificateCredential`.
    """

    def __init__(
        self,
        tenant_id: str,
        client_id: str,
        *,
        scope: str,
        patience: float = 600.0,
        in_a_row: int = IN_A_ROW,
        sleep: Callable[[float], None] = time.sleep,
        **options: Any,
    ) -> None:
        self._identity = (tenant_id, client_id)
        self._scope = scope
        self._patience = patience
        self._in_a_row = in_a_row
        self._sleep = sleep
        # No cache that others fill: nothing may answer instead of Entra ID.
        self._options = {"cache": "memory", **options}

    def prove(self, certificate: SigningCertificate, *, patience: float | None = None) -> None:
        """Sign in until it works several times in a row.

        :param patience: instead of the prover's own; without any left, the first refusal counts.
        :raises AuthenticationError: it did not within the patience; the last refusal.
        """
        limit = self._patience if patience is None else patience
        began, clean, pause = time.monotonic(), 0, _PAUSE
        while clean < self._in_a_row:
            try:
                self._sign_in(certificate)
            except AuthenticationError as error:
                if error.aadsts not in CERTIFICATE_REJECTED or time.monotonic() - began > limit:
                    raise
                clean = 0
                self._sleep(pause)
                pause = min(pause * 1.5, _SLOWEST)
            else:
                clean += 1

    def _sign_in(self, certificate: SigningCertificate) -> None:
        # A credential of its own each time: nothing that was cached could answer instead of Entra ID.
        with CertificateCredential(
            *self._identity, certificate=_Held(certificate), **self._options
        ) as credential:
            credential.get_token(self._scope)


class _Held:
    """A source that is one certificate, held elsewhere."""

    name = "the new certificate"

    def __init__(self, certificate: SigningCertificate) -> None:
        self._certificate = certificate
        self.blocking = certificate.signer.blocking

    def revision(self) -> Hashable:
        return 0

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        del skip
        return self._certificate

    def close(self) -> None:
        """Hold on to the signer: it is another one's to close."""
