"""Find keys and certificates among a token's objects."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pkcs11
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from pkcs11 import Attribute, KeyType, ObjectClass

from azcert.errors import SelectionError, SigningError

if TYPE_CHECKING:
    from azcert.keys.pkcs11.token import TokenSession

__all__ = [
    "ObjectQuery",
    "StoredCertificate",
    "StoredKey",
    "certificates",
    "private_key",
    "private_keys",
    "public_half",
]


@dataclass(frozen=True)
class ObjectQuery:
    """Which object: its label (``CKA_LABEL``, RFC 7512's ``object``) and its ``CKA_ID``; None matches all."""

    label: str | None = None
    id: bytes | None = None

    def __str__(self) -> str:
        parts = [f"object={self.label!r}"] if self.label is not None else []
        parts += [f"id={self.id.hex()}"] if self.id is not None else []
        return ", ".join(parts) or "any object"


@dataclass(frozen=True)
class StoredCertificate:
    """A certificate as the token holds it."""

    der: bytes
    id: bytes
    label: str


@dataclass(frozen=True)
class StoredKey:
    """A private key as far as the token shows it; *modulus* is None where it does not."""

    id: bytes
    label: str
    modulus: int | None

    def query(self) -> ObjectQuery:
        """Return what finds it again."""
        return ObjectQuery(id=self.id) if self.id else ObjectQuery(label=self.label)


def certificates(session: TokenSession, query: ObjectQuery) -> list[StoredCertificate]:
    """Return the X.509 certificates that *query* describes."""
    found = _search(session, _template(ObjectClass.CERTIFICATE, query))
    return [
        StoredCertificate(
            _read(item, Attribute.VALUE, b""),
            _read(item, Attribute.ID, b""),
            _read(item, Attribute.LABEL, ""),
        )
        for item in found
    ]


def private_keys(session: TokenSession, query: ObjectQuery) -> list[StoredKey]:
    """Return the RSA private keys that *query* describes."""
    template = _template(ObjectClass.PRIVATE_KEY, query) | {Attribute.KEY_TYPE: KeyType.RSA}
    return [
        StoredKey(_read(item, Attribute.ID, b""), _read(item, Attribute.LABEL, ""), modulus_of(item))
        for item in _search(session, template)
    ]


def private_key(
    session: TokenSession, query: ObjectQuery, public: RSAPublicKey | None, token: str
) -> pkcs11.PrivateKey:
    """Return the RSA private key that *query* describes; *public* decides where several do.

    :raises SelectionError: ``no-private-key`` or ``ambiguous``.
    :raises SigningError: the key may not sign (``CKA_SIGN``).
    """
    known = session.found.get(query)
    if known is not None:
        return known
    template = _template(ObjectClass.PRIVATE_KEY, query) | {Attribute.KEY_TYPE: KeyType.RSA}
    keys = _search(session, template)
    fitting = [key for key in keys if public is None or modulus_of(key) in {None, public.public_numbers().n}]
    if not fitting:
        found = f"{len(keys)} with another modulus" if keys else "none"
        raise SelectionError(
            f"{token} has no RSA private key for {query}: found {found}.",
            code="key-mismatch" if keys else "no-private-key",
            remedy="Compare the ids of key and certificate: pkcs11-tool --login --list-objects",
            token=token,
        )
    if len(fitting) > 1:
        raise SelectionError(
            f"{token} has {len(fitting)} RSA private keys for {query}.",
            code="ambiguous",
            remedy="Add id= to the URI; pkcs11-tool --login --list-objects shows the ids.",
            token=token,
        )
    key = fitting[0]
    if not isinstance(key, pkcs11.PrivateKey) or not hasattr(key, "sign"):
        raise SigningError(
            f"The key {query} in {token} is not allowed to sign (CKA_SIGN is false).",
            code="key-not-for-signing",
            token=token,
        )
    session.found[query] = key
    return key


def public_half(key: pkcs11.PrivateKey, session: TokenSession, token: str) -> RSAPublicKey:
    """Return the public key of a private key object, from itself or from the public object of the same id.

    :raises SelectionError: the token shows it nowhere.
    """
    sources: list[Any] = [key]
    identity = _read(key, Attribute.ID, b"")
    if identity:
        template = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.ID: identity}
        sources += _search(session, template)
    for item in sources:
        modulus, exponent = modulus_of(item), _read(item, Attribute.PUBLIC_EXPONENT, b"")
        if modulus and exponent:
            return RSAPublicNumbers(int.from_bytes(exponent, "big"), modulus).public_key()
    raise SelectionError(
        f"{token} does not show the public half of the key with id {identity.hex()}.",
        code="no-public-key",
        token=token,
    )


def modulus_of(key: pkcs11.Object) -> int | None:
    """Return the modulus, None where the token does not show it."""
    raw: bytes = _read(key, Attribute.MODULUS, b"")
    return int.from_bytes(raw, "big") if raw else None


def _search(session: TokenSession, template: dict[Attribute, Any]) -> list[pkcs11.Object]:
    # A search that cannot begin makes python-pkcs11 write to stderr; this call tells a lost session quietly.
    with suppress(pkcs11.RandomNoRNG, pkcs11.FunctionNotSupported):
        session.session.generate_random(8)
    return list(session.session.get_objects(template))


def _template(kind: ObjectClass, query: ObjectQuery) -> dict[Attribute, Any]:
    template: dict[Attribute, Any] = {Attribute.CLASS: kind}
    if query.label is not None:
        template[Attribute.LABEL] = query.label
    if query.id is not None:
        template[Attribute.ID] = query.id
    return template


def _read(item: pkcs11.Object, attribute: Attribute, default: Any) -> Any:
    try:
        return item[attribute]
    except (pkcs11.AttributeTypeInvalid, pkcs11.AttributeSensitive, UnicodeDecodeError):
        return default
