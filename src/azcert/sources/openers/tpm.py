"""A key in a TPM 2.0 with the certificate beside it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from azcert._files import judge_key_file, read_file
from azcert.certificate import formats
from azcert.errors import AccessError, CertificateError
from azcert.keys.tpm.connection import connect
from azcert.keys.tpm.tss2 import parse_tss2
from azcert.sources.openers.beside import file_revision, read_certificates, with_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from cryptography import x509

    from azcert._redact import Secret
    from azcert.certificate.signer import SigningCertificate
    from azcert.keys.tpm.signer import TpmSigner
    from azcert.sources.uris.uri import TpmUri

__all__ = ["TpmSource", "open", "open_signer"]


class TpmSource:
    """A TPM key by handle or key file, and its certificate: in the key file, or in a file of its own.

    :param password: the key's password, where it has one.
    :param now: the clock; the current UTC time without it.
    """

    blocking = True

    def __init__(
        self,
        uri: TpmUri,
        *,
        password: Secret | None = None,
        now: Callable[[], dt.datetime] | None = None,
    ) -> None:
        self.name = str(uri)
        self._uri = uri
        self._password = password
        self._now = now or _utc_now

    def revision(self) -> Hashable:
        """Return what changes when the key file or the certificate's file is replaced."""
        files = [path for path in (self._uri.path, self._uri.certificate) if path]
        return tuple(file_revision(path) for path in files)

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        """Return the certificate with its signer (`azcert.sources.source.Source.load`).

        :raises CertificateError: a file is damaged or missing, or key and certificate do not fit.
        :raises AccessError: the file or the TPM may not be opened, or the password is wrong.
        """
        signer, certificates = open_signer(self._uri, self._password)
        name = self._uri.certificate or self._uri.path
        if self._uri.certificate:
            certificates = read_certificates(self._uri.certificate)
        return with_certificate(signer, certificates, name=name or self.name, now=self._now(), skip=skip)

    def close(self) -> None:
        """Hold nothing open: nothing is kept in the TPM."""

    def __repr__(self) -> str:
        return f"<TpmSource {self.name}>"


def open(  # noqa: A001 - the name every opener has (azcert.sources.open)
    uri: TpmUri, *, password: Secret | None = None, credential: object = None
) -> TpmSource:
    """Return the source of a ``tpm:`` URI."""
    del credential
    return TpmSource(uri, password=password)


def open_signer(uri: TpmUri, password: Secret | None) -> tuple[TpmSigner, tuple[x509.Certificate, ...]]:
    """Return the signer of the key that *uri* names, and the certificates in its key file.

    :raises AzcertError: the key cannot be read or used.
    """
    connection = connect(uri.tcti)
    from azcert.keys.tpm.key import FileKey, PersistentKey  # tpm2-pytss is an extra
    from azcert.keys.tpm.signer import TpmSigner

    if uri.handle is not None:
        return TpmSigner(connection, PersistentKey(uri.handle), auth=password), ()
    path = uri.path or ""
    read = read_file(path, limit=formats.MAX_SIZE)
    contents = formats.load(read.data, name=path)
    if len(contents.tss2_keys) != 1:
        raise CertificateError(
            f"{path} holds {len(contents.tss2_keys) or 'no'} TPM keys (TSS2 PRIVATE KEY); expected one.",
            code="key-missing",
            remedy="Make one with azcert new --key tpm:KEYFILE, or convert one with tpm2_encodeobject.",
            name=path,
        )
    # Who reads the file and may open the TPM can sign.
    judge_key_file(read)
    key = parse_tss2(contents.tss2_keys[0], path)
    if not key.empty_auth and password is None:
        raise AccessError(
            f"The TPM key in {path} has a password, and none was given.",
            code="password-missing",
            remedy="Say where it is: password-env=NAME or password-file=PATH in the URI.",
            name=path,
        )
    # A password is used where one is given: tpm2_encodeobject 5.4 marks keys with one as having none.
    return TpmSigner(connection, FileKey(key, path), auth=password), contents.certificates


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
