"""A key in a file of its own, until its certificate comes and both are put into one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from azcert._files import judge_key_file, read_file, write_atomic
from azcert.certificate import formats, writers
from azcert.certificate.issue import generate_key
from azcert.errors import CertificateError
from azcert.keys.software import SoftwareSigner
from azcert.sources.key_places.signer_place import SignerPlace
from azcert.sources.writing import writing

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.sources.uris.uri import FileUri

__all__ = ["KEY_SUFFIX", "FileKeyPlace", "find", "make"]

KEY_SUFFIX = ".key.pem"
"""A key that waits for its certificate is in ``NAME.key.pem``, both together in ``NAME.pem``."""


class FileKeyPlace(SignerPlace):
    """The only key in a file.

    :param password: what the file is encrypted with, None for not at all.
    :param pkcs12: keeps the file PKCS#12, which other programs may expect there.
    """

    def __init__(
        self, path: Path, key: RSAPrivateKey, password: Secret | None, *, pkcs12: bool = False
    ) -> None:
        self._path = path
        self._key = key
        self._password = password
        self._pkcs12 = pkcs12
        protection = "encrypted" if password else "file"
        super().__init__(str(path), SoftwareSigner(key, place=f"file {path}", protection=protection))

    def put(self, certificate: Certificate) -> str:
        """Write key, certificate and chain into one file: ``NAME.key.pem`` becomes ``NAME.pem``.

        Any other file is rewritten in place: an older certificate makes way for the new one.

        :raises ConfigurationError: ``file-exists``: ``NAME.pem`` is there and holds something else.
        :raises AccessError: the folder cannot be written.
        """
        target = self._path
        if target.name.endswith(KEY_SUFFIX):
            target = target.with_name(target.name.removesuffix(KEY_SUFFIX) + ".pem")
        write = writers.pkcs12 if self._pkcs12 else writers.pem
        content = write(self._key, certificate, password=self._password)
        remedy = f"Move it away, then accept the answer again: mv {target} {target}.old"
        with writing(target, when_taken=remedy):
            write_atomic(target, content, overwrite=target == self._path)
            if target != self._path:
                # The key is in the new file, whole: a second copy would only be one more to guard.
                self._path.unlink()
        return str(target)

    def as_pkcs12(self, *, keeps: bool) -> FileKeyPlace:
        """Return the same key, whose file `put` writes as PKCS#12 or as PEM."""
        return FileKeyPlace(self._path, self._key, self._password, pkcs12=keeps)


def make(
    uri: FileUri, *, name: str, bits: int, password: Secret | None = None, credential: object = None
) -> FileKeyPlace:
    """Make a key in a new file, encrypted if there is a *password*.

    :raises ConfigurationError: ``file-exists``.
    :raises AccessError: the folder cannot be written.
    """
    del name, credential
    path = Path(uri.path)
    key = generate_key(bits)
    with writing(path, when_taken="Choose another name, or use the key in it with --reuse-key."):
        write_atomic(path, writers.key_bytes(key, password=password))
    return FileKeyPlace(path, key, password)


def find(uri: FileUri, *, password: Secret | None = None, credential: object = None) -> FileKeyPlace:
    """Return the one RSA key in the file.

    :raises CertificateError: the file cannot be read, or holds no key, several, or one that is not RSA.
    :raises AccessError: others can read the key, or this user cannot.
    """
    del credential
    read = read_file(uri.path, limit=formats.MAX_SIZE)
    contents = formats.load(read.data, password=password, name=uri.path)
    if contents.keys:
        judge_key_file(read)
    key, *others = contents.keys or (None,)
    if key is None or others:
        raise CertificateError(
            f"{uri.path} holds {len(contents.keys) or 'no'} private keys; expected one.",
            code="several-keys" if others else "key-missing",
            remedy="Give the file with the key that the request was made for.",
            name=uri.path,
        )
    if not isinstance(key, RSAPrivateKey):
        raise CertificateError(
            f"The key in {uri.path} is not RSA, which is what Entra ID takes.",
            code="not-rsa",
            remedy="Make one: azcert csr NAME",
            name=uri.path,
        )
    return FileKeyPlace(
        Path(uri.path),
        key,
        password if contents.encrypted else None,
        pkcs12=contents.form.startswith("PKCS#12"),
    )
