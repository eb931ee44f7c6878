"""What an inventory lists: one certificate or secret of one app registration, as a value."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Credential", "Examined", "Kind", "Totals"]


class Kind(StrEnum):
    """What an application signs in with."""

    CERTIFICATE = "certificate"
    SECRET = "secret"  # noqa: S105 - the name of a kind


@dataclass(frozen=True)
class Credential:
    """A credential on an app registration.

    :param object_id: of the application; *app_id* is its client id.
    :param label: SHA-1 thumbprint of a certificate, the hint (first characters) of a secret.
    :param name: the credential's own display name.
    :param successor: when the application's longest other credential ends, if that is later than this one.
    :param key_type: ``RSA``, ``EC``, ...; None where the certificate's bytes were not read. *key_size* and
        *signature_hash* likewise.
    :param activity_known: the sign-in report was read; only then None as *last_used* means: not used.
    """

    app_id: str
    object_id: str
    app_name: str
    kind: Kind
    key_id: str
    label: str
    name: str
    start: dt.datetime
    end: dt.datetime
    successor: dt.datetime | None = None
    key_type: str | None = None
    key_size: int | None = None
    signature_hash: str | None = None
    activity_known: bool = False
    last_used: dt.datetime | None = None

    def days_left(self, now: dt.datetime) -> int:
        """Return the whole days until it ends; negative where it has ended."""
        return (self.end - now) // dt.timedelta(days=1)

    @property
    def lifetime_days(self) -> int:
        """Whole days from its start to its end."""
        return (self.end - self.start) // dt.timedelta(days=1)


@dataclass(frozen=True)
class Examined:
    """What a certificate's bytes say; *signature_hash* is None where it has none, or an unknown one."""

    key_id: str
    key_type: str
    key_size: int
    signature_hash: str | None


@dataclass(frozen=True)
class Totals:
    """What was counted while reading.

    :param bare: applications without any credential.
    """

    applications: int
    credentials: int
    bare: int
