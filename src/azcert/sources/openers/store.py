"""A certificate of a certificate store, chosen anew when the store or the time has changed."""

from __future__ import annotations

import datetime as dt
import logging
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from azcert.certificate.fitness import require_fit
from azcert.certificate.signer import SigningCertificate
from azcert.errors import AccessError, AzcertError, CertificateError, SelectionError
from azcert.sources.uris.uri import DotnetUri, Pkcs11Uri, StoreUri, TpmUri, parse_source
from azcert.stores.find import choose, find
from azcert.stores.names import Location, StoreName

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import Signer
    from azcert.sources.source import Source
    from azcert.stores.names import Selector
    from azcert.stores.store import Entry, Store

__all__ = ["StoreSource", "open", "open_store"]

_log = logging.getLogger("azcert.sources")

_CLOSED = "key-access-denied"
_LOOK_AGAIN = dt.timedelta(minutes=5)
"""A grant changes the key's file only, not the store: until then it is not seen by itself."""


class StoreSource:
    """Follows what *selector* means in *store*.

    :param password: opens an encrypted key; without it, the entry says where its passphrase is.
    :param elsewhere: stores to look into where nothing is found, only to say so.
    :param now: the clock; the current UTC time without it.
    """

    def __init__(
        self,
        store: Store,
        selector: Selector,
        *,
        name: str,
        password: Secret | None = None,
        elsewhere: Sequence[StoreName] = (),
        now: Callable[[], dt.datetime] | None = None,
    ) -> None:
        self.name = name
        self._store = store
        self._selector = selector
        self._password = password
        self._elsewhere = elsewhere
        self._now = now or _utc_now
        self._due: dt.datetime | None = None
        self._device: Source | None = None
        self._told: set[str] = set()
        self._blocking: tuple[Hashable, bool] | None = None

    @property
    def blocking(self) -> bool:
        """True where the key is in a device, or its passphrase takes long to try."""
        revision = self._store.revision()
        if self._blocking is None or self._blocking[0] != revision:
            # Asked on event loops: a store is searched for it once, not each time.
            self._blocking = (revision, self._may_block())
        return self._blocking[1]

    def revision(self) -> Hashable:
        """Return what changes with the store, and when a certificate's validity begins or ends."""
        is_due = self._due is not None and self._now() >= self._due
        return (self._store.revision(), is_due)

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        """Return the certificate with its signer (`azcert.sources.source.Source.load`).

        :raises SelectionError: ``not-found``, ``ambiguous`` or ``no-private-key``.
        A certificate whose key is closed to this user is passed over for an older one, with a warning, as
        long as the selector is not its thumbprint.

        :raises AccessError: this user may not use the store or any of the keys, or others may write it.
        :raises CertificateError: the certificate is one that Entra ID would refuse, or its key is damaged.
        """
        now = self._now()
        found = self._entries()
        matching = find(found, self._selector)
        bounds = [bound for entry in matching for bound in (entry.not_before, entry.not_after)]
        self._due = min((bound for bound in bounds if bound > now), default=None)
        closed: dict[str, AccessError] = {}
        while True:
            try:
                entry = choose(
                    found,
                    self._selector,
                    now=now,
                    where=str(self._store),
                    skip=skip | closed.keys(),
                    elsewhere=() if matching else self._others(),
                )
            except SelectionError as error:
                raise next(iter(closed.values()), error) from None
            try:
                signing = self._signing(entry, now)
            except AccessError as error:
                # Whoever names one certificate means that one; who follows a name gets one he may use.
                if error.code != _CLOSED or self._selector.thumbprint is not None:
                    raise
                closed[entry.thumbprint] = error
            else:
                if closed:
                    self._passed_over(closed, entry, now)
                return signing

    def _signing(self, entry: Entry, now: dt.datetime) -> SigningCertificate:
        certificate = self._store.certificate(entry)
        require_fit(certificate, now=now, name=self.name)
        signer = self._store.signer(entry, password=self._password) if entry.source is None else None
        return SigningCertificate(certificate, signer or self._device_signer(entry, certificate))

    def _passed_over(self, closed: dict[str, AccessError], used: Entry, now: dt.datetime) -> None:
        """Say once that a newer certificate waits for a grant, and look again before long."""
        again = now + _LOOK_AGAIN
        self._due = again if self._due is None else min(self._due, again)
        for thumbprint, error in closed.items():
            if thumbprint not in self._told:
                self._told.add(thumbprint)
                _log.warning(
                    "%s: a newer certificate is passed over. %s Meanwhile %s is used, valid until %s.",
                    self.name,
                    error,
                    used.thumbprint,
                    used.not_after,
                )

    def close(self) -> None:
        """Give back the device, if the key is in one."""
        if self._device is not None:
            self._device.close()

    def __repr__(self) -> str:
        return f"<StoreSource {self.name}>"

    def _may_block(self) -> bool:
        try:
            found = self._entries()
        except AzcertError:
            return False
        return any(
            entry.source is not None or entry.protection == "encrypted"
            for entry in find(found, self._selector)
        )

    def _entries(self) -> Sequence[Entry]:
        thumbprint = self._selector.thumbprint
        if thumbprint is not None:
            entry = self._store.get(thumbprint)
            if entry is not None:
                return [entry]
        return list(self._store.entries())

    def _others(self) -> list[Entry]:
        entries: list[Entry] = []
        for name in self._elsewhere:
            try:
                entries += find(open_store(name).entries(), self._selector)
            except AzcertError:
                # Only a hint is looked for; what is wrong with another store is not this user's question.
                continue
        return entries

    def _device_signer(self, entry: Entry, certificate: Certificate) -> Signer:
        # Late: this module is one of those that the table in open.py names.
        from azcert.sources.open import open_source

        uri = parse_source(entry.source or "")
        if isinstance(uri, Pkcs11Uri | TpmUri) and uri.certificate is None:
            uri = replace(uri, certificate=entry.path)
        self.close()
        self._device = open_source(uri, password=self._password)
        signer = self._device.load().signer
        if signer.public_key() != certificate.leaf.public_key():
            signer.close()
            raise CertificateError(
                f"The key in {signer.place} is not the one of certificate {entry.thumbprint}.",
                code="key-mismatch",
                remedy="Import the certificate with the URI of its own key.",
                thumbprint=entry.thumbprint,
            )
        return signer


def open_store(name: StoreName) -> Store:
    """Return the store of that name: azcert's own on Linux and macOS, the system's on Windows."""
    if sys.platform == "win32":
        from azcert.stores.windows import WindowsStore  # ctypes for Windows only

        return WindowsStore(name)
    # Late: POSIX only.
    from azcert.stores.directory.store import DirectoryStore

    return DirectoryStore(name)


def open(  # noqa: A001 - the name every opener has (azcert.sources.open)
    uri: StoreUri | DotnetUri, *, password: Secret | None = None, credential: object = None
) -> StoreSource:
    """Return the source of a ``store:``, ``cert:`` or ``dotnet:`` URI."""
    del credential
    if isinstance(uri, DotnetUri):
        from azcert.stores.dotnet import DotnetStore  # POSIX only

        return StoreSource(DotnetStore(uri.store), uri.selector, name=str(uri), password=password)
    other = next(location for location in Location if location is not uri.store.location)
    return StoreSource(
        open_store(uri.store),
        uri.selector,
        name=str(uri),
        password=password,
        elsewhere=[StoreName(other, uri.store.name)],
    )


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
