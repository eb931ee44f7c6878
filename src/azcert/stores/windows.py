"""The certificate stores of Windows, behind `azcert.keys.cng`. Not run on Windows yet: see there."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from azcert.certificate.chain import with_chain
from azcert.certificate.model import Certificate
from azcert.errors import AzcertError, CertificateError, SelectionError
from azcert.keys.cng import CngSigner, FoundCertificate, SystemStore, Windows, load_windows
from azcert.stores.names import StoreName
from azcert.stores.store import Entry

if TYPE_CHECKING:
    from collections.abc import Hashable

    from azcert._redact import Secret

__all__ = ["WindowsStore"]

_INTERMEDIATE = "CA"
_SHA1_DIGITS = 40


class WindowsStore:
    """One system store. Keys sign where they are; exportable ones are not exported either.

    :param windows: the system's libraries; those of this Windows unless given.
    """

    def __init__(self, name: StoreName, *, windows: Windows | None = None) -> None:
        self._name = name
        self._windows = windows or load_windows()

    @property
    def name(self) -> StoreName:
        """Location and name."""
        return self._name

    def __str__(self) -> str:
        return f"{self._name} (Windows)"

    def revision(self) -> Hashable:
        """Return what changes with the certificates of the store."""
        try:
            return frozenset(hashlib.sha256(each.der).digest() for each in self._read())
        except AzcertError as error:
            return error.code

    def entries(self) -> list[Entry]:
        """Return every certificate that can be read; an absent store is empty."""
        try:
            found = self._read()
        except SelectionError:
            return []
        return [entry for each in found if (entry := self._entry(each)) is not None]

    def get(self, thumbprint: str) -> Entry | None:
        """Return the certificate with that SHA-1 or SHA-256 thumbprint."""
        if len(thumbprint) == _SHA1_DIGITS:
            try:
                with SystemStore(self._windows, self._name.location, self._name.name) as store:
                    found = store.find(bytes.fromhex(thumbprint))
            except SelectionError:
                return None
            return None if found is None else self._entry(found)
        return next((each for each in self.entries() if each.thumbprint_sha256 == thumbprint), None)

    def certificate(self, entry: Entry) -> Certificate:
        """Return the certificate with its chain, as far as this store and the location's ``CA`` hold it."""
        pool = [each for each in map(_parse, self._read()) if each is not None]
        leaf = next((each for each in pool if Certificate(each).thumbprint == entry.thumbprint), None)
        if leaf is None:
            raise SelectionError(
                f"{entry.thumbprint} is no longer in {self}.", code="not-found", store=str(self._name)
            )
        intermediate = WindowsStore(StoreName(self._name.location, _INTERMEDIATE), windows=self._windows)
        # Without the intermediates the chain is shorter, no more.
        with suppress(AzcertError):
            pool += [each for each in map(_parse, intermediate._read()) if each is not None]
        return with_chain(leaf, pool)[0]

    def signer(self, entry: Entry, *, password: Secret | None = None) -> CngSigner:
        """Return the signer of the entry's key.

        :raises AccessError: ``key-access-denied``.
        :raises SelectionError: ``no-private-key``.
        """
        del password
        public_key = self.certificate(entry).leaf.public_key()
        if not isinstance(public_key, RSAPublicKey):
            raise CertificateError(f"The key of {entry.thumbprint} is not RSA.", code="not-rsa")
        return CngSigner(self._windows, self._name.location, self._name.name, entry.thumbprint, public_key)

    def remove(self, entry: Entry) -> None:
        """Remove the certificate; Windows keeps the key's container."""
        with SystemStore(self._windows, self._name.location, self._name.name, write=True) as store:
            store.delete(bytes.fromhex(entry.thumbprint))

    def _read(self) -> list[FoundCertificate]:
        with SystemStore(self._windows, self._name.location, self._name.name) as store:
            return list(store.certificates())

    def _entry(self, found: FoundCertificate) -> Entry | None:
        leaf = _parse(found)
        if leaf is None:
            return None
        protection = "cng" if found.has_key else None
        return Entry.of(self._name, Certificate(leaf), has_key=found.has_key, protection=protection)


def _parse(found: FoundCertificate) -> x509.Certificate | None:
    try:
        return x509.load_der_x509_certificate(found.der)
    except ValueError:
        return None
