"""Let ``cryptography``'s builders sign with a key they cannot see."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, AsymmetricPadding, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPrivateNumbers, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from azcert.certificate.proof import SALT
from azcert.certificate.signer import Algorithm, Signer
from azcert.errors import SigningError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import _serialization
    from cryptography.utils import Buffer

__all__ = ["ForeignKey", "as_private_key", "padding_of"]


class ForeignKey(RSAPrivateKey):
    """A `Signer` dressed as ``RSAPrivateKey``: it signs with SHA-256, and everything else is refused."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    def sign(self, data: Buffer, padding: AsymmetricPadding, algorithm: object) -> bytes:
        """Sign *data*; the builders of ``cryptography`` call this.

        :raises SigningError: another hash than SHA-256, or the key's place did not sign.
        """
        if not isinstance(algorithm, SHA256):
            self._refuse("sign with another hash than SHA-256")
        wanted = Algorithm.PS256 if isinstance(padding, PSS) else Algorithm.RS256
        return self._signer.sign(bytes(data), wanted)

    def public_key(self) -> RSAPublicKey:
        """Return the public half."""
        return self._signer.public_key()

    @property
    def key_size(self) -> int:
        """Size of the modulus in bits."""
        return self.public_key().key_size

    def decrypt(self, ciphertext: bytes, padding: AsymmetricPadding) -> NoReturn:
        """Refuse."""
        del ciphertext, padding
        self._refuse("decrypt")

    def private_numbers(self) -> RSAPrivateNumbers:
        """Refuse."""
        self._refuse("give its private numbers")

    def private_bytes(
        self,
        encoding: _serialization.Encoding,
        format: _serialization.PrivateFormat,  # noqa: A002 - the interface's name
        encryption_algorithm: _serialization.KeySerializationEncryption,
    ) -> bytes:
        """Refuse."""
        del encoding, format, encryption_algorithm
        self._refuse("be exported")

    def __copy__(self) -> ForeignKey:
        return self

    def __deepcopy__(self, memo: dict[object, object]) -> ForeignKey:
        return self

    def _refuse(self, what: str) -> NoReturn:
        raise SigningError(
            f"The key in {self._signer.place} cannot {what}: it signs where it is and never leaves.",
            code="key-stays",
        )


def as_private_key(key: RSAPrivateKey | Signer) -> RSAPrivateKey:
    """Return *key* as something ``cryptography``'s builders sign with."""
    return key if isinstance(key, RSAPrivateKey) else ForeignKey(key)


def padding_of(key: RSAPrivateKey | Signer) -> PKCS1v15 | PSS:
    """Return the padding for a certificate's signature: PKCS#1 v1.5, which everything can verify.

    PSS where the key's place refuses anything else.
    """
    if isinstance(key, RSAPrivateKey) or Algorithm.RS256 in key.algorithms:
        return PKCS1v15()
    return PSS(MGF1(SHA256()), SALT)
