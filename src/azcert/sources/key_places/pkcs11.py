"""A key made inside a PKCS#11 token, its certificate stored beside it."""

from __future__ import annotations

import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from azcert.sources.key_places.signer_place import SignerPlace
from azcert.sources.openers.pkcs11 import open_place, pin_giver

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.keys.pkcs11.objects import ObjectQuery
    from azcert.keys.pkcs11.signer import Pkcs11Signer
    from azcert.keys.pkcs11.token import PinGiver, Token
    from azcert.sources.uris.uri import Pkcs11Uri

__all__ = ["Pkcs11KeyPlace", "find", "make"]

_ID_BYTES = 16


class Pkcs11KeyPlace(SignerPlace):
    """A key in a token, by label and id."""

    def __init__(
        self, uri: Pkcs11Uri, token: Token, pin: PinGiver, query: ObjectQuery, signer: Pkcs11Signer
    ) -> None:
        super().__init__(str(uri), signer)
        self._token = token
        self._pin = pin
        self._query = query

    def put(self, certificate: Certificate) -> str:
        """Store the certificate under the key's label and id; return the token's URI for both.

        An older certificate stays in the token: the newest valid one is found first.
        """
        from azcert.keys.pkcs11.make import store_certificate  # python-pkcs11 is an extra

        store_certificate(self._token, self._pin, self._query, certificate.leaf, chain=certificate.chain)
        return self.source


def make(
    uri: Pkcs11Uri, *, name: str, bits: int, password: Secret | None = None, credential: object = None
) -> Pkcs11KeyPlace:
    """Generate a key in the token; without ``object=`` it is labelled *name*, without ``id=`` it gets one."""
    del credential
    label = name if uri.object is None else uri.object
    uri = replace(uri, object=label, id=uri.id or secrets.token_bytes(_ID_BYTES), certificate=None)
    token, query = open_place(uri)
    from azcert.keys.pkcs11.make import generate_key  # python-pkcs11 is an extra

    pin = pin_giver(password)
    return Pkcs11KeyPlace(uri, token, pin, query, generate_key(token, pin, query, bits=bits))


def find(uri: Pkcs11Uri, *, password: Secret | None = None, credential: object = None) -> Pkcs11KeyPlace:
    """Return the one private key that the URI names.

    :raises azcert.errors.SelectionError: there is none, or there are several.
    """
    del credential
    token, query = open_place(uri)
    from azcert.keys.pkcs11.signer import Pkcs11Signer  # python-pkcs11 is an extra

    pin = pin_giver(password)
    return Pkcs11KeyPlace(uri, token, pin, query, Pkcs11Signer(token, pin, query))
