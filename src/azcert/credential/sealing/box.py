"""A token sealed for storage: encrypted, authenticated, and bound to everything that makes it this token.

One entry is ``magic || key id || nonce || ciphertext || tag``:

* AES-256-GCM (NIST SP 800-38D) with a fresh random 96-bit nonce per write. Each entry has an encryption key
  of its own, derived from the sealing key and the entry's name, so the birthday bound on random nonces
  (2**32 writes) counts for each entry alone and is never reached.
* The associated data is the magic and the whole `TokenKey`. An entry moved under another name, or read for
  another client, tenant, scope, authority, certificate or CAE setting, does not open.
* The name is an HMAC of the `TokenKey`: whoever lists the store learns how many tokens there are, not whose.

Keys come from HKDF (RFC 5869) with one label for each use.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Protocol

from azcert._redact import REDACTED, Secret
from azcert.credential.caches.entry import StoredToken
from azcert.errors import AzcertError, ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    from azcert.credential.caches.entry import TokenKey

__all__ = ["MIN_KEY_BYTES", "DamagedEntryError", "SealingKey", "SealingKeys"]

MIN_KEY_BYTES = 32
"""Key material shorter than this is refused: it could be guessed where the sealed entries can be read."""

_MAGIC = b"azcert-token\x01"
_NONCE = 12
_KEY_ID = 8
_HEADER = len(_MAGIC) + _KEY_ID + _NONCE


class DamagedEntryError(AzcertError):
    """A stored entry is not what was sealed under this name with this key; nothing of it is used."""


class SealingKey:
    """Seals and opens entries with one 256-bit key.

    :param material: at least 32 bytes that only holders of the credential have. It is spread by HKDF, so it
        need not be uniform (a signature is not), only impossible to guess.
    """

    __slots__ = ("_entries", "_id", "_names")

    def __init__(self, material: bytes) -> None:
        if len(material) < MIN_KEY_BYTES:
            raise ConfigurationError(
                f"The key for sealing tokens has {len(material)} bytes; at least {MIN_KEY_BYTES} are needed.",
                code="sealing-key-short",
                remedy="Make one with: head -c 32 /dev/urandom > azcert-cache.key",
            )
        root = _hkdf(material, b"azcert token cache v1")
        self._names = _hkdf(root, b"entry name")
        self._entries = _hkdf(root, b"entry key")
        self._id = _hkdf(root, b"key id")[:_KEY_ID]

    def name(self, key: TokenKey) -> str:
        """Return the entry's name in the store: 64 hex digits that tell nothing without the sealing key."""
        import hmac  # `import azcert` must not pay for it

        return hmac.digest(self._names, _bound(key), "sha256").hex()

    def seal(self, key: TokenKey, token: StoredToken) -> bytes:
        """Return *token* sealed for *key*."""
        text = json.dumps([token.token.reveal(), token.expires_on, token.refresh_on]).encode()
        nonce = os.urandom(_NONCE)
        return _MAGIC + self._id + nonce + self._cipher(key).encrypt(nonce, text, _bound(key))

    def unseal(self, key: TokenKey, sealed: bytes) -> StoredToken:
        """Return the token of a sealed entry.

        :raises DamagedEntryError: it is cut, altered, of another key or of another name.
        """
        from cryptography.exceptions import InvalidTag

        if len(sealed) <= _HEADER or not sealed.startswith(_MAGIC):
            raise DamagedEntryError(
                "The cached token is cut or of another format.", code="cache-entry-damaged"
            )
        if sealed[len(_MAGIC) : len(_MAGIC) + _KEY_ID] != self._id:
            raise DamagedEntryError(
                "The cached token was sealed with another key.", code="cache-entry-foreign"
            )
        try:
            text = self._cipher(key).decrypt(
                sealed[_HEADER - _NONCE : _HEADER], sealed[_HEADER:], _bound(key)
            )
        except InvalidTag:
            raise DamagedEntryError(
                "The cached token was altered, or sealed for another name.", code="cache-entry-damaged"
            ) from None
        value, expires_on, refresh_on = json.loads(text)
        return StoredToken(Secret(value), expires_on, refresh_on)

    def _cipher(self, key: TokenKey) -> AESGCM:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(_hkdf(self._entries, _bound(key)))

    def __repr__(self) -> str:
        return f"SealingKey({REDACTED})"

    def __reduce__(self) -> str:
        raise TypeError("a SealingKey is not pickled: let the other process get it from where this one did")


class SealingKeys(Protocol):
    """Where a cache gets its sealing key. Safe to call from several threads."""

    @property
    def origin(self) -> str:
        """Where the key comes from, for people; no secret."""

    def key_for(self, thumbprint: str) -> SealingKey:
        """Return the key for tokens of the certificate with this SHA-256 thumbprint.

        Slow at most once per certificate; later calls answer from memory.

        :raises AzcertError: the key cannot be had; the cache then keeps nothing, in the clear least of all.
        """


def _bound(key: TokenKey) -> bytes:
    """Return the one way to write *key*: equal bytes mean equal keys."""
    return _MAGIC + json.dumps(key).encode()


def _hkdf(material: bytes, info: bytes) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), 32, salt=None, info=info).derive(material)
