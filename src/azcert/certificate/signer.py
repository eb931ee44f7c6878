"""The contract of every place a private key can live: it signs, and never gives the key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from azcert.certificate.model import Certificate

__all__ = ["Algorithm", "Signer", "SigningCertificate"]


class Algorithm(StrEnum):
    """Signature algorithms Entra ID takes from an RSA key that azcert uses (RFC 7518, 3.3 and 3.5)."""

    PS256 = "PS256"
    RS256 = "RS256"


class Signer(Protocol):
    """Signs with one RSA private key, wherever it is. Safe to call from several threads."""

    @property
    def place(self) -> str:
        """Where the key is, for people: ``"file /etc/app.pem"``, ``"PKCS#11 token 'prod'"``. No secrets."""

    @property
    def protection(self) -> str:
        """``file``, ``encrypted``, ``pkcs11``, ``tpm``, ``keyvault``, ``cng`` or ``memory``."""

    @property
    def blocking(self) -> bool:
        """True where signing waits for a device or a network, so that an event loop must not wait for it."""

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """What this key can sign with, best first; PS256 only if its salt is 32 bytes (RFC 7518, 3.5)."""

    def public_key(self) -> RSAPublicKey:
        """Return the public half."""

    def sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        """Return the raw signature over *data*, as long as the modulus.

        :raises azcert.errors.SigningError: the place did not sign.
        """

    def close(self) -> None:
        """Give back sessions and handles; a closed signer signs no more."""


@dataclass(frozen=True)
class SigningCertificate:
    """A certificate with the signer of its private key.

    :param extras: certificates that came along and belong neither to the leaf nor to its chain.
    """

    certificate: Certificate
    signer: Signer
    extras: tuple[Certificate, ...] = ()
