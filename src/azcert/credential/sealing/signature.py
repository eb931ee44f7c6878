"""A sealing key derived from the certificate's own key pair: nothing to configure, nothing to store.

The signer signs a fixed text with RS256 and HKDF turns the signature into the key. Why that is sound:

* RSASSA-PKCS1-v1_5 (RFC 8017, 8.2) is deterministic: the same key pair gives the same signature in every
  process, on every host and in every device. (PS256 is salted and gives another one each time.)
* Only a holder of the private key can make the signature: that is what a signature is. It is never stored,
  sent or logged; it lives until HKDF has read it. Whoever may ask the signer to sign can derive the sealing
  key, and could as well sign an assertion and get the very tokens that are sealed: nothing is gained.
* The signed text begins with a NUL byte, so it can never be the signing input of a JWS, which is base64url
  and dots (RFC 7515, 5.1), nor a certificate or request, which begin with 0x30. The signature is good for
  nothing else.
* The certificate's SHA-256 thumbprint is part of the text: each certificate has a key of its own.

What it cannot do: hosts with a certificate each derive different keys and share nothing. They need a
configured key (`configured`), and so does a signing key that refuses RS256.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert.certificate.signer import Algorithm
from azcert.credential.fork_lock import ForkLock
from azcert.credential.sealing.box import SealingKey
from azcert.errors import ConfigurationError, SelectionError, SigningError

if TYPE_CHECKING:
    from azcert.certificate.signer import SigningCertificate
    from azcert.sources.source import Source

__all__ = ["SignatureKeys"]

_CONTEXT = b"\x00azcert token cache: this signature derives a sealing key and proves nothing\x00"
_KEPT = 8


class SignatureKeys:
    """Sealing keys from the signatures of a source's certificates.

    :param source: what the credential signs with: a `Source`, asked again when the certificate was renewed.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._lock = ForkLock()
        self._keys: dict[str, SealingKey] = {}

    @property
    def origin(self) -> str:
        """Where the key comes from, for people."""
        return f"a signature by {self._source.name}"

    def key_for(self, thumbprint: str) -> SealingKey:
        """Return the key of one certificate; the first call signs once.

        :raises SelectionError: the source has no certificate with this thumbprint (any more).
        :raises ConfigurationError: its key cannot sign with RS256.
        :raises SigningError: the key's place did not sign, or signed wrongly.
        """
        known = self._keys.get(thumbprint)
        if known is not None:
            return known
        with self._lock:
            known = self._keys.get(thumbprint)
            if known is None:
                known = SealingKey(_sign(self._certificate(thumbprint), thumbprint))
                while len(self._keys) >= _KEPT:
                    del self._keys[next(iter(self._keys))]
                self._keys[thumbprint] = known
            return known

    def _certificate(self, thumbprint: str) -> SigningCertificate:
        skip: frozenset[str] = frozenset()
        # During an overlap a source holds the old certificate and the new one; it gives the best first.
        for _ in range(_KEPT):
            signing = self._source.load(skip=skip)
            if signing.certificate.thumbprint_sha256 == thumbprint:
                return signing
            if signing.certificate.thumbprint in skip:
                break
            skip |= {signing.certificate.thumbprint}
        raise SelectionError(
            f"{self._source.name} has no certificate with SHA-256 thumbprint {thumbprint} (any more), "
            f"so tokens got with it cannot be sealed or opened.",
            code="not-found",
            thumbprint_sha256=thumbprint,
        )


def _sign(signing: SigningCertificate, thumbprint: str) -> bytes:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    signer = signing.signer
    if Algorithm.RS256 not in signer.algorithms:
        raise ConfigurationError(
            f"The key in {signer.place} does not sign with RS256, and only that gives the same bytes "
            f"twice, as a sealing key needs.",
            code="sealing-key-not-derivable",
            remedy="Give the cache a key of its own: a file, a systemd credential or the kernel keyring.",
        )
    text = _CONTEXT + thumbprint.encode()
    signature = signer.sign(text, Algorithm.RS256)
    try:
        # A faulty device must not lead to a key that nobody derives twice, or that anybody can guess.
        signer.public_key().verify(signature, text, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise SigningError(
            f"The key in {signer.place} gave a signature that its own public key does not verify.",
            code="signature-invalid",
        ) from None
    return signature
