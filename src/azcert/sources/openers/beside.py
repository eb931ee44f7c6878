"""The certificate of a key that lives elsewhere: taken from what lies beside it, by the public key."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from azcert._files import read_file
from azcert.certificate import formats
from azcert.certificate.chain import spki_of, with_chain
from azcert.certificate.fitness import require_fit
from azcert.certificate.model import Certificate
from azcert.certificate.signer import SigningCertificate
from azcert.errors import CertificateError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Hashable, Sequence

    from cryptography import x509

    from azcert.certificate.signer import Signer

__all__ = ["file_revision", "read_certificates", "with_certificate"]


def with_certificate(
    signer: Signer,
    certificates: Sequence[x509.Certificate],
    *,
    name: str,
    now: dt.datetime,
    skip: Collection[str] = frozenset(),
) -> SigningCertificate:
    """Return *signer* with the certificate of its key: the newest that is valid now, and its chain.

    :param name: what the certificates lie in, for messages.
    :raises CertificateError: ``no-certificate``, ``key-mismatch``, or one that Entra ID would refuse.
    """
    unique = [Certificate(each) for each in dict.fromkeys(certificates)]
    if not unique:
        raise CertificateError(
            f"{name} holds no certificate for the key in {signer.place}.",
            code="no-certificate",
            remedy="Name the certificate's file by certificate=FILE in the URI, or put the CA's answer "
            "beside the key with azcert accept.",
            name=name,
        )
    spki = spki_of(signer.public_key())
    matching = [each for each in unique if each.spki == spki]
    if not matching:
        listed = ", ".join(f"{each.thumbprint} ({each.subject})" for each in unique)
        raise CertificateError(
            f"The key in {signer.place} belongs to none of the certificates in {name}: {listed}.",
            code="key-mismatch",
            remedy="Give the certificate that was made for this key.",
            name=name,
            thumbprints=[each.thumbprint for each in unique],
        )
    candidates = [each for each in matching if each.thumbprint not in skip]
    if not candidates:
        raise CertificateError(
            f"{name} holds no certificate for the key in {signer.place} besides those already rejected.",
            code="no-certificate",
            remedy="Put the renewed certificate beside the key.",
            name=name,
        )
    best = max(candidates, key=lambda each: (each.is_valid_at(now), each.not_before, each.not_after))
    certificate, extras = with_chain(best.leaf, [each.leaf for each in unique])
    require_fit(certificate, now=now, name=name)
    return SigningCertificate(certificate, signer, extras)


def read_certificates(path: str) -> tuple[x509.Certificate, ...]:
    """Return the certificates in a file.

    :raises CertificateError: it is not there, or holds something else.
    :raises AccessError: it cannot be read.
    """
    return formats.load(read_file(path, limit=formats.MAX_SIZE).data, name=path).certificates


def file_revision(path: str) -> Hashable:
    """Return what changes when the file is rewritten, replaced, or its symbolic link turned."""
    try:
        found = os.stat(path)  # noqa: PTH116 - asked before each token: Path.stat() costs twice
    except OSError as error:
        return error.errno
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev, found.st_ctime_ns)
