"""The store that .NET programs use on Linux, read in place and written as .NET writes it.

dotnet/runtime, ``OpenSslDirectoryBasedStoreProvider``: the folder ``x509stores`` below ``~/.dotnet`` holds
one PKCS#12 file without password for each certificate, named after its thumbprint; every ``*.pfx`` is read
and its name ignored, what cannot be read is passed over. Only ``CurrentUser`` has such a folder.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import NoEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from azcert._files import write_atomic
from azcert.certificate import formats
from azcert.certificate.chain import leaf_without_key, spki_of, with_chain
from azcert.errors import AccessError, AzcertError, ConfigurationError, SelectionError
from azcert.keys.software import SoftwareSigner
from azcert.stores.names import Location
from azcert.stores.ownership import open_folder, read_trusted, user_name
from azcert.stores.store import Entry

if TYPE_CHECKING:
    from collections.abc import Hashable

    from azcert._redact import Secret
    from azcert.certificate.formats import Contents
    from azcert.certificate.model import Certificate
    from azcert.stores.names import StoreName

__all__ = ["DotnetStore"]

_log = logging.getLogger("azcert.stores")

_FOLDER = Path(".dotnet", "corefx", "cryptography", "x509stores")
_SUFFIX = ".pfx"
_NAMES = ("", *(f".{number}" for number in range(1, 10)))
"""What .NET appends to a thumbprint whose file is taken; after the ninth it gives up."""


class DotnetStore:
    """Implements `azcert.stores.store.Store` for .NET's folder.

    :raises ConfigurationError: not Linux, or ``LocalMachine``, which has no such folder.
    """

    def __init__(self, name: StoreName, folder: Path | None = None) -> None:
        if sys.platform != "linux":
            raise ConfigurationError(
                ".NET keeps certificates in files on Linux only; elsewhere it uses the system's store.",
                code="no-such-store",
                remedy=f"Write store:{name}.",
            )
        if name.location is not Location.CURRENT_USER:
            raise ConfigurationError(
                f".NET has no store {name} on Linux: only CurrentUser has a folder.",
                code="no-such-store",
                remedy=f"Write dotnet:CurrentUser/{name.name}, or use azcert's own store:{name}.",
            )
        self.name = name
        self.folder = folder or _home() / _FOLDER / name.name.lower()
        self._read: dict[str, tuple[Hashable, Entry]] = {}
        self._threads = threading.Lock()

    def __str__(self) -> str:
        return f".NET's {self.name} ({self.folder})"

    def revision(self) -> Hashable:
        """Return a token that differs once a certificate was added, replaced or removed; never raises."""
        try:
            return _stamp(self.folder.stat())
        except OSError as error:
            return error.errno

    def entries(self) -> list[Entry]:
        """Return every certificate; what cannot be read is passed over, as .NET does.

        :raises AccessError: ``untrusted`` or ``store-access-denied``.
        """
        with self._threads:
            folder = open_folder(self.folder)
            if folder is None:
                return []
            try:
                found = {path.name: self._entry(folder, path) for path in sorted(self.folder.glob("*.pfx"))}
            finally:
                os.close(folder)
        # .NET drops duplicates as well; the first one with its key counts.
        unique: dict[str, Entry] = {}
        for entry in found.values():
            if entry is not None and not (entry.thumbprint in unique and unique[entry.thumbprint].has_key):
                unique[entry.thumbprint] = entry
        return list(unique.values())

    def get(self, thumbprint: str) -> Entry | None:
        """Return the certificate with that SHA-1 or SHA-256 thumbprint; names of files say nothing here."""
        wanted = (
            entry for entry in self.entries() if thumbprint in {entry.thumbprint, entry.thumbprint_sha256}
        )
        return next(wanted, None)

    def certificate(self, entry: Entry) -> Certificate:
        """Return the certificate with the chain its file brings along."""
        return _certificate(self._contents(entry), entry.path or "")

    def signer(self, entry: Entry, *, password: Secret | None = None) -> SoftwareSigner:
        """Return the signer of the entry's key; *password* is ignored, for there is none.

        :raises AccessError: the file is closed to this user, or open to others.
        :raises SelectionError: ``no-private-key``.
        """
        del password
        return SoftwareSigner(self.export_key(entry), place=f"file {entry.path}", protection="file")

    def export_key(self, entry: Entry, *, password: Secret | None = None) -> RSAPrivateKey:
        """Return the private key: .NET's store on Linux has no keys that are not exportable."""
        del password
        contents = self._contents(entry)
        certificate = _certificate(contents, entry.path or "")
        key = next((key for key in contents.keys if spki_of(key.public_key()) == certificate.spki), None)
        if not isinstance(key, RSAPrivateKey):
            raise SelectionError(
                f"{entry.path} holds no RSA private key for certificate {entry.thumbprint}.",
                code="no-private-key",
                thumbprint=entry.thumbprint,
            )
        return key

    def add(self, certificate: Certificate, key: RSAPrivateKey | None = None) -> Entry:
        """Write a certificate as .NET does: folder 0700, file 0600, no password; it replaces its own file.

        The chain goes into the same file: .NET passes it over, and azcert's credential may have to send it.

        :raises AccessError: the folder is not this user's alone.
        """
        present = self.get(certificate.thumbprint)
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder = open_folder(self.folder)
        if folder is not None:
            os.close(folder)
        chain = certificate.chain or None
        data = serialize_key_and_certificates(None, key, certificate.leaf, chain, NoEncryption())
        if present is not None and (key is None or present.path is None):
            return present
        if present is not None and present.path is not None:
            write_atomic(present.path, data, overwrite=True)
            path = Path(present.path)
        else:
            path = self._write_new(certificate.thumbprint, data)
        return _describe(self.name, certificate, str(path), has_key=key is not None)

    def remove(self, entry: Entry) -> None:
        """Remove every file of the certificate; what is already gone is no error."""
        for name, (_, known) in list(self._read.items()):
            if known.thumbprint == entry.thumbprint:
                (self.folder / name).unlink(missing_ok=True)

    def _write_new(self, thumbprint: str, data: bytes) -> Path:
        for more in _NAMES:
            path = self.folder / f"{thumbprint}{more}{_SUFFIX}"
            try:
                write_atomic(path, data)
            except FileExistsError:
                continue
            return path
        raise ConfigurationError(
            f"{self.folder} holds ten files for {thumbprint}, and .NET reads no more.",
            code="store-full",
            remedy="Remove those that are not its certificate.",
        )

    def _entry(self, folder: int, path: Path) -> Entry | None:
        try:
            stamp = _stamp(path.stat())
            known = self._read.get(path.name)
            if known is None or known[0] != stamp:
                contents = _load(folder, path)
                certificate = _certificate(contents, str(path))
                has_key = any(spki_of(key.public_key()) == certificate.spki for key in contents.keys)
                known = (stamp, _describe(self.name, certificate, str(path), has_key=has_key))
                self._read[path.name] = known
        except (OSError, AzcertError) as error:
            _log.info("%s is passed over: %s", path, error)
            return None
        return known[1]

    def _contents(self, entry: Entry) -> Contents:
        path = Path(entry.path or "")
        folder = open_folder(self.folder)
        if folder is not None:
            try:
                return _load(folder, path)
            except FileNotFoundError:
                pass
            finally:
                os.close(folder)
        raise SelectionError(
            f"The certificate {entry.thumbprint} is no longer in {self}.",
            code="not-found",
            thumbprint=entry.thumbprint,
        )


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError as error:
        raise ConfigurationError(
            "This user has no home directory, where .NET would keep certificates.",
            code="no-home",
            remedy="Set HOME.",
        ) from error


def _load(folder: int, path: Path) -> Contents:
    try:
        data, _ = read_trusted(folder, path.name, path, private=True)
    except PermissionError as error:
        if isinstance(error, AccessError):
            raise
        me = user_name(os.geteuid())
        raise AccessError(
            f"{me} may not read {path}.",
            code="key-access-denied",
            remedy="A .NET store is its owner's alone.",
            user=me,
            path=str(path),
        ) from error
    return formats.load(data, name=str(path))


def _certificate(contents: Contents, name: str) -> Certificate:
    keys = {spki_of(key.public_key()) for key in contents.keys}
    own = [each for each in contents.certificates if spki_of(each.public_key()) in keys]
    leaf = own[0] if own else leaf_without_key(contents.certificates, name=name)
    return with_chain(leaf, contents.certificates)[0]


def _describe(store: StoreName, certificate: Certificate, path: str, *, has_key: bool) -> Entry:
    return Entry.of(
        store,
        certificate,
        has_key=has_key,
        protection="file" if has_key else None,
        exportable=has_key,
        path=path,
    )


def _stamp(status: os.stat_result) -> tuple[int, int, int]:
    return (status.st_mtime_ns, status.st_size, status.st_ino)
