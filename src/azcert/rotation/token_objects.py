"""Removes from a PKCS#11 token what a rotation leaves there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509

from azcert.certificate.model import Certificate
from azcert.sources.openers.pkcs11 import open_place, pin_giver
from azcert.sources.uris.uri import Pkcs11Uri, parse_source

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.keys.pkcs11.token import PinGiver

__all__ = ["remove_old", "remove_staged"]


def remove_staged(staged: str, password: Secret | None) -> None:
    """Remove the key pair that the URI *staged* names by label and id; idempotent."""
    uri = parse_source(staged)
    assert isinstance(uri, Pkcs11Uri), "a token's place chose it"  # noqa: S101
    token, query = open_place(uri)
    from azcert.keys.pkcs11.make import remove_key  # python-pkcs11 is an extra

    remove_key(token, _pin(uri, password), query)


def remove_old(uri: Pkcs11Uri, old: str, password: Secret | None) -> None:
    """Remove the certificate of SHA-1 thumbprint *old* under *uri*, and its key pair; idempotent."""
    token, query = open_place(uri)
    pin = _pin(uri, password)
    from azcert.keys.pkcs11.make import remove_pair  # python-pkcs11 is an extra
    from azcert.keys.pkcs11.objects import certificates

    for stored in token.use(pin, lambda session: certificates(session, query), "list certificates"):
        certificate = x509.load_der_x509_certificate(stored.der)
        if Certificate(certificate).thumbprint == old:
            remove_pair(token, pin, certificate)


def _pin(uri: Pkcs11Uri, password: Secret | None) -> PinGiver:
    return pin_giver(password or (uri.pin.read() if uri.pin else None))
