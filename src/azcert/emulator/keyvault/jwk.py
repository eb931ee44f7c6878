"""Private keys as Key Vault keeps them: made, imported, shown as a JSON Web Key (RFC 7517, RFC 7518)."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from azcert.emulator.keyvault import faults
from azcert.emulator.keyvault.faults import VaultRefusal

__all__ = ["CURVES", "PrivateKey", "decode", "encode", "from_pem", "generate", "imported", "public", "to_pem"]

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey

CURVES: dict[str, ec.EllipticCurve] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
    "P-256K": ec.SECP256K1(),
}
SIZES = (2048, 3072, 4096)


def encode(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: object, name: str) -> bytes:
    """Return the bytes of a base64url member.

    :raises VaultRefusal: it is none.
    """
    try:
        if not isinstance(text, str):
            raise VaultRefusal(faults.PROPERTY, name=name, reason="It must be base64url.")
        bare = text.rstrip("=")
        return base64.b64decode(bare + "=" * (-len(bare) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise VaultRefusal(faults.PROPERTY, name=name, reason="It must be base64url.") from None


def generate(kty: object, size: object, curve: object) -> PrivateKey:
    """Make a key.

    :raises VaultRefusal: the kind, size or curve is not offered.
    """
    if kty in {"RSA", "RSA-HSM"}:
        bits = 2048 if size is None else size
        if bits not in SIZES or not isinstance(bits, int):
            raise VaultRefusal(faults.PROPERTY, name="key_size", reason=f"It must be one of {list(SIZES)}.")
        return rsa.generate_private_key(65537, bits)
    if kty in {"EC", "EC-HSM"}:
        name = "P-256" if curve is None else curve
        if not isinstance(name, str) or name not in CURVES:
            raise VaultRefusal(faults.PROPERTY, name="crv", reason=f"It must be one of {list(CURVES)}.")
        return ec.generate_private_key(CURVES[name])
    raise VaultRefusal(faults.PROPERTY, name="kty", reason="It must be RSA, RSA-HSM, EC or EC-HSM.")


def imported(key: dict[str, Any]) -> PrivateKey:
    """Return the private key of a JSON Web Key.

    :raises VaultRefusal: it is none.
    """

    def number(name: str) -> int:
        return int.from_bytes(decode(key.get(name), f"key.{name}"), "big")

    try:
        if key.get("kty") in {"RSA", "RSA-HSM"}:
            n, e, d = number("n"), number("e"), number("d")
            p, q = (number("p"), number("q")) if key.get("p") else rsa.rsa_recover_prime_factors(n, e, d)
            dp, dq, qi = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q)
            return rsa.RSAPrivateNumbers(p, q, d, dp, dq, qi, rsa.RSAPublicNumbers(e, n)).private_key()
        if key.get("kty") in {"EC", "EC-HSM"} and key.get("crv") in CURVES:
            curve = CURVES[str(key["crv"])]
            numbers = ec.EllipticCurvePublicNumbers(number("x"), number("y"), curve)
            return ec.EllipticCurvePrivateNumbers(number("d"), numbers).private_key()
    except ValueError:
        raise VaultRefusal(faults.PROPERTY, name="key", reason="It is no valid private key.") from None
    raise VaultRefusal(faults.PROPERTY, name="key.kty", reason="It must be RSA, RSA-HSM, EC or EC-HSM.")


def public(key: PublicKey) -> dict[str, str]:
    """Return the members that show a public key."""
    if isinstance(key, rsa.RSAPublicKey):
        numbers = key.public_numbers()
        return {"n": _number(numbers.n), "e": _number(numbers.e)}
    point = key.public_numbers()
    length = (key.curve.key_size + 7) // 8
    name = next(name for name, curve in CURVES.items() if curve.name == key.curve.name)
    return {
        "crv": name,
        "x": encode(point.x.to_bytes(length, "big")),
        "y": encode(point.y.to_bytes(length, "big")),
    }


def to_pem(key: PrivateKey) -> str:
    """Return the key as PKCS#8 in PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def from_pem(pem: str) -> PrivateKey:
    """Return the key of `to_pem`."""
    key = load_pem_private_key(pem.encode(), None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("a vault keeps RSA and EC keys only")
    return key


def _number(value: int) -> str:
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))
