"""A certificate in .NET's store on Linux: .NET programs that select by name take the newest, too."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from azcert._files import read_file
from azcert.certificate import formats
from azcert.errors import CertificateError, ConfigurationError
from azcert.sources.open import open_source
from azcert.stores.dotnet import DotnetStore

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import SigningCertificate
    from azcert.sources.uri import DotnetUri

__all__ = ["DotnetPlace", "place"]


class DotnetPlace:
    """What a selector finds in .NET's store; its files have no passwords and no grants to take over."""

    def __init__(self, uri: DotnetUri, work: Path) -> None:
        self.name = str(uri)
        self._uri = uri
        self._work = work
        self._store = DotnetStore(uri.store)

    def current(self) -> SigningCertificate:
        """Return the certificate the selector means now."""
        return open_source(self._uri).load()

    def next_key(self) -> str:
        """Choose a file among the journal's."""
        return str(self._work / f"dotnet.{secrets.token_hex(8)}.key")

    def switch(self, staged: str, certificate: Certificate) -> None:
        """Add the certificate with its key to the store, where it is the newest from then on."""
        if self.current().certificate.thumbprint != certificate.thumbprint:
            key = formats.load(read_file(staged, limit=formats.MAX_SIZE).data, name=staged).key
            if not isinstance(key, RSAPrivateKey):
                raise CertificateError(
                    f"{staged} holds no RSA key.",
                    code="key-missing",
                    remedy="Begin anew: azcert rotate --abort",
                )
            self._store.add(certificate, key)
        self.discard(staged)

    def discard(self, staged: str) -> None:
        """Remove the staged key's file."""
        Path(staged).unlink(missing_ok=True)

    def retire(self, old: str) -> None:
        """Remove the old certificate with its key."""
        entry = self._store.get(old)
        if entry is not None:
            self._store.remove(entry)


def place(uri: DotnetUri, *, password: Secret | None, work: Path) -> DotnetPlace:
    """Return the place of a selector in .NET's store.

    :raises ConfigurationError: the selector names one certificate for ever.
    """
    del password
    if uri.selector.thumbprint is not None or uri.selector.serial is not None:
        raise ConfigurationError(
            f"{uri} names one certificate for ever, so that its successor would not be found.",
            code="not-rotatable",
            remedy="Name it by ?subject=... and rotate that.",
            source=str(uri),
        )
    return DotnetPlace(uri, work)
