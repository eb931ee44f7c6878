"""A certificate with its key in a PKCS#11 token: the newest valid one of a label is in use."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from azcert.errors import ConfigurationError
from azcert.rotation.token_objects import remove_old, remove_staged
from azcert.sources.key_place import find_key
from azcert.sources.open import open_source

if TYPE_CHECKING:
    from pathlib import Path

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import SigningCertificate
    from azcert.sources.uri import Pkcs11Uri

__all__ = ["TokenPlace", "place"]

_ID_BYTES = 16


class TokenPlace:
    """Keys of one label in one token, each with an id of its own."""

    def __init__(self, uri: Pkcs11Uri, password: Secret | None) -> None:
        self.name = str(uri)
        self._uri = uri
        self._password = password

    def current(self) -> SigningCertificate:
        """Return the newest certificate under the label."""
        return open_source(self._uri, password=self._password).load()

    def next_key(self) -> str:
        """Choose an id; a key without a certificate is not in use."""
        return str(replace(self._uri, id=secrets.token_bytes(_ID_BYTES)))

    def switch(self, staged: str, certificate: Certificate) -> None:
        """Store the certificate: from then on it is the newest of its label."""
        if self.current().certificate.thumbprint == certificate.thumbprint:
            return
        key = find_key(staged, password=self._password)
        try:
            key.put(certificate)
        finally:
            key.close()

    def discard(self, staged: str) -> None:
        """Remove the key that has no certificate yet."""
        remove_staged(staged, self._password)

    def retire(self, old: str) -> None:
        """Remove the old certificate and its key from the token."""
        remove_old(self._uri, old, self._password)


def place(uri: Pkcs11Uri, *, password: Secret | None, work: Path) -> TokenPlace:
    """Return the place of a token's label.

    :raises ConfigurationError: the source names one key for ever, or a certificate outside the token.
    """
    del work
    if uri.object is None or uri.id is not None or uri.certificate is not None:
        raise ConfigurationError(
            f"{uri} does not name its certificate by label, so that a newer one would not be found.",
            code="not-rotatable",
            remedy="Name it by object=LABEL alone, with the certificate in the token.",
            source=str(uri),
        )
    return TokenPlace(uri, password)
