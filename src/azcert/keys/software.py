"""A private key in this process's memory, signing with OpenSSL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from azcert.certificate.proof import SALT
from azcert.certificate.signer import Algorithm
from azcert.errors import SigningError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

__all__ = ["SoftwareSigner"]

_PADDINGS = {Algorithm.PS256: PSS(MGF1(SHA256()), SALT), Algorithm.RS256: PKCS1v15()}


class SoftwareSigner:
    """Implements `azcert.certificate.signer.Signer` for a key that was read from a file or a value.

    :param key: an RSA private key.
    :param place: where it came from, for people: ``"file /etc/app.pem"``.
    :param protection: ``file``, ``encrypted`` or ``memory``.
    """

    blocking = False
    algorithms = (Algorithm.PS256, Algorithm.RS256)

    def __init__(self, key: RSAPrivateKey, *, place: str, protection: str) -> None:
        self._key: RSAPrivateKey | None = key
        self._public_key = key.public_key()
        self.place = place
        self.protection = protection

    def public_key(self) -> RSAPublicKey:
        """Return the public half."""
        return self._public_key

    def sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        """Return the raw signature over *data*, as long as the modulus.

        :raises SigningError: the signer was closed.
        """
        key = self._key
        if key is None:
            raise SigningError(
                f"The key of {self.place} does not sign: its signer was closed.",
                code="signer-closed",
                remedy="Load the certificate again.",
            )
        return key.sign(data, _PADDINGS[algorithm], SHA256())

    def close(self) -> None:
        """Forget the key."""
        self._key = None

    def __repr__(self) -> str:
        return f"<SoftwareSigner {self.place}>"
