"""Names in the world of stores: locations, store names, and what selects one certificate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Location", "Selector", "StoreName"]

# The names people know from Windows, however they type them.
_KNOWN = {
    name.lower(): name
    for name in (
        "My",
        "Root",
        "CA",
        "AuthRoot",
        "TrustedPeople",
        "TrustedPublisher",
        "Disallowed",
        "AddressBook",
        "WebHosting",
    )
}


class Location(StrEnum):
    """Whose store it is."""

    CURRENT_USER = "CurrentUser"
    LOCAL_MACHINE = "LocalMachine"


@dataclass(frozen=True)
class StoreName:
    """A store: ``CurrentUser/My``. The name is compared without case, as Windows and .NET do."""

    location: Location
    name: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", _KNOWN.get(self.name.lower(), self.name))

    def __str__(self) -> str:
        return f"{self.location}/{self.name}"


@dataclass(frozen=True)
class Selector:
    """What a certificate must match; every given part counts.

    :param thumbprint: SHA-1 or SHA-256 in upper-case hex.
    :param subject: part of the subject's values, or the whole name written with labels (``CN=app``).
    :param issuer: the same of the issuer.
    :param serial: serial number in upper-case hex, or in decimal.
    """

    thumbprint: str | None = None
    subject: str | None = None
    issuer: str | None = None
    serial: str | None = None

    def __bool__(self) -> bool:
        return any(part is not None for part in (self.thumbprint, self.subject, self.issuer, self.serial))

    def __str__(self) -> str:
        parts = vars(self).items()
        return ", ".join(f"{name} {value!r}" for name, value in parts if value is not None) or "anything"
