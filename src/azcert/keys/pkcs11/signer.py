"""Sign with an RSA key that stays in its token."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

import pkcs11
from pkcs11 import MGF, Attribute, Mechanism

from azcert.certificate.proof import SALT, holds
from azcert.certificate.signer import Algorithm
from azcert.errors import SelectionError, SigningError
from azcert.keys.pkcs11.objects import ObjectQuery, private_key, public_half

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from azcert.keys.pkcs11.token import PinGiver, Token, TokenSession

__all__ = ["Pkcs11Signer"]

# DigestInfo of SHA-256 up to the digest (RFC 8017, 9.2, note 1).
_DIGEST_INFO = bytes.fromhex("3031300d060960864801650304020105000420")
_PSS_PARAMETERS = (Mechanism.SHA256, MGF.SHA256, SALT)
_PROBE = b"azcert: which signatures does this key make?"


@dataclass(frozen=True)
class _Way:
    """One mechanism that makes the signatures of an algorithm, with what it wants to be given."""

    mechanism: Mechanism
    parameter: Any
    prepare: Callable[[bytes], bytes]


def _whole(data: bytes) -> bytes:
    return data


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def _digest_info(data: bytes) -> bytes:
    return _DIGEST_INFO + _digest(data)


# Tokens that hash for themselves first: the others want the digest (PS256) or the padded block's content.
_WAYS: dict[Algorithm, tuple[_Way, ...]] = {
    Algorithm.PS256: (
        _Way(Mechanism.SHA256_RSA_PKCS_PSS, _PSS_PARAMETERS, _whole),
        _Way(Mechanism.RSA_PKCS_PSS, _PSS_PARAMETERS, _digest),
    ),
    Algorithm.RS256: (
        _Way(Mechanism.SHA256_RSA_PKCS, None, _whole),
        _Way(Mechanism.RSA_PKCS, None, _digest_info),
    ),
}

# Faults that are about the token or the key, not about the mechanism tried: the search ends with them.
_ENDS_SEARCH = {"token-not-present", "no-private-key", "key-mismatch", "ambiguous", "closed", "module-failed"}


class Pkcs11Signer:
    """The `Signer` of a key in a PKCS#11 token; the key is found by its id, its label or its modulus.

    :param public_key: the certificate's; None to take it from the token (a key without certificate yet).
    :raises SelectionError: no such key, or several.
    """

    protection = "pkcs11"
    blocking = True

    def __init__(
        self, token: Token, pin: PinGiver, key: ObjectQuery, *, public_key: RSAPublicKey | None = None
    ) -> None:
        self._token = token
        self._pin = pin
        self._key = key
        self._always_authenticate: bool | None = None
        self._ways: dict[Algorithm, _Way] | None = None
        self._closed = False
        self._probing = Lock()

        def find(session: TokenSession) -> RSAPublicKey:
            found = private_key(session, key, public_key, str(token))
            return public_key or public_half(found, session, str(token))

        token.acquire()
        try:
            self._public_key = token.use(pin, find, f"find the key {key}")
        except BaseException:
            token.release()
            raise

    @property
    def place(self) -> str:
        """The token and the key in it."""
        return f"{self._token}, {self._key}"

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """What the key really does, found once by signing and looking at the signatures.

        :raises SigningError: it does nothing that Entra ID takes, or the token cannot be asked.
        """
        return tuple(self._known_ways())

    def public_key(self) -> RSAPublicKey:
        """Return the public half."""
        return self._public_key

    def sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        """Return the signature over *data*, verified before it is handed out.

        :raises SigningError: the token did not sign, or not with this algorithm.
        :raises AccessError: it wants another PIN.
        """
        way = self._known_ways().get(algorithm)
        if way is None:
            raise SigningError(
                f"The key {self._key} in {self._token} does not sign with {algorithm}.",
                code="algorithm-not-supported",
                algorithm=str(algorithm),
            )
        signature = self._sign(data, way)
        if not holds(self.public_key(), data, signature, algorithm):
            raise SigningError(
                f"{self._token} returned a signature that its public key does not confirm.",
                code="bad-signature",
                remedy="The token or the line to it is faulty: test it with `azcert sign-test`.",
                algorithm=str(algorithm),
            )
        return signature

    def close(self) -> None:
        """Give back this signer's share of the token; the last one logs out."""
        if not self._closed:
            self._closed = True
            self._token.release()

    def __repr__(self) -> str:
        return f"<Pkcs11Signer {self.place}>"

    def _known_ways(self) -> dict[Algorithm, _Way]:
        with self._probing:
            if self._ways is None:
                self._ways = self._find_ways()
            return self._ways

    def _find_ways(self) -> dict[Algorithm, _Way]:
        listed = self._token.mechanisms()
        found: dict[Algorithm, _Way] = {}
        seen: list[str] = []
        for algorithm, ways in _WAYS.items():
            for way in ways:
                if int(way.mechanism) not in listed:
                    continue
                try:
                    signature = self._sign(_PROBE, way)
                except SigningError as error:
                    if error.code in _ENDS_SEARCH:
                        raise
                    seen.append(f"{way.mechanism.name}: {error.message}")
                    continue
                if holds(self.public_key(), _PROBE, signature, algorithm):
                    found[algorithm] = way
                    break
                seen.append(f"{way.mechanism.name}: the public key does not confirm the signature")
        if not found:
            raise SigningError(
                f"The key {self._key} in {self._token} makes neither PS256 nor RS256 signatures: "
                f"{'; '.join(seen) or 'the token lists no RSA signature mechanism'}.",
                code="no-algorithm",
                remedy="If every signature is refused by the public key, key and certificate do not belong "
                "together: compare their ids with pkcs11-tool --login --list-objects",
            )
        return found

    def _sign(self, data: bytes, way: _Way) -> bytes:
        if self._closed:
            raise SigningError(f"The signer of {self.place} is closed.", code="closed")
        try:
            return self._token.use(
                self._pin, lambda session: self._sign_in(session, data, way), f"sign with the key {self._key}"
            )
        except SelectionError as error:
            raise SigningError(
                error.message, code=error.code, remedy=error.remedy, **error.details
            ) from error

    def _sign_in(self, session: TokenSession, data: bytes, way: _Way) -> bytes:
        key: Any = private_key(session, self._key, self._public_key, str(self._token))
        options = {"mechanism": way.mechanism, "mechanism_param": way.parameter}
        prepared = way.prepare(data)
        if self._always_authenticate is None:
            self._always_authenticate = _is_always_authenticate(key)
        if not self._always_authenticate:
            return bytes(key.sign(prepared, **options))
        return self._token.confirm(self._pin, lambda pin: bytes(key.sign(prepared, pin=pin, **options)))


def _is_always_authenticate(key: pkcs11.PrivateKey) -> bool:
    try:
        return bool(key[Attribute.ALWAYS_AUTHENTICATE])
    except pkcs11.AttributeTypeInvalid:
        return False
