"""A source whose certificates a test puts on a shelf, and signers that sign nothing."""

from __future__ import annotations

import base64
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from azcert.certificate.model import Certificate
from azcert.certificate.signer import Algorithm, SigningCertificate
from azcert.errors import SelectionError, SigningError
from support.token_endpoint import make_certificate

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey


@cache
def certificates() -> tuple[Certificate, ...]:
    folder = Path(mkdtemp())
    return tuple(
        Certificate(make_certificate(folder / "app.pem", name=f"app-{number}", days=20_000)[0])
        for number in range(3)
    )


class FreeSigner:
    """Signs nothing: the service of this test looks at everything but the signature."""

    place = "nowhere"
    protection = "memory"
    blocking = False
    algorithms = (Algorithm.PS256,)

    def __init__(self, certificate: Certificate) -> None:
        self.certificate = certificate
        self.closed = False
        self.destroyed = False
        self.signed = 0

    def public_key(self) -> RSAPublicKey:
        raise NotImplementedError

    def sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        del data, algorithm
        assert not self.closed, "signed with a certificate that was closed"
        if self.destroyed:
            raise SigningError("The key is gone.", code="no-private-key")
        self.signed += 1
        return b"signature"

    def close(self) -> None:
        self.closed = True


class Shelf:
    """A source with certificates on it, the best one first."""

    name = "shelf"
    blocking = False

    def __init__(self) -> None:
        self.order = [0]
        self.changes = 0
        self.signers: list[FreeSigner] = []

    @property
    def signatures(self) -> int:
        return sum(signer.signed for signer in self.signers)

    def put(self, *order: int) -> None:
        """Change what is on the shelf, the best first."""
        self.order = list(order)
        self.changes += 1

    def revision(self) -> Hashable:
        return self.changes

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        for number in self.order:
            certificate = certificates()[number]
            if certificate.thumbprint not in skip:
                signer = FreeSigner(certificate)
                self.signers.append(signer)
                return SigningCertificate(certificate, signer)
        raise SelectionError("The shelf is empty.", code="not-found")

    def close(self) -> None:
        """Nothing to close."""


def digest_of(certificate: Certificate) -> str:
    """The SHA-256 thumbprint as an assertion's header has it."""
    digest = bytes.fromhex(certificate.thumbprint_sha256)
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")
