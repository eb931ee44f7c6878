"""The contract of every certificate store: list, look up, add, remove; nothing gives a private key away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

from azcert.stores.find import values_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Hashable, Iterable

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import Signer
    from azcert.stores.names import StoreName

__all__ = ["Entry", "Store"]


@dataclass(frozen=True)
class Entry:
    """What a store knows of one certificate without parsing it again.

    :param thumbprint: SHA-1 in upper-case hex; unique in its store.
    :param subject: RFC 4514 form (``CN=app,O=Contoso``).
    :param subject_values: the subject's values without labels, in encoding order, as .NET searches them.
    :param serial: serial number in upper-case hex.
    :param not_before: start of validity, in UTC.
    :param has_key: True where a private key belongs to it, readable by this user or not.
    :param protection: ``file``, ``encrypted``, ``pkcs11``, ``tpm``, ``cng``; None without a key.
    :param exportable: True where the private key may leave the store.
    :param path: the certificate's file, where it has one.
    :param source: the source URI of the device that holds the key (``pkcs11:``, ``tpm:``); it signs, and
        not `Store.signer`.
    """

    store: StoreName
    thumbprint: str
    thumbprint_sha256: str
    subject: str
    subject_values: str
    issuer: str
    issuer_values: str
    serial: str
    not_before: dt.datetime
    not_after: dt.datetime
    has_key: bool
    protection: str | None = None
    exportable: bool = False
    path: str | None = None
    source: str | None = None

    @classmethod
    def of(cls, store: StoreName, certificate: Certificate, *, has_key: bool, **more: Any) -> Self:
        """Return the entry of a certificate that was parsed; *more* is what the store adds to it."""
        return cls(
            store,
            certificate.thumbprint,
            certificate.thumbprint_sha256,
            certificate.subject,
            values_of(certificate.leaf.subject),
            certificate.issuer,
            values_of(certificate.leaf.issuer),
            certificate.serial_number,
            certificate.not_before,
            certificate.not_after,
            has_key,
            **more,
        )

    def is_valid_at(self, moment: dt.datetime) -> bool:
        """Tell whether *moment* (aware) lies inside the validity, ends included (RFC 5280, 4.1.2.5)."""
        return self.not_before <= moment <= self.not_after


class Store(Protocol):
    """One store of one location. Safe to call from several threads."""

    @property
    def name(self) -> StoreName:
        """Location and name."""

    def revision(self) -> Hashable:
        """Return a cheap token that differs as soon as `entries` may; never raises."""

    def entries(self) -> Iterable[Entry]:
        """Return every certificate; an absent store is empty.

        :raises azcert.errors.AccessError: this user may not read the store, or others may write it.
        """

    def get(self, thumbprint: str) -> Entry | None:
        """Return the certificate with that SHA-1 or SHA-256 thumbprint, without reading all others."""

    def certificate(self, entry: Entry) -> Certificate:
        """Return the certificate with its chain."""

    def signer(self, entry: Entry, *, password: Secret | None = None) -> Signer:
        """Return the signer of the entry's private key.

        :param password: opens an encrypted key; without it, the entry's own origin is asked.
        :raises azcert.errors.AccessError: ``key-access-denied``: this user may not use the key.
        """

    def remove(self, entry: Entry) -> None:
        """Remove the certificate and its key; what is already gone is no error."""
