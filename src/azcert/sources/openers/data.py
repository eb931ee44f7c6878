"""A certificate given as a value: bytes from a caller, an environment variable, an open file descriptor."""

from __future__ import annotations

import datetime as dt
import os
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa

from azcert.certificate import formats
from azcert.certificate.chain import pair
from azcert.certificate.fitness import require_fit
from azcert.certificate.signer import SigningCertificate
from azcert.errors import SelectionError
from azcert.keys.software import SoftwareSigner

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from azcert._redact import Secret
    from azcert.certificate.formats import Contents
    from azcert.sources.uris.uri import EnvUri, FdUri

__all__ = ["DataSource", "DescriptorSource", "EnvironmentSource", "open", "signing_certificate"]


def signing_certificate(
    contents: Contents, *, name: str, place: str, protection: str, skip: frozenset[str], now: dt.datetime
) -> SigningCertificate:
    """Return the certificate of *contents* with the signer of its key, checked for what Entra ID demands.

    :raises CertificateError: no key, no certificate, one of another key, or one that Entra ID would refuse.
    """
    paired = pair(contents, name=name, now=now, skip=skip)
    require_fit(paired.certificate, now=now, name=name)
    key = paired.key
    assert isinstance(key, rsa.RSAPrivateKey), "the certificate has an RSA key, and it is this one"  # noqa: S101
    return SigningCertificate(
        paired.certificate, SoftwareSigner(key, place=place, protection=protection), paired.extras
    )


class DataSource:
    """Bytes of PEM, PKCS#12, DER or base64 that do not change.

    :param name: what they are called in messages and `name`.
    :param now: the clock; the current UTC time without it.
    """

    blocking = False

    def __init__(
        self,
        data: bytes,
        *,
        name: str = "certificate data",
        password: Secret | None = None,
        now: Callable[[], dt.datetime] | None = None,
    ) -> None:
        self._data = data
        self.name = name
        self._password = password
        self._now = now or _utc_now

    def revision(self) -> Hashable:
        """Return the same token always: the data does not change."""
        return 0

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        """Return the certificate with its signer (`azcert.sources.source.Source.load`)."""
        return signing_certificate(
            formats.load(self._read(), password=self._password, name=self.name),
            name=self.name,
            place=self.name,
            protection="memory",
            skip=skip,
            now=self._now(),
        )

    def _read(self) -> bytes:
        return self._data

    def close(self) -> None:
        """Hold nothing open."""

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class EnvironmentSource(DataSource):
    """PEM or base64 PKCS#12 in an environment variable of this process."""

    def __init__(
        self,
        variable: str,
        *,
        password: Secret | None = None,
        now: Callable[[], dt.datetime] | None = None,
    ) -> None:
        super().__init__(b"", name=f"environment variable {variable}", password=password, now=now)
        self._variable = variable

    def revision(self) -> Hashable:
        """Return a token that changes with the variable's value, without containing it."""
        return hash(os.environ.get(self._variable))

    def _read(self) -> bytes:
        value = os.environ.get(self._variable)
        if value is None:
            raise SelectionError(
                f"There is no {self.name}.",
                code="not-found",
                remedy=f"Set it to PEM text or base64 of a PKCS#12 file: {self._variable}=$(base64 -w0 FILE)",
                variable=self._variable,
            )
        return os.fsencode(value)


class DescriptorSource(DataSource):
    """PEM or PKCS#12 behind a file descriptor that this process was started with; read once and kept."""

    # A pipe delivers when its writer pleases.
    blocking = True

    def __init__(
        self,
        number: int,
        *,
        password: Secret | None = None,
        now: Callable[[], dt.datetime] | None = None,
    ) -> None:
        super().__init__(b"", name=f"file descriptor {number}", password=password, now=now)
        self._number = number

    def _read(self) -> bytes:
        if self._data:
            return self._data
        parts: list[bytes] = []
        size = 0
        try:
            while size <= formats.MAX_SIZE and (part := os.read(self._number, 1 << 16)):
                parts.append(part)
                size += len(part)
        except OSError as error:
            raise SelectionError(
                f"The {self.name} cannot be read: {error.strerror}.",
                code="not-found",
                remedy=f"Open it in the shell that starts this program: COMMAND {self._number}< FILE",
                descriptor=self._number,
            ) from error
        self._data = b"".join(parts)
        return self._data


def open(  # noqa: A001 - the name every opener has (azcert.sources.open)
    uri: EnvUri | FdUri, *, password: Secret | None = None, credential: object = None
) -> DataSource:
    """Return the source of an ``env:`` or ``fd:`` URI."""
    # A path needs no grammar: its compilation would be a tenth of a first token.
    from azcert.sources.uris.uri import EnvUri

    del credential
    if isinstance(uri, EnvUri):
        return EnvironmentSource(uri.variable, password=password)
    return DescriptorSource(uri.number, password=password)


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
