"""A certificate in a file, read again when the file was replaced."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING

from azcert._files import judge_key_file, read_file
from azcert.certificate import formats
from azcert.errors import SourceError
from azcert.sources.openers.data import signing_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from azcert._redact import Secret
    from azcert.certificate.signer import SigningCertificate
    from azcert.sources.uris.uri import FileUri

__all__ = ["FileSource", "open"]

_TPM_KEY = b"-----BEGIN TSS2 PRIVATE KEY-----"


class FileSource:
    """PEM, PKCS#12, DER or a TSS2 key with its certificate in a file; the form is told by its content.

    :param path: relative paths are taken from the folder that is current now.
    :param password: opens the private key.
    :param now: the clock; the current UTC time without it.
    :raises SourceError: *path* is empty or contains a NUL.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        password: Secret | None = None,
        now: Callable[[], dt.datetime] | None = None,
    ) -> None:
        self.name = os.fsdecode(path)
        if not self.name or "\0" in self.name:
            raise SourceError(
                f"{self.name!r} is no path.",
                code="empty-source",
                remedy="Give the path of a file.",
                position=0,
            )
        self._path = os.path.abspath(self.name)  # noqa: PTH100 - resolve() would follow links, once
        # A TPM key file waits for its TPM: known before it is loaded, so that no event loop does.
        self.blocking = _holds_tpm_key(self._path)
        self._password = password
        self._now = now or _utc_now

    def revision(self) -> Hashable:
        """Return what changes when the file is rewritten, replaced, or its symbolic link turned.

        Kubernetes turns a link (``..data``) two folders up; following it here is what notices.
        """
        try:
            found = os.stat(self._path)  # noqa: PTH116 - called before each token: Path.stat() costs twice
        except OSError as error:
            return error.errno
        return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_dev, found.st_ctime_ns)

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        """Return the certificate with its signer (`azcert.sources.source.Source.load`).

        :raises AccessError: ``unreadable``, or ``key-file-open``: others can read the key.
        :raises CertificateError: the file is not there, or what it holds cannot be used.
        """
        read = read_file(self._path, limit=formats.MAX_SIZE)
        contents = formats.load(read.data, password=self._password, name=self.name)
        if contents.tss2_keys and not contents.keys:
            self.blocking = True
            return self._load_from_tpm(skip)
        if contents.keys:
            judge_key_file(read)
        return signing_certificate(
            contents,
            name=self.name,
            place=f"file {self.name}",
            protection="encrypted" if contents.encrypted else "file",
            skip=skip,
            now=self._now(),
        )

    def _load_from_tpm(self, skip: frozenset[str]) -> SigningCertificate:
        # Late: the URI grammar and the TPM's library are for the few files that need them.
        from azcert.sources.open import require_library
        from azcert.sources.uris.tpm import TpmUri

        uri = TpmUri(path=self._path)
        require_library(uri)
        from azcert.sources.openers.tpm import TpmSource

        return TpmSource(uri, password=self._password, now=self._now).load(skip=skip)

    def close(self) -> None:
        """Hold nothing open."""

    def __repr__(self) -> str:
        return f"<FileSource {self.name}>"


def open(  # noqa: A001 - the name every opener has (azcert.sources.open)
    uri: FileUri, *, password: Secret | None = None, credential: object = None
) -> FileSource:
    """Return the source of a path or a ``file:`` URI."""
    del credential
    return FileSource(uri.path, password=password)


def _holds_tpm_key(path: str) -> bool:
    file = Path(path)
    try:
        # A pipe is left alone: looking into it would empty it.
        if not file.is_file():
            return False
        with file.open("rb") as opened:
            return _TPM_KEY in opened.read(formats.MAX_SIZE)
    except OSError:
        return False


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
