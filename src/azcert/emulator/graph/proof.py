"""The proof of possession that addKey and removeKey ask for, checked for real.

https://learn.microsoft.com/graph/application-rollkey-prooftoken
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from azcert.emulator.entra.directory import RegisteredKey, registered_keys
from azcert.emulator.graph import faults
from azcert.emulator.graph.faults import GraphRefusal

if TYPE_CHECKING:
    from azcert.emulator.world import World

__all__ = ["check_proof"]

AUDIENCE = "00000002-0000-0000-c000-000000000000"
MAX_LIFETIME = 600
SKEW = 300


def check_proof(world: World, holder: dict[str, Any], object_id: str, proof: Any) -> None:
    """Check that *proof* is signed by a valid certificate of *holder*, for this object, and now.

    :param holder: what has ``keyCredentials``: an application, or its service principal's members.
    :raises GraphRefusal: it is not.
    """
    if not isinstance(proof, str) or "=" in proof:
        raise _refused("The proof is no compact JWT without padding.")
    try:
        header = jwt.get_unverified_header(proof)
    except jwt.PyJWTError as error:
        raise _refused(str(error)) from error
    key = _key(world, holder, header)
    public = key.certificate.public_key()
    if not isinstance(public, RSAPublicKey):
        raise _refused("The certificate's key is no RSA key.")
    try:
        # The emulator's clock decides, which PyJWT does not know.
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False}
        claims = jwt.decode(proof, public, ["RS256", "PS256"], options, audience=AUDIENCE)
    except jwt.PyJWTError as error:
        raise _refused(str(error)) from error
    if str(claims.get("iss")).lower() != object_id.lower():
        raise _refused("The issuer is not the object's id.")
    start, end = claims.get("nbf"), claims.get("exp")
    if not isinstance(start, int | float) or not isinstance(end, int | float):
        raise _refused("It has no nbf and exp.")
    now = world.clock.now()
    if not start - SKEW <= now < end + SKEW or end - start > MAX_LIFETIME:
        raise _refused("It is outside its time, or lasts longer than ten minutes.")


def _key(world: World, holder: dict[str, Any], header: dict[str, Any]) -> RegisteredKey:
    now = world.clock.now()
    for key in registered_keys(world, holder):
        names = {_b64url(key.sha1), _b64url(key.sha256), key.thumbprint}
        if not names & {header.get("x5t"), header.get("x5t#S256"), header.get("kid")}:
            continue
        certificate = key.certificate
        start, end = certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()
        if start <= now <= end and (key.end is None or now <= key.end):
            return key
        raise _refused("The certificate that signed it is outside its validity.")
    raise _refused("No certificate of the object signed it.")


def _b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _refused(reason: str) -> GraphRefusal:
    return GraphRefusal(faults.PROOF, reason=reason)
