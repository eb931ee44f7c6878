"""Will Entra ID take this certificate? What it demands is refused here, before any network is asked."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm

from azcert.errors import CertificateError

if TYPE_CHECKING:
    from azcert.certificate.model import Certificate

__all__ = ["MIN_KEY_SIZE", "Finding", "findings", "require_fit"]

MIN_KEY_SIZE = 2048
"""Bits; Microsoft documents no minimum for app certificates, NIST SP 800-131A allows nothing below."""

EXPIRES_SOON = dt.timedelta(days=30)
_WEAK_HASHES = {"md5", "sha1"}


class Finding(NamedTuple):
    """One thing worth knowing about a certificate.

    :param code: ``not-rsa``, ``key-too-short``, ``expired``, ``not-yet-valid`` (errors); ``expires-soon``,
        ``weak-signature-hash`` (warnings).
    :param is_error: True where Entra ID would refuse the certificate.
    """

    code: str
    message: str
    remedy: str
    is_error: bool = True


def findings(certificate: Certificate, *, now: dt.datetime) -> tuple[Finding, ...]:
    """Return everything wrong or remarkable about *certificate* at *now* (aware), errors first."""
    found = [*_key(certificate), *_validity(certificate, now), *_signature(certificate)]
    return tuple(sorted(found, key=lambda each: not each.is_error))


def require_fit(certificate: Certificate, *, now: dt.datetime, name: str) -> None:
    """Refuse a certificate that Entra ID would refuse.

    :raises CertificateError: the first error of `findings`, under its code.
    """
    for finding in findings(certificate, now=now):
        if finding.is_error:
            raise CertificateError(
                f"{name}: {finding.message}",
                code=finding.code,
                remedy=finding.remedy,
                name=name,
                thumbprint=certificate.thumbprint,
                subject=certificate.subject,
                not_before=certificate.not_before.isoformat(),
                not_after=certificate.not_after.isoformat(),
                key_type=certificate.key_type,
                key_size=certificate.key_size,
            )


def _key(certificate: Certificate) -> list[Finding]:
    renew = "Make a certificate with an RSA key of 2048 bits or more: azcert new NAME"
    if certificate.key_type != "RSA":
        return [
            Finding(
                "not-rsa",
                f"certificate {certificate.thumbprint} has a key of type {certificate.key_type}; Entra ID"
                " takes RSA.",
                renew,
            )
        ]
    if certificate.key_size < MIN_KEY_SIZE:
        return [
            Finding(
                "key-too-short",
                f"the RSA key of certificate {certificate.thumbprint} has {certificate.key_size} bits;"
                f" at least {MIN_KEY_SIZE} are needed.",
                renew,
            )
        ]
    return []


def _validity(certificate: Certificate, now: dt.datetime) -> list[Finding]:
    thumbprint = certificate.thumbprint
    if now > certificate.not_after:
        return [
            Finding(
                "expired",
                f"certificate {thumbprint} expired on {_shown(certificate.not_after)},"
                f" {_ago(now, certificate)}.",
                "Make a new one with azcert new and register it, or set the clock if it is wrong.",
            )
        ]
    if now < certificate.not_before:
        return [
            Finding(
                "not-yet-valid",
                f"certificate {thumbprint} is valid from {_shown(certificate.not_before)} on; now it is"
                f" {_shown(now)}.",
                "Wait until then, or set the clock if it is wrong.",
            )
        ]
    if certificate.not_after - now < EXPIRES_SOON:
        days = (certificate.not_after - now).days
        return [
            Finding(
                "expires-soon",
                f"certificate {thumbprint} expires on {_shown(certificate.not_after)}, in {days} days.",
                "Make and register its successor now, so that both are valid for a while.",
                is_error=False,
            )
        ]
    return []


def _signature(certificate: Certificate) -> list[Finding]:
    try:
        algorithm = certificate.leaf.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return []
    if algorithm is None or algorithm.name not in _WEAK_HASHES:
        return []
    return [
        Finding(
            "weak-signature-hash",
            f"certificate {certificate.thumbprint} is signed with {algorithm.name.upper()}, which is broken.",
            "Entra ID takes it for now; make the next one with SHA-256.",
            is_error=False,
        )
    ]


def _shown(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%d %H:%M UTC")


def _ago(now: dt.datetime, certificate: Certificate) -> str:
    days = (now - certificate.not_after).days
    return f"{days} days ago" if days else "today"
