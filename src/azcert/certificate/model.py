"""What a certificate is: a leaf with its chain, as an immutable value."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes as PublicKeyTypes

__all__ = ["Certificate"]

_KEY_NAMES: tuple[tuple[type, str], ...] = (
    (rsa.RSAPublicKey, "RSA"),
    (ec.EllipticCurvePublicKey, "EC"),
    (ed25519.Ed25519PublicKey, "Ed25519"),
    (ed448.Ed448PublicKey, "Ed448"),
    (dsa.DSAPublicKey, "DSA"),
)


@dataclass(frozen=True)
class Certificate:
    """An X.509 certificate and the issuers that lead to its root, as far as they are known.

    :param leaf: the certificate whose key signs.
    :param chain: its issuers, nearest first, the leaf not included (the order of RFC 7515, 4.1.6).
    """

    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...] = ()

    @cached_property
    def der(self) -> bytes:
        """The leaf's DER bytes."""
        return self.leaf.public_bytes(Encoding.DER)

    @cached_property
    def thumbprint(self) -> str:
        """SHA-1 over the DER in upper-case hex, as the Azure portal shows it."""
        return hashlib.sha1(self.der, usedforsecurity=False).hexdigest().upper()

    @cached_property
    def thumbprint_sha256(self) -> str:
        """SHA-256 over the DER in upper-case hex."""
        return hashlib.sha256(self.der).hexdigest().upper()

    @property
    def subject(self) -> str:
        """The subject in RFC 4514 form (``CN=app,O=Contoso``)."""
        return self.leaf.subject.rfc4514_string()

    @property
    def issuer(self) -> str:
        """The issuer in RFC 4514 form."""
        return self.leaf.issuer.rfc4514_string()

    @property
    def serial_number(self) -> str:
        """The serial number in upper-case hex, as Windows and OpenSSL show it."""
        text = f"{self.leaf.serial_number:X}"
        return text if len(text) % 2 == 0 else "0" + text

    @property
    def not_before(self) -> dt.datetime:
        """Start of validity, in UTC."""
        return self.leaf.not_valid_before_utc

    @property
    def not_after(self) -> dt.datetime:
        """End of validity, in UTC."""
        return self.leaf.not_valid_after_utc

    def is_valid_at(self, moment: dt.datetime) -> bool:
        """Tell whether *moment* (aware) lies inside the validity, ends included (RFC 5280, 4.1.2.5)."""
        return self.not_before <= moment <= self.not_after

    @cached_property
    def spki(self) -> bytes:
        """The public key as SubjectPublicKeyInfo DER: equal bytes mean the same key; empty if unknown."""
        key = self._public_key
        return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) if key else b""

    @property
    def key_type(self) -> str:
        """``RSA``, ``EC``, ``Ed25519``, ... or ``unknown``."""
        return next((name for kind, name in _KEY_NAMES if isinstance(self._public_key, kind)), "unknown")

    @property
    def key_size(self) -> int:
        """Size of the key in bits; 0 where the kind of key has none."""
        return int(getattr(self._public_key, "key_size", 0))

    @cached_property
    def _public_key(self) -> PublicKeyTypes | None:
        try:
            return self.leaf.public_key()
        except (ValueError, UnsupportedAlgorithm):
            # An issuer may have any kind of key; only that of a leaf that signs matters.
            return None

    @property
    def is_self_signed(self) -> bool:
        """Tell whether issuer and subject are the same name."""
        return self.leaf.issuer == self.leaf.subject

    def __repr__(self) -> str:
        return f"<Certificate {self.subject!r} thumbprint={self.thumbprint}>"
