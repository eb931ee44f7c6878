"""Ask a certificate authority for a certificate, and judge its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from azcert.certificate import formats
from azcert.certificate.chain import spki_of, with_chain
from azcert.certificate.foreign import as_private_key, padding_of
from azcert.certificate.issue import extensions
from azcert.certificate.model import Certificate
from azcert.certificate.names import subject_name
from azcert.errors import CertificateError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey

    from azcert._redact import Secret
    from azcert.certificate.signer import Signer

__all__ = ["read_answer", "signing_request"]


def signing_request(
    key: RSAPrivateKey | Signer, *, subject: str, alternative_names: Sequence[str] = ()
) -> x509.CertificateSigningRequest:
    """Make a PKCS#10 request for *key*, wherever it is, signed by it with SHA-256.

    The extensions asked for are those of `azcert.certificate.issue.self_signed`; the authority decides.

    :raises azcert.errors.ConfigurationError: a name cannot be read.
    :raises azcert.errors.SigningError: the key's place did not sign.
    """
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject_name(subject))
    for extension, critical in extensions(alternative_names):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(as_private_key(key), SHA256(), rsa_padding=padding_of(key))


def read_answer(
    data: bytes,
    *,
    public_key: RSAPublicKey,
    place: str,
    name: str,
    password: Secret | None = None,
) -> tuple[Certificate, tuple[Certificate, ...]]:
    """Return the certificate that an authority issued for *public_key*, with its chain, and the extras.

    :param data: PEM, DER, PKCS#7, or base64 of these, in any order.
    :param place: where the key is, for messages.
    :param name: what the answer is called in messages.
    :raises CertificateError: ``key-mismatch``, ``no-certificate``, or a fault of `formats.load`.
    """
    contents = formats.load(data, password=password, name=name)
    found = [Certificate(each) for each in contents.certificates]
    if not found:
        raise CertificateError(
            f"{name} holds no certificate.",
            code="no-certificate",
            remedy="Give the file that the certificate authority returned.",
            name=name,
        )
    wanted = spki_of(public_key)
    matches = [each for each in found if each.spki == wanted]
    if not matches:
        listed = ", ".join(f"{each.thumbprint} ({each.subject})" for each in found)
        raise CertificateError(
            f"None of the certificates in {name} was issued for the key in {place}; it holds {listed}.",
            code="key-mismatch",
            remedy="Check which request the authority answered.",
            name=name,
            thumbprints=[each.thumbprint for each in found],
        )
    newest = max(matches, key=lambda each: (each.not_before, each.not_after))
    return with_chain(newest.leaf, contents.certificates)
