"""A certificate in azcert's store: the newest valid one that the selector matches is the one in use."""

from __future__ import annotations

import datetime as dt
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from azcert.errors import ConfigurationError
from azcert.rotation.in_store import judge_in_store, read_staged
from azcert.rotation.place import Place, refuse_one_certificate
from azcert.rotation.staged import remove_file
from azcert.rotation.token_objects import remove_staged
from azcert.sources.uris.uri import FileUri, Pkcs11Uri, StoreUri, TpmUri, parse_source
from azcert.stores.directory import grants
from azcert.stores.directory.store import DirectoryStore
from azcert.stores.find import choose

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.stores.passphrase import PassphraseFrom
    from azcert.stores.store import Entry

__all__ = ["StorePlace", "place"]


class StorePlace(Place):
    """What a selector finds in one store; a successor gets the protection and grants of the one in use."""

    def __init__(self, uri: StoreUri, password: Secret | None, work: Path) -> None:
        super().__init__(uri, password)
        self._uri = uri
        self._work = work
        self._store = DirectoryStore(uri.store)

    def next_key(self) -> str:
        """Choose a place in the device that has the current key, else a file among the journal's."""
        entry = self._entry()
        if entry.source is None:
            path = str(self._work / f"{entry.thumbprint}.{secrets.token_hex(4)}.key")
            # Encrypted as the key it succeeds: it must not lie in the clear meanwhile.
            return str(FileUri(path, self._origin(entry)))
        device = parse_source(entry.source)
        if isinstance(device, Pkcs11Uri):
            return str(replace(device, id=secrets.token_bytes(16)))
        if isinstance(device, TpmUri) and device.path is not None:
            folder = Path(device.path).parent
            return str(replace(device, path=str(folder / f"{secrets.token_hex(8)}.tss2.pem")))
        raise ConfigurationError(
            f"The key of {entry.thumbprint} is in {device}, where no second one can be made beside it.",
            code="not-rotatable",
            remedy="Import the certificate with a key in a TPM key file or a token.",
            source=self.name,
        )

    def judge(self, successor: Certificate) -> None:
        """Refuse one that the selector would not find, or find older than another."""
        judge_in_store(self._store, self._uri, successor)

    def switch(self, staged: str, certificate: Certificate) -> None:
        """Add the certificate with its key to the store, where it is the newest from then on."""
        before = self._entry()
        if before.thumbprint == certificate.thumbprint:
            if before.source is None:
                _forget(staged)
            return
        if before.source is not None:
            self._store.add_device(certificate, staged, protection=before.protection or "")
            return
        self._store.add(
            certificate,
            read_staged(_path(staged), self.password),
            exportable=before.exportable,
            passphrase=self.password if before.protection == "encrypted" else None,
            passphrase_from=self._store.passphrase_from(before),
            readers=grants.grants(self._store.key_path(before)),
        )
        _forget(staged)

    def discard(self, staged: str) -> None:
        """Remove the staged key, from its file or its device."""
        self._remove_key(staged)

    def retire(self, old: str) -> None:
        """Remove the old entry and its key, wherever that is."""
        entry = self._store.get(old)
        if entry is None:
            return
        if entry.source is not None:
            # The key goes first: stopped here, the next run still finds the entry that names it.
            self._remove_key(entry.source)
        self._store.remove(entry)

    def _remove_key(self, place: str) -> None:
        uri = parse_source(place)
        if isinstance(uri, Pkcs11Uri):
            remove_staged(place, self.password)
        elif isinstance(uri, FileUri | TpmUri) and uri.path is not None:
            remove_file(Path(uri.path))

    def _origin(self, entry: Entry) -> PassphraseFrom | None:
        return self._uri.password or self._store.passphrase_from(entry)

    def _entry(self) -> Entry:
        return choose(
            list(self._store.entries()),
            self._uri.selector,
            now=dt.datetime.now(dt.UTC),
            where=str(self._store),
        )


def _path(staged: str) -> str:
    uri = parse_source(staged)
    assert isinstance(uri, FileUri), "it was chosen so"  # noqa: S101
    return uri.path


def _forget(staged: str) -> None:
    remove_file(Path(_path(staged)))


def place(uri: StoreUri, *, password: Secret | None, work: Path) -> StorePlace:
    """Return the place of a store's selector.

    :raises ConfigurationError: the selector names one certificate for ever.
    """
    refuse_one_certificate(uri, uri.selector)
    store = DirectoryStore(uri.store)
    entry = choose(list(store.entries()), uri.selector, now=dt.datetime.now(dt.UTC), where=str(store))
    origin = uri.password or store.passphrase_from(entry)
    if password is None and origin is not None:
        password = origin.read()
    return StorePlace(uri, password, work)
