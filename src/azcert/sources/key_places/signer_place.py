"""What the places have in common whose key signs whatever it is given: files, tokens, TPMs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from azcert.certificate.issue import DEFAULT_DAYS, check_days, self_signed
from azcert.certificate.names import alternative_names, subject_name
from azcert.certificate.request import signing_request

if TYPE_CHECKING:
    import datetime as dt

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import Signer

__all__ = ["SignerPlace", "Wanted"]


@dataclass(frozen=True)
class Wanted:
    """What a certificate shall say; the parameters are those of `azcert.certificate.issue.self_signed`.

    :raises ConfigurationError: it cannot be said. That is known before a key is made for it.
    """

    subject: str
    alternative_names: tuple[str, ...] = ()
    days: int = DEFAULT_DAYS

    def __post_init__(self) -> None:
        subject_name(self.subject)
        alternative_names(self.alternative_names)
        check_days(self.days)


class SignerPlace(ABC):
    """A `azcert.sources.key_places.key_place.KeyPlace` around a signer.

    :param source: the URI that finds the key again.
    """

    def __init__(self, source: str, signer: Signer) -> None:
        self.source = source
        self.signer = signer

    @property
    def place(self) -> str:
        """Where the key is, for people."""
        return self.signer.place

    def public_key(self) -> RSAPublicKey:
        """Return the public half."""
        return self.signer.public_key()

    def self_signed(self, wanted: Wanted, *, now: dt.datetime) -> tuple[Certificate, str]:
        """Make a self-signed certificate and put it beside its key; return it and the source of both."""
        certificate = self_signed(
            self.signer,
            subject=wanted.subject,
            alternative_names=wanted.alternative_names,
            days=wanted.days,
            now=now,
        )
        return certificate, self.put(certificate)

    def request(self, wanted: Wanted) -> x509.CertificateSigningRequest:
        """Make a request for an authority; the authority decides on the validity."""
        return signing_request(
            self.signer, subject=wanted.subject, alternative_names=wanted.alternative_names
        )

    @abstractmethod
    def put(self, certificate: Certificate) -> str:
        """Put a certificate beside the key and return the source that names both."""

    def close(self) -> None:
        """Give back sessions and handles."""
        self.signer.close()
