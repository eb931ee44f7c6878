"""Access tokens: made here, checked by every emulated resource.

Claims: https://learn.microsoft.com/entra/identity-platform/access-token-claims-reference. The signing key is
kept in the world (kind ``signing-key``), so that tokens outlive a restart.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import secrets
import uuid
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from azcert.emulator.entra.clouds import Cloud
    from azcert.emulator.entra.resources import Resource
    from azcert.emulator.world import World

__all__ = ["Client", "InvalidTokenError", "check", "issue", "jwks", "signing_key"]

BACKDATED = 300
"""Entra dates a token's iat and nbf five minutes back."""
METHOD_PUBLIC, METHOD_SECRET, METHOD_CERTIFICATE = "0", "1", "2"


class InvalidTokenError(ValueError):
    """A presented token is not one that this emulator issued."""


@dataclass(frozen=True)
class Client:
    """Who gets a token: an application in a tenant, and how it proved that.

    :param method: ``appidacr``: 1 for a secret, 2 for a certificate.
    """

    app: dict[str, Any]
    tenant_id: str
    method: str


@dataclass(frozen=True)
class SigningKey:
    """The key that signs access tokens, with its certificate."""

    private: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def kid(self) -> str:
        """Key id: the certificate's SHA-1 in base64url."""
        der = self.certificate.public_bytes(Encoding.DER)
        return _b64url(hashlib.sha1(der, usedforsecurity=False).digest())


def signing_key(world: World) -> SigningKey:
    """Return the emulator's signing key, made when it is first needed."""
    with world.documents.transaction():
        kept = world.documents.get("signing-key", "entra")
        if kept is None:
            kept = _new_key()
            world.documents.put("signing-key", "entra", kept)
    return _load_key(kept["key"], kept["certificate"])


def issue(
    world: World,
    cloud: Cloud,
    client: Client,
    resource: Resource,
    *,
    lifetime: int,
    not_before: float = 0,
    extra: dict[str, Any] | None = None,
) -> str:
    """Return an access token for *client*.

    :param lifetime: seconds until it ends.
    :param not_before: the token counts as issued at this moment at least (a claims challenge asks for that).
    :param extra: further claims.
    """
    now = int(max(world.clock.now(), not_before))
    tenant, app = client.tenant_id, client.app
    principal = str(app["servicePrincipalId"])
    legacy = resource.version == 1
    issuer = f"https://{cloud.issuer}/{tenant}/" if legacy else f"https://{cloud.network}/{tenant}/v2.0"
    claims: dict[str, Any] = {
        "aud": resource.audience,
        "iss": issuer,
        "iat": now - BACKDATED,
        "nbf": now - BACKDATED,
        "exp": now + lifetime + 1,
        "aio": _b64url(secrets.token_bytes(24)),
    }
    if legacy:
        claims |= {"appid": app["appId"], "appidacr": client.method, "idp": issuer}
    else:
        claims |= {"azp": app["appId"], "azpacr": client.method}
    roles = (app.get("grantedRoles") or {}).get(resource.app_id)
    claims |= {"idtyp": "app", "oid": principal, "rh": f"1.{_b64url(secrets.token_bytes(20))}."}
    if roles:
        claims["roles"] = roles
    claims |= {
        "sub": principal,
        "tid": tenant,
        "uti": _b64url(secrets.token_bytes(16)),
        "ver": f"{resource.version}.0",
    }
    key = signing_key(world)
    headers = {"kid": key.kid, **({"x5t": key.kid} if legacy else {})}
    return jwt.encode(claims | (extra or {}), key.private, algorithm="RS256", headers=headers)


def check(world: World, token: str) -> dict[str, Any]:
    """Return the claims of a token that this emulator signed and that is valid now.

    :raises InvalidTokenError: it is malformed, signed by another, or outside its time.
    """
    options: Any = {
        "verify_aud": False,
        "verify_exp": False,
        "verify_nbf": False,
        "verify_iat": False,
        "require": ["exp", "nbf", "iat", "aud", "iss", "tid", "oid"],
    }
    try:
        claims = jwt.decode(token, signing_key(world).private.public_key(), ["RS256"], options)
    except (jwt.PyJWTError, ValueError) as error:
        raise InvalidTokenError(str(error)) from error
    # The emulator's clock decides, which PyJWT does not know.
    if not claims["nbf"] <= world.clock.now() < claims["exp"]:
        raise InvalidTokenError("the token is outside its time")
    return claims


def jwks(world: World, issuer: str, *, legacy: bool) -> dict[str, Any]:
    """Return the JSON Web Key Set (RFC 7517) that verifies the emulator's tokens."""
    key = signing_key(world)
    numbers = key.private.public_key().public_numbers()
    entry: dict[str, Any] = {
        "kty": "RSA",
        "use": "sig",
        "kid": key.kid,
        "x5t": key.kid,
        "n": _b64url(numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8, "big")),
        "e": _b64url(numbers.e.to_bytes(3, "big")),
        "x5c": [base64.b64encode(key.certificate.public_bytes(Encoding.DER)).decode()],
    }
    if not legacy:
        entry |= {"cloud_instance_name": issuer.split("/")[2].removeprefix("login."), "issuer": issuer}
    return {"keys": [entry]}


def _new_key() -> dict[str, str]:
    private = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "accounts.accesscontrol.windows.net")])
    start = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(uuid.uuid4().int >> 1)
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=36500))
        .sign(private, SHA256())
    )
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {"key": pem.decode(), "certificate": certificate.public_bytes(Encoding.PEM).decode()}


@lru_cache(maxsize=64)
def _load_key(key: str, certificate: str) -> SigningKey:
    private = load_pem_private_key(key.encode(), None)
    if not isinstance(private, rsa.RSAPrivateKey):
        raise TypeError("the kept signing key is not an RSA key")
    return SigningKey(private, x509.load_pem_x509_certificate(certificate.encode()))


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
