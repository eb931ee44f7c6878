"""What is worth knowing about a credential: rules over values, without I/O."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple

from azcert.certificate.fitness import MIN_KEY_SIZE
from azcert.inventory.model import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azcert.inventory.model import Credential

__all__ = ["MEANING", "Finding", "Rules", "Severity", "findings", "is_due"]

_FRESH_DAYS = 30
_BROKEN_HASHES = {"md5", "sha1"}


class Severity(IntEnum):
    """How much it matters."""

    NOTE = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True)
class Rules:
    """Where the lines are, in days.

    :param max_certificate_days: a certificate that lives longer is too long-lived; 398 is what browsers allow
        a server's certificate (CA/Browser Forum, SC-31).
    :param max_secret_days: likewise for secrets; 180 is what the Entra portal recommends.
    :param unused_days: not used for so long means unused; the sign-in report goes 30 days back and more.
    """

    warn_days: int = 30
    critical_days: int = 7
    max_certificate_days: int = 398
    max_secret_days: int = 180
    unused_days: int = 90


class Finding(NamedTuple):
    """One thing worth knowing.

    :param code: a key of `MEANING`.
    :param text: the same for a person, with the numbers.
    """

    code: str
    severity: Severity
    text: str


MEANING = {
    "expired": "has ended",
    "expires-soon": "ends soon",
    "not-yet-valid": "begins later",
    "weak-key": f"has an RSA key of less than {MIN_KEY_SIZE} bits",
    "weak-signature": "is signed with a broken hash",
    "not-rsa": "has a key that Entra ID does not take",
    "too-long-lived": "lives longer than the rules allow",
    "secret": "is a secret and should be a certificate",
    "unused": "was not used lately",
}


def is_due(credential: Credential, rules: Rules, now: dt.datetime) -> bool:
    """Tell whether the credential works and ends within the warning days."""
    return now <= credential.end < now + dt.timedelta(days=rules.warn_days)


def findings(credential: Credential, rules: Rules, now: dt.datetime) -> tuple[Finding, ...]:
    """Return everything worth knowing about *credential* at *now* (aware), the worst first."""
    found = [*_validity(credential, rules, now)]
    if credential.end >= now:
        # What has ended cannot be used any more: how strong it was does not matter.
        found += [*_strength(credential), *_lifetime(credential, rules), *_use(credential, rules, now)]
    return tuple(sorted(found, key=lambda finding: -finding.severity))


def _validity(credential: Credential, rules: Rules, now: dt.datetime) -> Iterator[Finding]:
    days = credential.days_left(now)
    if credential.end < now:
        if credential.successor is not None and credential.successor >= now:
            yield Finding("expired", Severity.NOTE, f"ended {-days} days ago, replaced")
        else:
            # What ended long ago hurts nobody any more: the application is abandoned, or was moved.
            severity = Severity.CRITICAL if -days <= _FRESH_DAYS else Severity.NOTE
            yield Finding("expired", severity, f"ended {-days} days ago, nothing replaces it")
    elif is_due(credential, rules, now):
        urgent = days < rules.critical_days
        successor = credential.successor
        if successor is None:
            severity = Severity.CRITICAL if urgent else Severity.WARNING
            yield Finding("expires-soon", severity, f"ends in {days} days, no successor")
        else:
            text = f"ends in {days} days, another lasts until {successor:%Y-%m-%d}"
            yield Finding("expires-soon", Severity.WARNING if urgent else Severity.NOTE, text)
    if credential.start > now:
        yield Finding("not-yet-valid", Severity.NOTE, f"begins on {credential.start:%Y-%m-%d}")


def _strength(credential: Credential) -> Iterator[Finding]:
    if credential.key_type is None:
        return
    if credential.key_type != "RSA":
        yield Finding("not-rsa", Severity.WARNING, f"{credential.key_type} key; Entra ID takes RSA")
    elif credential.key_size is not None and credential.key_size < MIN_KEY_SIZE:
        yield Finding("weak-key", Severity.WARNING, f"RSA key of {credential.key_size} bits")
    if credential.signature_hash in _BROKEN_HASHES:
        yield Finding("weak-signature", Severity.WARNING, f"signed with {credential.signature_hash.upper()}")


def _lifetime(credential: Credential, rules: Rules) -> Iterator[Finding]:
    is_secret = credential.kind is Kind.SECRET
    limit = rules.max_secret_days if is_secret else rules.max_certificate_days
    if credential.lifetime_days > limit:
        text = f"lives {credential.lifetime_days} days, more than {limit}"
        yield Finding("too-long-lived", Severity.WARNING if is_secret else Severity.NOTE, text)
    if is_secret:
        yield Finding("secret", Severity.NOTE, "should be a certificate")


def _use(credential: Credential, rules: Rules, now: dt.datetime) -> Iterator[Finding]:
    if not credential.activity_known or credential.start > now - dt.timedelta(days=rules.unused_days):
        return
    if credential.last_used is None:
        yield Finding("unused", Severity.NOTE, "no sign-in is known")
    elif credential.last_used < now - dt.timedelta(days=rules.unused_days):
        days = (now - credential.last_used).days
        yield Finding("unused", Severity.NOTE, f"last used {days} days ago")
