"""azcert's own certificate store: one folder, found by thumbprint, searched by name."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from azcert.certificate import formats
from azcert.certificate.chain import spki_of
from azcert.errors import AccessError, CertificateError, ConfigurationError, SelectionError
from azcert.keys.software import SoftwareSigner
from azcert.stores.directory import pkcs8
from azcert.stores.directory.index import stamp_of
from azcert.stores.directory.listing import PEM, Listing, read_record
from azcert.stores.directory.places import folder_of
from azcert.stores.directory.record import Record
from azcert.stores.directory.writing import KEY, writing
from azcert.stores.names import Location
from azcert.stores.ownership import open_folder, read_trusted, user_name

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterator
    from pathlib import Path

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.stores.directory.grants import Grantee
    from azcert.stores.names import StoreName
    from azcert.stores.passphrase import PassphraseFrom
    from azcert.stores.store import Entry

__all__ = ["DirectoryStore"]

_SHA1_DIGITS = 40


class DirectoryStore:
    """Implements `azcert.stores.store.Store` with a ``.pem`` for each certificate and a ``.key`` beside it.

    :param folder: the store's folder; by default where the FHS and XDG put it (`.places`).
    :param now: the clock; the current UTC time without it.
    """

    def __init__(
        self,
        name: StoreName,
        folder: Path | None = None,
        *,
        now: Callable[[], dt.datetime] | None = None,
    ) -> None:
        self.name = name
        self.folder = folder or folder_of(name)
        self._now = now or _utc_now
        self._listing = Listing(name, self.folder)
        self._threads = threading.Lock()

    def __str__(self) -> str:
        return f"{self.name} ({self.folder})"

    def revision(self) -> Hashable:
        """Return a token that differs once a certificate was added, replaced or removed; never raises."""
        try:
            status = self.folder.stat()
        except OSError as error:
            return error.errno
        return (*stamp_of(status), status.st_dev)

    def entries(self) -> list[Entry]:
        """Return every certificate; what is damaged or can be written by others is left out with a warning.

        :raises AccessError: ``untrusted`` or ``store-access-denied``.
        """
        with self._threads, self._opened() as folder:
            return [] if folder is None else [row.entry for row in self._listing.rows(folder).values()]

    def get(self, thumbprint: str) -> Entry | None:
        """Return the certificate with that SHA-1 or SHA-256 thumbprint; by SHA-1, one file is opened.

        :raises AccessError: ``untrusted`` or ``store-access-denied``.
        :raises CertificateError: ``damaged``.
        """
        if len(thumbprint) != _SHA1_DIGITS:
            return next((entry for entry in self.entries() if entry.thumbprint_sha256 == thumbprint), None)
        path = self.folder / (thumbprint + PEM)
        with self._opened() as folder, suppress(FileNotFoundError):
            if folder is not None:
                return read_record(folder, path)[0].entry(self.name, str(path))
        return None

    def certificate(self, entry: Entry) -> Certificate:
        """Return the certificate with its chain.

        :raises SelectionError: ``not-found``: it was removed.
        """
        return self._record(entry).certificate

    def passphrase_from(self, entry: Entry) -> PassphraseFrom | None:
        """Return where the passphrase of an encrypted key comes from, as it was said at the import."""
        return self._record(entry).passphrase

    def key_path(self, entry: Entry) -> Path:
        """Return the file that holds the entry's key.

        :raises SelectionError: ``no-private-key``: there is none, or a device has it.
        """
        return self._key_path(entry, self._record(entry))

    def signer(self, entry: Entry, *, password: Secret | None = None) -> SoftwareSigner:
        """Return the signer of a key that lies in the store.

        :raises AccessError: ``key-access-denied``, ``key-file-open`` or ``untrusted``.
        :raises CertificateError: a wrong passphrase, or a damaged key.
        :raises SelectionError: ``no-private-key``.
        """
        key, record = self._read_key(entry, password)
        return SoftwareSigner(
            key, place=f"store {self.name}, key file {record.key}", protection=record.protection or "file"
        )

    def export_key(self, entry: Entry, *, password: Secret | None = None) -> RSAPrivateKey:
        """Return the private key of an entry that was imported as exportable.

        :raises AccessError: ``not-exportable``, and as `signer`.
        """
        if not self._record(entry).exportable:
            raise AccessError(
                f"The private key of {entry.thumbprint} was not imported as exportable.",
                code="not-exportable",
                remedy="Use it where it is ('azcert grant'), or import its original file with --exportable.",
                thumbprint=entry.thumbprint,
            )
        return self._read_key(entry, password)[0]

    def add(
        self,
        certificate: Certificate,
        key: RSAPrivateKey | None = None,
        *,
        exportable: bool = False,
        passphrase: Secret | None = None,
        passphrase_from: PassphraseFrom | None = None,
        readers: Collection[Grantee] = (),
    ) -> Entry:
        """Put a certificate into the store, or replace it there; without *key*, one it has already is kept.

        :param passphrase: encrypts the key.
        :param passphrase_from: where `signer` finds the passphrase later.
        :param readers: who may use the key from the moment the certificate can be found.
        :raises AccessError: this user may not write the store, or others may.
        :raises CertificateError: ``key-mismatch``.
        """
        if key is not None and spki_of(key.public_key()) != certificate.spki:
            raise _mismatch(certificate.thumbprint, "The private key")
        if passphrase is not None and not passphrase.reveal():
            raise ConfigurationError(
                "The passphrase for the key is empty.",
                code="empty-passphrase",
                remedy="Give one, or protect the key as a file.",
            )
        record = Record(certificate, self._now())
        content = None
        if key is not None:
            content = pkcs8.render(key, passphrase)
            record = replace(
                record,
                key=f"{certificate.thumbprint}.{secrets.token_hex(4)}{KEY}",
                protection="file" if passphrase is None else "encrypted",
                exportable=exportable,
                passphrase=None if passphrase is None else passphrase_from,
            )
        with self._mapped(), writing(self.name, self.folder) as writer:
            old = writer.record(certificate.thumbprint)
            if old is not None and content is None:
                record = replace(old, certificate=certificate, imported=record.imported)
            writer.put(record, content, replaced=old.key if old else None, readers=readers)
        return record.entry(self.name, str(self.folder / (certificate.thumbprint + PEM)))

    def add_device(self, certificate: Certificate, source: str, *, protection: str) -> Entry:
        """Put a certificate into the store whose key is in a device.

        :param source: the key's URI: ``pkcs11:...``, ``tpm:...``.
        :param protection: ``pkcs11`` or ``tpm``.
        :raises AccessError: this user may not write the store, or others may.
        """
        record = Record(certificate, self._now(), source=source, protection=protection)
        with self._mapped(), writing(self.name, self.folder) as writer:
            old = writer.record(certificate.thumbprint)
            writer.put(record, replaced=old.key if old else None)
        return record.entry(self.name, str(self.folder / (certificate.thumbprint + PEM)))

    def remove(self, entry: Entry) -> None:
        """Remove a certificate and its key; what is already gone is no error.

        :raises AccessError: this user may not write the store.
        """
        with self._mapped(), writing(self.name, self.folder) as writer:
            record = writer.record(entry.thumbprint)
            if record is not None:
                writer.drop(entry.thumbprint, record.key)

    def _read_key(self, entry: Entry, password: Secret | None) -> tuple[RSAPrivateKey, Record]:
        record = self._record(entry)
        while True:
            path = self._key_path(entry, record)
            try:
                data = self._read_key_file(entry, path)
                break
            except FileNotFoundError:
                # Replaced between the two reads if the record names another file now; else lost.
                before, record = record, self._record(entry)
                if record.key == before.key:
                    raise SelectionError(
                        f"The key of {entry.thumbprint} in {self} is lost: there is no file {path}.",
                        code="no-private-key",
                        remedy="Import the certificate with its key again.",
                        thumbprint=entry.thumbprint,
                    ) from None
        if password is None and record.passphrase is not None:
            password = record.passphrase.read()
        key = formats.load(data, password=password, name=str(path)).key
        if not isinstance(key, RSAPrivateKey) or spki_of(key.public_key()) != record.certificate.spki:
            raise _mismatch(entry.thumbprint, f"The key in {path}")
        return key, record

    def _read_key_file(self, entry: Entry, path: Path) -> bytes:
        try:
            with self._opened() as folder:
                if folder is None:
                    raise FileNotFoundError(path)
                return read_trusted(folder, path.name, path, private=True)[0]
        except PermissionError as error:
            if isinstance(error, AccessError):
                raise
            me = user_name(os.geteuid())
            raise AccessError(
                f"{me} may not use the private key of {entry.thumbprint} ({entry.subject}) in {self.name}:"
                f" the file {path} is closed to {me}.",
                code="key-access-denied",
                remedy=f"Grant it: sudo azcert grant {entry.thumbprint} --store {self.name} --user {me}",
                user=me,
                path=str(path),
                thumbprint=entry.thumbprint,
            ) from error

    def _key_path(self, entry: Entry, record: Record) -> Path:
        if record.key is None:
            where = f"; {record.source} has it" if record.source else ""
            raise SelectionError(
                f"The certificate {entry.thumbprint} in {self} has no key file{where}.",
                code="no-private-key",
                remedy="Who may use a device's key is decided at the device." if record.source else None,
                thumbprint=entry.thumbprint,
            )
        return self.folder / record.key

    def _record(self, entry: Entry) -> Record:
        path = self.folder / (entry.thumbprint + PEM)
        with self._opened() as folder, suppress(FileNotFoundError):
            if folder is not None:
                return read_record(folder, path)[0]
        raise SelectionError(
            f"The certificate {entry.thumbprint} ({entry.subject}) is no longer in {self}.",
            code="not-found",
            thumbprint=entry.thumbprint,
        )

    @contextmanager
    def _opened(self) -> Iterator[int | None]:
        folder = open_folder(self.folder)
        try:
            yield folder
        finally:
            if folder is not None:
                os.close(folder)

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Turn the refusal of a write into its message."""
        try:
            yield
        except PermissionError as error:
            if isinstance(error, AccessError):
                raise
            me = user_name(os.geteuid())
            shared = self.name.location is Location.LOCAL_MACHINE
            raise AccessError(
                f"{me} may not write the store {self}.",
                code="store-access-denied",
                remedy="LocalMachine is root's to change: run the command with sudo, or use CurrentUser."
                if shared
                else f"Make it yours: sudo chown -R {me} {self.folder}",
                user=me,
                path=str(self.folder),
            ) from error


def _mismatch(thumbprint: str, what: str) -> CertificateError:
    return CertificateError(
        f"{what} is not the one of certificate {thumbprint}.",
        code="key-mismatch",
        remedy="Import the certificate with its own key.",
        thumbprint=thumbprint,
    )


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
