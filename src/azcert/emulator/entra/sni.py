"""Subject name and issuer (SN/I): an application that trusts any certificate of a name from a CA.

The application carries ``trustedCertificateSubjects`` instead of a key: entries with ``authorityId``,
``subjectName`` and ``revokedCertificateIdentifiers`` (thumbprints). The emulator's own member
``authorityCertificates`` (base64 DER) names the CA's certificates, which the real service keeps elsewhere.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from azcert.emulator.entra import faults
from azcert.emulator.entra.faults import EntraRefusal

if TYPE_CHECKING:
    from azcert.emulator.world import World

__all__ = ["certificates", "check"]


def certificates(header: dict[str, Any]) -> list[x509.Certificate]:
    """Return the certificates of a JWT header's ``x5c``, leaf first; array or, from MSAL.NET, string."""
    given = header.get("x5c")
    texts = given if isinstance(given, list) else [given]
    found = []
    for text in texts:
        if not isinstance(text, str):
            continue
        try:
            # MSAL Python leaves the line breaks of its PEM inside.
            found.append(
                x509.load_der_x509_certificate(base64.b64decode("".join(text.split()), validate=True))
            )
        except (binascii.Error, ValueError):
            continue
    return found


def check(world: World, app: dict[str, Any], chain: list[x509.Certificate]) -> None:
    """Check that the app trusts the leaf of *chain*.

    :raises azcert.emulator.entra.faults.EntraRefusal: no entry has its name (700030), its CA did not sign it
        (7000213), it is revoked (7000214) or outside its validity (1000502).
    """
    leaf = chain[0]
    names = subject_names(leaf)
    entries = [
        entry
        for entry in app["trustedCertificateSubjects"]
        if str(entry.get("subjectName", "")).lower() in {name.lower() for name in names}
    ]
    if not entries:
        raise EntraRefusal(faults.SUBJECT_NAME, names=", ".join(names[:10]))
    signed = [entry for entry in entries if _leads_to(chain, certificates(_authority(entry)))]
    if not signed:
        raise EntraRefusal(faults.CHAIN)
    digest = hashlib.sha1(leaf.public_bytes(Encoding.DER), usedforsecurity=False).hexdigest()
    for entry in signed:
        if digest in {str(name).lower() for name in entry.get("revokedCertificateIdentifiers") or ()}:
            raise EntraRefusal(faults.REVOKED)
    now = world.clock.now()
    if not leaf.not_valid_before_utc.timestamp() <= now < leaf.not_valid_after_utc.timestamp():
        raise EntraRefusal(faults.CERTIFICATE_TIME)


def subject_names(leaf: x509.Certificate) -> list[str]:
    """Return the names an entry's ``subjectName`` may be: common name, whole subject, DNS names."""
    names = [str(attribute.value) for attribute in leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    names.append(leaf.subject.rfc4514_string())
    try:
        extension = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
        names += extension.value.get_values_for_type(x509.DNSName)
    except (x509.ExtensionNotFound, ValueError):
        pass
    return names


def _authority(entry: dict[str, Any]) -> dict[str, Any]:
    return {"x5c": entry.get("authorityCertificates") or []}


def _leads_to(chain: list[x509.Certificate], roots: list[x509.Certificate]) -> bool:
    # Without the CA's certificates the seed says: any CA will do.
    if not roots:
        return True
    current = chain[0]
    pool = chain[1:]
    for _ in range(len(chain)):
        if any(_issued(current, root) for root in roots):
            return True
        issuer = next((other for other in pool if other != current and _issued(current, other)), None)
        if issuer is None:
            return False
        current = issuer
    return False


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    if not _is_authority(issuer):
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False
