"""Prove that a certificate's key signs: sign, verify with the certificate, measure."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from azcert.certificate.proof import holds
from azcert.errors import SigningError

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.certificate.signer import Algorithm, SigningCertificate

__all__ = ["Proof", "prove"]


@dataclass(frozen=True)
class Proof:
    """What one algorithm of a key showed; times in seconds per signature."""

    algorithm: Algorithm
    signatures: int
    median: float
    slowest: float


def prove(
    found: SigningCertificate, *, signatures: int, clock: Callable[[], float] = time.perf_counter
) -> list[Proof]:
    """Sign *signatures* times with each algorithm of the key and verify all with the certificate.

    :raises SigningError: the key does not sign, or the certificate does not confirm what it signs.
    """
    public_key = found.certificate.leaf.public_key()
    if not isinstance(public_key, RSAPublicKey):
        raise SigningError(
            f"The certificate {found.certificate.thumbprint} has no RSA key; Entra ID takes no other.",
            code="not-rsa",
        )
    return [_prove(found, public_key, algorithm, signatures, clock) for algorithm in found.signer.algorithms]


def _prove(
    found: SigningCertificate,
    public_key: RSAPublicKey,
    algorithm: Algorithm,
    signatures: int,
    clock: Callable[[], float],
) -> Proof:
    times = []
    for number in range(signatures):
        # The size of an assertion's header and payload, another one each time.
        data = f"azcert sign-test {number:06}".encode().ljust(600, b".")
        begin = clock()
        signature = found.signer.sign(data, algorithm)
        times.append(clock() - begin)
        if not holds(public_key, data, signature, algorithm):
            raise SigningError(
                f"The certificate {found.certificate.thumbprint} does not confirm what {found.signer.place} "
                f"signed with {algorithm}.",
                code="bad-signature",
                remedy="Key and certificate do not belong together: put the certificate that was made for "
                "this key beside it.",
                thumbprint=found.certificate.thumbprint,
                algorithm=str(algorithm),
            )
    return Proof(algorithm, signatures, statistics.median(times), max(times))
