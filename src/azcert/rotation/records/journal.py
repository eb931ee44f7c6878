"""How far a rotation has come, as a value: what was meant, so that a later run goes on from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from azcert.certificate.chain import spki_of
from azcert.certificate.model import Certificate
from azcert.certificate.writers import public_pem

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Journal"]


@dataclass(frozen=True)
class Journal:
    """One rotation; times in seconds since the epoch. Nothing in it is secret.

    :param source: the source that is rotated.
    :param old: SHA-1 thumbprint of the certificate that is replaced.
    :param old_key_id: its id on the application, where it is known.
    :param staged: where the successor's key is, chosen before it is made.
    :param by_authority: an authority issues the successor, instead of the key signing its own.
    :param request: the request for it as PEM, once it is made.
    :param certificate: the successor with its chain as PEM, once there is one.
    :param asked_at: when its registration was last asked for; without a *key_id*, nobody heard the answer.
    :param key_id: its id on the application; None stays where it signs in though the answer was not heard.
    :param proven_at: when it signed in well several times in a row.
    :param switched_at: when the source began to give it.
    """

    source: str
    old: str
    old_key_id: str | None
    staged: str
    by_authority: bool = False
    request: str | None = None
    certificate: str | None = None
    asked_at: float | None = None
    key_id: str | None = None
    proven_at: float | None = None
    switched_at: float | None = None
    retired_at: float | None = None

    @cached_property
    def successor(self) -> Certificate | None:
        """The successor's certificate with its chain."""
        if self.certificate is None:
            return None
        leaf, *chain = x509.load_pem_x509_certificates(self.certificate.encode())
        return Certificate(leaf, tuple(chain))

    @cached_property
    def asked_key(self) -> RSAPublicKey | None:
        """The key that an authority was asked to certify."""
        if self.request is None:
            return None
        key = x509.load_pem_x509_csr(self.request.encode()).public_key()
        assert isinstance(key, RSAPublicKey), "no other key is made"  # noqa: S101
        return key

    @property
    def spki(self) -> bytes | None:
        """The successor's public key (SubjectPublicKeyInfo), once its key was made."""
        if self.successor is not None:
            return self.successor.spki
        return spki_of(self.asked_key) if self.asked_key is not None else None

    def with_successor(self, certificate: Certificate) -> Self:
        """Return the journal with the successor in it."""
        return replace(self, certificate=public_pem(certificate).decode())

    def as_json(self) -> bytes:
        """Return it as a JSON document."""
        return json.dumps(asdict(self), indent=2).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Self:
        """Read what `as_json` wrote.

        :raises ValueError: it is no journal.
        """
        try:
            return cls(**json.loads(text))
        except TypeError as error:
            raise ValueError(str(error)) from error
