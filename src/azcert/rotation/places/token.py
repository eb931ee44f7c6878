"""A certificate with its key in a PKCS#11 token: the newest valid one of a label is in use."""

from __future__ import annotations

import secrets
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from azcert.errors import ConfigurationError
from azcert.rotation.place import Place
from azcert.rotation.staged import made_for
from azcert.rotation.token_objects import remove_old, remove_staged

if TYPE_CHECKING:
    from pathlib import Path

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.sources.uris.uri import Pkcs11Uri

__all__ = ["TokenPlace", "place"]

_ID_BYTES = 16


class TokenPlace(Place):
    """Keys of one label in one token, each with an id of its own."""

    def __init__(self, uri: Pkcs11Uri, password: Secret | None) -> None:
        super().__init__(uri, password)
        self._uri = uri

    def next_key(self) -> str:
        """Choose an id; a key without a certificate is not in use."""
        return str(replace(self._uri, id=secrets.token_bytes(_ID_BYTES)))

    def judge(self, successor: Certificate) -> None:
        """Refuse one that would not be the newest of its label, or bears another name."""
        current = self.current()
        if successor.leaf.subject != current.leaf.subject:
            raise ConfigurationError(
                f"{successor.subject} is not {current.subject}, the name of the certificate in use: "
                f"{self.name} would stand for two certificates.",
                code="other-subject",
                remedy="Ask the authority for the name that the request bears.",
            )
        if (successor.not_before, successor.not_after) <= (current.not_before, current.not_after):
            raise ConfigurationError(
                f"{successor.thumbprint} is valid from {successor.not_before:%Y-%m-%d %H:%M UTC} on, not "
                f"later than {current.thumbprint}, which {self.name} would go on to give.",
                code="not-newer",
                remedy="Ask the authority for a certificate that begins later than the one in use.",
            )

    def switch(self, staged: str, certificate: Certificate) -> None:
        """Store the certificate and its chain: from then on it is the newest of its label."""
        if self.current().thumbprint == certificate.thumbprint:
            return
        with closing(made_for(staged, certificate, password=self.password)) as key:
            key.put(certificate)

    def discard(self, staged: str) -> None:
        """Remove the key that has no certificate yet."""
        remove_staged(staged, self.password)

    def retire(self, old: str) -> None:
        """Remove the old certificate and its key from the token."""
        remove_old(self._uri, old, self.password)


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
