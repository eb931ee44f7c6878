"""The client assertion: the JWT with which a client proves that it holds the certificate's key.

https://learn.microsoft.com/entra/identity-platform/certificate-credentials and RFC 7515, 7518, 7523.
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from typing import TYPE_CHECKING, NamedTuple

from cryptography.hazmat.primitives.serialization import Encoding

from azcert.certificate.signer import Algorithm
from azcert.errors import SigningError

if TYPE_CHECKING:
    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import Signer

__all__ = ["LIFETIME", "AssertionRequest", "choose_algorithm"]

LIFETIME = 600
"""Seconds an assertion is valid: Microsoft advises five to ten minutes, and every MSAL uses ten."""


class AssertionRequest(NamedTuple):
    """What one assertion says; equal requests may share one assertion while it is valid.

    :param audience: the token endpoint.
    :param send_chain: put the certificate and its issuers into the header (``x5c``).
    """

    certificate: Certificate
    client_id: str
    audience: str
    algorithm: Algorithm
    send_chain: bool

    def signing_input(self, *, issued_at: int, identifier: str) -> bytes:
        """Return header and claims, encoded, ready to be signed (RFC 7515, 5.1).

        :param issued_at: seconds since the epoch, by the clock of Entra ID.
        :param identifier: the ``jti``, unlike any other.
        """
        claims = {
            "aud": self.audience,
            "iss": self.client_id,
            "sub": self.client_id,
            "jti": identifier,
            "iat": issued_at,
            "nbf": issued_at,
            "exp": issued_at + LIFETIME,
        }
        return _encode(self._header()) + b"." + _encode(claims)

    def _header(self) -> dict[str, object]:
        header: dict[str, object] = {"alg": self.algorithm.value, "typ": "JWT"}
        # RS256 goes with the SHA-1 thumbprint: that pair is what AD FS knows and what MSAL.NET falls back to
        # with keys that cannot do PSS. RS256 with x5t#S256 has been seen nowhere.
        if self.algorithm is Algorithm.PS256:
            header["x5t#S256"] = base64url(bytes.fromhex(self.certificate.thumbprint_sha256)).decode()
        else:
            header["x5t"] = base64url(bytes.fromhex(self.certificate.thumbprint)).decode()
        if self.send_chain:
            # Standard base64, leaf first (RFC 7515, 4.1.6).
            chain = (self.certificate.leaf, *self.certificate.chain)
            header["x5c"] = [b64encode(one.public_bytes(Encoding.DER)).decode() for one in chain]
        return header


def attach(signing_input: bytes, signature: bytes) -> str:
    """Return the finished JWT in compact form."""
    return (signing_input + b"." + base64url(signature)).decode()


def choose_algorithm(signer: Signer, *, adfs: bool) -> Algorithm:
    """Return the algorithm to sign with: AD FS takes only RS256, Entra ID whatever the key does best.

    :raises SigningError: the key does not offer what the service takes.
    """
    offered = signer.algorithms
    if adfs:
        if Algorithm.RS256 in offered:
            return Algorithm.RS256
        raise SigningError(
            f"AD FS takes assertions signed with RS256; the key in {signer.place} offers "
            f"{', '.join(offered) or 'nothing'}.",
            code="no-common-algorithm",
            remedy="Use a key that may sign with PKCS#1 v1.5 padding.",
        )
    if not offered:
        raise SigningError(
            f"The key in {signer.place} offers neither PS256 nor RS256, which Entra ID takes.",
            code="no-common-algorithm",
            remedy="Use an RSA key that may sign.",
        )
    return offered[0]


def base64url(data: bytes) -> bytes:
    """Encode without padding (RFC 7515, 2)."""
    return urlsafe_b64encode(data).rstrip(b"=")


def _encode(part: dict[str, object]) -> bytes:
    return base64url(json.dumps(part, separators=(",", ":")).encode())
