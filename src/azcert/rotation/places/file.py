"""A certificate with its key in one file, the key itself or a TPM's wrapped one: replaced by renaming."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from azcert._files import read_file
from azcert.certificate import formats
from azcert.errors import AccessError, ConfigurationError
from azcert.rotation.place import Place
from azcert.rotation.staged import made_for, remove_file
from azcert.sources.key_places.file import FileKeyPlace
from azcert.sources.uris.uri import FileUri, TpmUri
from azcert.sources.writing import writing

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.model import Certificate

__all__ = ["FilePlace", "place"]

_ACCESS_LIST = "system.posix_acl_access"


class FilePlace(Place):
    """``app.pem``, replaced by ``app.pem.next`` in one rename that keeps owner and mode.

    :param uri: the file as it is named; `TpmUri` where a TPM has the key.
    """

    def __init__(self, uri: FileUri | TpmUri, password: Secret | None) -> None:
        super().__init__(uri, password)
        self._uri = uri
        # A symbolic link stays one: what it leads to is replaced.
        self._path = Path(os.path.realpath(uri.path or ""))
        self._next = Path(f"{self._path}.next")

    def next_password(self) -> Secret | None:
        """Return the password, if the file in use needs it; one may be given though it does not."""
        with self.in_use() as found:
            return None if found.signer.protection == "file" else self.password

    def next_key(self) -> str:
        """Return ``FILE.next``, in the TPM where the current key is in one.

        :raises AccessError: the file could not be replaced.
        """
        self._check_replaceable()
        with self.in_use() as found:
            protection = found.signer.protection
        if protection == "tpm" and isinstance(self._uri, FileUri):
            return str(TpmUri(path=str(self._next)))
        origin = None if protection == "file" else self._uri.password
        return str(replace(self._uri, path=str(self._next), password=origin))

    def switch(self, staged: str, certificate: Certificate) -> None:
        """Write the certificate with its chain behind the new key, then rename that file over the old one."""
        if not self._next.exists() and self.current().thumbprint == certificate.thumbprint:
            return
        with closing(made_for(staged, certificate, password=self.password)) as key:
            kept = key.as_pkcs12(keeps=self._is_pkcs12()) if isinstance(key, FileKeyPlace) else key
            kept.put(certificate)
        with writing(self._path, when_taken=""):
            _allow_the_same(self._path, self._next)
            self._next.replace(self._path)

    def discard(self, staged: str) -> None:
        """Remove ``FILE.next``."""
        del staged
        remove_file(self._next)

    def retire(self, old: str) -> None:
        """Remove what killed runs left: the old one itself went when its file was replaced."""
        del old
        remove_file(self._next)

    def _check_replaceable(self) -> None:
        """Make a file beside it with its owner, mode and access list, before a key is made for nothing."""
        probe = self._path.with_name(f".{self._next.name}.{secrets.token_hex(6)}.new")
        with writing(self._next, when_taken=""):
            probe.touch(0o600, exist_ok=False)
        try:
            _allow_the_same(self._path, probe)
        except OSError as error:
            owner = self._path.owner()
            raise AccessError(
                f"{self._path} is owned by {owner}, and what replaces it could not be: "
                f"{error.strerror or error}.",
                code="not-writable",
                remedy=f"Rotate it as {owner} or as root.",
                path=str(self._path),
            ) from error
        finally:
            probe.unlink()

    def _is_pkcs12(self) -> bool:
        data = read_file(self._path, limit=formats.MAX_SIZE).data
        contents = formats.load(data, password=self.password, name=str(self._path))
        return contents.form.startswith("PKCS#12")


def _allow_the_same(old: Path, new: Path) -> None:
    """Give *new* the owner, mode and access list of *old*: its readers may be other users."""
    before, now = old.stat(), new.stat()
    if (before.st_uid, before.st_gid) != (now.st_uid, now.st_gid):
        os.chown(new, before.st_uid, before.st_gid)
    new.chmod(before.st_mode & 0o7777)
    if not hasattr(os, "getxattr"):
        return
    try:
        rights = os.getxattr(old, _ACCESS_LIST)
    except OSError as error:
        if error.errno not in {errno.ENODATA, errno.EOPNOTSUPP}:
            raise
    else:
        os.setxattr(new, _ACCESS_LIST, rights)


def place(uri: FileUri | TpmUri, *, password: Secret | None, work: Path) -> FilePlace:
    """Return the place of a file.

    :raises ConfigurationError: key and certificate are not in one file, so that no rename can replace both.
    """
    del work
    if isinstance(uri, TpmUri) and (uri.path is None or uri.certificate is not None):
        raise ConfigurationError(
            f"{uri}: key and certificate are not in one file, and cannot be replaced at one moment.",
            code="not-rotatable",
            remedy="Put the certificate behind the key in a TPM key file: tpm:FILE.",
            source=str(uri),
        )
    if password is None and uri.password is not None:
        password = uri.password.read()
    return FilePlace(uri, password)
