"""The next certificate: what it takes over from the one in use, self-signed or from an authority."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from azcert.certificate import formats
from azcert.certificate.fitness import require_fit
from azcert.certificate.issue import BACK_DATED, MAX_DAYS, self_signed
from azcert.certificate.names import alternative_names
from azcert.certificate.request import read_answer, signing_request
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import Signer

__all__ = ["Answer", "issued", "request_for", "self_signed_after"]


@dataclass(frozen=True)
class Answer:
    """What an authority returned.

    :param content: PEM, DER, PKCS#7, or base64 of these, the chain in any order.
    :param name: what it is called in messages.
    """

    content: bytes = field(repr=False)
    name: str

    def holds(self, certificate: Certificate) -> bool:
        """Tell whether *certificate* is among what was returned.

        :raises azcert.errors.CertificateError: the content cannot be read.
        """
        return certificate.leaf in formats.load(self.content, name=self.name).certificates


def self_signed_after(old: Certificate, key: Signer, *, days: int | None, now: dt.datetime) -> Certificate:
    """Make a certificate for *key* that follows *old*, under the same names.

    :param days: validity; as long as *old*'s without it.
    """
    # Stores and tokens give the newest: the successor begins later, however young its predecessor is.
    moment = max(now, old.not_before + BACK_DATED + dt.timedelta(seconds=1))
    return self_signed(
        key,
        subject=old.subject,
        alternative_names=_alternative_names(old),
        days=days or min(max(1, (old.not_after - old.not_before).days), MAX_DAYS),
        now=moment,
    )


def request_for(old: Certificate, key: Signer) -> str:
    """Return a request (PKCS#10, PEM) for a certificate of *key* under the names of *old*."""
    request = signing_request(key, subject=old.subject, alternative_names=_alternative_names(old))
    return request.public_bytes(Encoding.PEM).decode()


def issued(answer: Answer, key: RSAPublicKey, *, place: str, now: dt.datetime) -> Certificate:
    """Return the certificate with its chain that an authority issued for *key*.

    :param place: where the key is, for messages.
    :raises azcert.errors.CertificateError: there is none, or Entra ID would not take it.
    """
    certificate, _ = read_answer(answer.content, public_key=key, place=place, name=answer.name)
    require_fit(certificate, now=now, name=answer.name)
    return certificate


def _alternative_names(certificate: Certificate) -> tuple[str, ...]:
    """Return those that can be asked for again: host names, addresses, URIs, mail addresses."""
    try:
        names = certificate.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return ()
    return tuple(str(name.value) for name in names if _can_be_asked_for(name))


def _can_be_asked_for(name: x509.GeneralName) -> bool:
    try:
        return alternative_names((str(name.value),)) == [name]
    except ConfigurationError:
        return False
