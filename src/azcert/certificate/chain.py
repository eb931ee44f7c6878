"""Which certificate belongs to the key, and which ones lead from it to a root, whatever the file's order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from azcert.certificate.model import Certificate
from azcert.errors import CertificateError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Sequence

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes

    from azcert.certificate.formats import Contents

__all__ = ["Paired", "issued_by", "leaf_without_key", "pair", "spki_of", "with_chain"]


@dataclass(frozen=True)
class Paired:
    """A private key with its certificate.

    :param extras: certificates that came along and belong neither to the leaf nor to its chain.
    """

    key: PrivateKeyTypes = field(repr=False)
    certificate: Certificate
    extras: tuple[Certificate, ...] = ()


def pair(contents: Contents, *, name: str, now: dt.datetime, skip: Collection[str] = frozenset()) -> Paired:
    """Return the private key of *contents* with the certificate that belongs to it, and its chain.

    Of several certificates for one key, and of several keys whose certificates bear one subject, the newest
    that is valid at *now* is taken: that is how a renewal looks that was appended to the file.

    :param skip: SHA-1 thumbprints of certificates not to take.
    :raises CertificateError: ``key-missing``, ``no-certificate``, ``key-mismatch``, ``several-keys``.
    """
    certificates = _unique(contents.certificates)
    if not contents.keys:
        raise _key_missing(contents, name)
    if not certificates:
        raise CertificateError(
            f"{name} holds a private key but no certificate.",
            code="no-certificate",
            remedy="Append the certificate: cat KEY CERTIFICATE > FILE; or make one with azcert new.",
            name=name,
        )
    keys = {spki_of(key.public_key()): key for key in contents.keys}
    matches = [each for each in certificates if each.spki in keys]
    if not matches:
        raise _mismatch(contents, certificates, name)
    candidates = [each for each in matches if each.thumbprint not in skip]
    if not candidates:
        raise CertificateError(
            f"{name} holds no certificate for its key besides {_listed(matches)}, already rejected.",
            code="no-certificate",
            remedy="Put the renewed certificate into the file.",
            name=name,
        )
    if len({each.leaf.subject for each in candidates}) > 1 and len({each.spki for each in candidates}) > 1:
        raise CertificateError(
            f"{name} holds several private keys with certificates for different names:"
            f" {_listed(candidates)}.",
            code="several-keys",
            remedy="Put each key with its certificate into a file of its own.",
            name=name,
            thumbprints=[each.thumbprint for each in candidates],
        )
    best = max(candidates, key=lambda each: (each.is_valid_at(now), each.not_before, each.not_after))
    certificate, extras = with_chain(best.leaf, [each.leaf for each in certificates])
    return Paired(keys[best.spki], certificate, extras)


def leaf_without_key(certificates: Sequence[x509.Certificate], *, name: str) -> x509.Certificate:
    """Return the certificate that issued none of the others: the first such one in file order.

    :raises CertificateError: ``no-certificate``.
    """
    unique = [each.leaf for each in _unique(certificates)]
    if not unique:
        raise CertificateError(
            f"{name} holds no certificate.",
            code="no-certificate",
            remedy="Give the file that holds the certificate.",
            name=name,
        )
    for candidate in unique:
        if not any(issued_by(other, candidate) for other in unique if other is not candidate):
            return candidate
    return unique[0]


def with_chain(
    leaf: x509.Certificate, certificates: Sequence[x509.Certificate]
) -> tuple[Certificate, tuple[Certificate, ...]]:
    """Order those of *certificates* that lead from *leaf* to a root behind it; return them and the others.

    Each link is verified: names and signature. Cross-signed certificates that lead in a circle end it.
    """
    rest = [each.leaf for each in _unique(certificates) if each.leaf != leaf]
    chain: list[x509.Certificate] = []
    current = leaf
    while current.issuer != current.subject:
        issuers = [each for each in rest if issued_by(current, each)]
        if not issuers:
            break
        # Of several, the one that lasts longest: cross-signed roots are replaced before they end.
        current = max(issuers, key=lambda each: each.not_valid_after_utc)
        chain.append(current)
        rest.remove(current)
    return Certificate(leaf, tuple(chain)), tuple(Certificate(each) for each in rest)


def issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Tell whether *issuer*'s name and key are those that signed *certificate*."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def spki_of(key: PublicKeyTypes) -> bytes:
    """Return a public key as SubjectPublicKeyInfo DER: equal bytes mean the same key."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _unique(certificates: Sequence[x509.Certificate]) -> list[Certificate]:
    return [Certificate(each) for each in dict.fromkeys(certificates)]


def _listed(certificates: Sequence[Certificate]) -> str:
    return ", ".join(f"{each.thumbprint} ({each.subject})" for each in certificates)


def _key_missing(contents: Contents, name: str) -> CertificateError:
    if contents.tss2_keys:
        return CertificateError(
            f"{name} holds a key that only its TPM can use.",
            code="key-missing",
            remedy=f"Name it tpm:{name} instead.",
            name=name,
        )
    found = [Certificate(each) for each in contents.certificates]
    return CertificateError(
        f"{name} holds no private key, only {_listed(found) or 'nothing'} ({contents.form}).",
        code="key-missing",
        remedy="Give the file with the private key: the .pfx, or the .pem with a PRIVATE KEY block."
        " A .cer is the public part, for upload.",
        name=name,
        thumbprints=[each.thumbprint for each in found],
    )


def _mismatch(contents: Contents, certificates: Sequence[Certificate], name: str) -> CertificateError:
    count = len(contents.keys)
    return CertificateError(
        f"The private key{'s' if count > 1 else ''} in {name} belong{'' if count > 1 else 's'} to another"
        f" certificate than {_listed(certificates)}.",
        code="key-mismatch",
        remedy="Put the key and the certificate that was made for it into one file.",
        name=name,
        thumbprints=[each.thumbprint for each in certificates],
    )
