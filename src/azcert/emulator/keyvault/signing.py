"""Signatures over digests: RFC 7518, 3.3 to 3.5, as the keys API names them.

https://learn.microsoft.com/azure/key-vault/keys/about-keys-details#signverify
"""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from azcert.emulator.keyvault import faults
from azcert.emulator.keyvault.faults import VaultRefusal
from azcert.emulator.keyvault.jwk import CURVES, PrivateKey

__all__ = ["sign", "verify"]

_HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVE_OF = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "P-256K"}


def sign(key: PrivateKey, algorithm: object, digest: bytes) -> bytes:
    """Return the raw signature over *digest*.

    :raises VaultRefusal: the algorithm is not one of this key, or the digest not as long as its hash.
    """
    digest_hash = _check(key, algorithm, digest)
    prehashed = utils.Prehashed(digest_hash)
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(digest, _padding(str(algorithm), digest_hash), prehashed)
    r, s = utils.decode_dss_signature(key.sign(digest, ec.ECDSA(prehashed)))
    length = (key.curve.key_size + 7) // 8
    return r.to_bytes(length, "big") + s.to_bytes(length, "big")


def verify(key: PrivateKey, algorithm: object, digest: bytes, signature: bytes) -> bool:
    """Tell whether *signature* is one of *key* over *digest*.

    :raises VaultRefusal: as for `sign`.
    """
    digest_hash = _check(key, algorithm, digest)
    prehashed = utils.Prehashed(digest_hash)
    try:
        if isinstance(key, rsa.RSAPrivateKey):
            scheme = _padding(str(algorithm), digest_hash)
            key.public_key().verify(signature, digest, scheme, prehashed)
        else:
            half = (key.curve.key_size + 7) // 8
            if len(signature) != 2 * half:
                return False
            r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
            key.public_key().verify(utils.encode_dss_signature(r, s), digest, ec.ECDSA(prehashed))
    except InvalidSignature:
        return False
    return True


def _check(key: PrivateKey, algorithm: object, digest: bytes) -> hashes.HashAlgorithm:
    name = str(algorithm)
    if isinstance(key, rsa.RSAPrivateKey):
        fits = name[:2] in {"RS", "PS"} and name[2:] in _HASHES
    else:
        wanted = _CURVE_OF.get(name)
        fits = wanted is not None and CURVES[wanted].name == key.curve.name
    if not fits:
        raise VaultRefusal(faults.PROPERTY, name="alg", reason=f"{name} is not an algorithm of this key.")
    digest_hash = _HASHES[name[2:5]]
    if len(digest) != digest_hash.digest_size:
        reason = f"It must be a digest of {digest_hash.digest_size} bytes for {name}, not {len(digest)}."
        raise VaultRefusal(faults.PROPERTY, name="value", reason=reason)
    return digest_hash


def _padding(algorithm: str, digest_hash: hashes.HashAlgorithm) -> padding.AsymmetricPadding:
    if algorithm.startswith("RS"):
        return padding.PKCS1v15()
    return padding.PSS(padding.MGF1(digest_hash), digest_hash.digest_size)
