"""A certificate as text for people and as JSON values for scripts."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

if TYPE_CHECKING:
    from azcert.certificate.model import Certificate

__all__ = ["as_json", "as_text", "remaining", "rows"]


def as_json(certificate: Certificate) -> dict[str, Any]:
    """Return what there is to know about a certificate; times in UTC, ISO 8601."""
    return {
        "subject": certificate.subject,
        "issuer": certificate.issuer,
        "serial_number": certificate.serial_number,
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "key_type": certificate.key_type,
        "key_size": certificate.key_size,
        "signature_hash": _signature_hash(certificate),
        "alternative_names": _alternative_names(certificate),
        "thumbprint": certificate.thumbprint,
        "thumbprint_sha256": certificate.thumbprint_sha256,
    }


def as_text(certificate: Certificate) -> list[tuple[str, str]]:
    """Return (label, value) in the order a reader looks for them."""
    issuer = "itself" if certificate.is_self_signed else certificate.issuer
    size = f" {certificate.key_size} bits" if certificate.key_size else ""
    found = [
        ("subject", certificate.subject),
        ("issued by", issuer),
        ("serial number", certificate.serial_number),
        ("valid from", certificate.not_before.strftime("%Y-%m-%d %H:%M UTC")),
        ("valid until", certificate.not_after.strftime("%Y-%m-%d %H:%M UTC")),
        ("key", f"{certificate.key_type}{size}"),
        ("signature", _signature_hash(certificate) or "unknown"),
        ("thumbprint", certificate.thumbprint),
        ("SHA-256", certificate.thumbprint_sha256),
    ]
    names = _alternative_names(certificate)
    return found + [("other names", ", ".join(names))] * bool(names)


def rows(pairs: list[tuple[str, str]]) -> str:
    """Align (label, value) pairs in two columns."""
    width = max(len(label) for label, _ in pairs)
    return "\n".join(f"{label:<{width}}  {value}" for label, value in pairs)


def remaining(certificate: Certificate, now: dt.datetime) -> str:
    """Say how long a certificate still lasts, in words."""
    left = certificate.not_after - now
    if left < dt.timedelta(0):
        return "expired"
    return f"{left.days} days left" if left.days else f"{left.seconds // 3600} hours left"


def _signature_hash(certificate: Certificate) -> str | None:
    try:
        algorithm = certificate.leaf.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return None
    return algorithm.name if algorithm else None


def _alternative_names(certificate: Certificate) -> list[str]:
    try:
        found = certificate.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return []
    return [str(each.value) for each in found.value]
