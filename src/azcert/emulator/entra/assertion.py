"""The client assertion as Entra reads it: a JWT signed by one of the application's certificates.

RFC 7521, RFC 7523 and https://learn.microsoft.com/entra/identity-platform/certificate-credentials. Every
client library writes it a little differently (padded segments, thumbprints in either base64, times as floats
or strings); the service takes them all, so they are all taken here.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import json
import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from azcert.emulator.entra import faults, sni
from azcert.emulator.entra.directory import RegisteredKey, registered_keys
from azcert.emulator.entra.faults import EntraRefusal

if TYPE_CHECKING:
    from cryptography import x509

    from azcert.emulator.world import World

__all__ = ["Assertion", "parse", "verify"]

HASHES: dict[str, hashes.HashAlgorithm] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
LONGEST = 65_536
SKEW = 300
"""Seconds a client's clock may be off."""


@dataclass(frozen=True)
class Assertion:
    """A JWT taken apart, nothing about it verified."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    signature: bytes

    @property
    def jti(self) -> str | None:
        """The assertion's unique id, if it has one."""
        value = self.claims.get("jti")
        return value if isinstance(value, str) else None


def parse(text: str) -> Assertion:
    """Take a compact JWS apart.

    :raises azcert.emulator.entra.faults.EntraRefusal: it is none (50027).
    """
    parts = text.split(".")
    if len(parts) != 3 or len(text) > LONGEST:  # noqa: PLR2004 - header, payload, signature (RFC 7515, 3.1)
        raise EntraRefusal(faults.JWT_MALFORMED)
    header, claims = _json_object(parts[0]), _json_object(parts[1])
    signature = _decode(parts[2])
    if header is None or claims is None or signature is None:
        raise EntraRefusal(faults.JWT_MALFORMED)
    return Assertion(header, claims, f"{parts[0]}.{parts[1]}".encode(), signature)


def verify(
    world: World, assertion: Assertion, app: dict[str, Any], client_id: str, audiences: frozenset[str]
) -> str | None:
    """Check everything about *assertion*: algorithm, claims, certificate, signature.

    Returns the id of the certificate on the application that it is signed with, None where a name is trusted.

    :param client_id: the form's ``client_id``.
    :param audiences: the accepted values of ``aud``, in lower case.
    :raises azcert.emulator.entra.faults.EntraRefusal: as Entra refuses it.
    """
    algorithm = assertion.header.get("alg")
    match = re.fullmatch(r"(RS|PS)(256|384|512)", algorithm) if isinstance(algorithm, str) else None
    if match is None:
        raise EntraRefusal(faults.ALGORITHM, alg=str(algorithm))
    _check_claims(world, assertion.claims, client_id, audiences)
    thumbprints = _thumbprints(assertion.header)
    certificates = sni.certificates(assertion.header)
    key = _find(registered_keys(world, app), thumbprints)
    if key is not None:
        _check_key(world, key, client_id)
        _check_signature(assertion, key, match[1], HASHES[match[2]], client_id)
        return key.key_id
    if app.get("trustedCertificateSubjects"):
        if not certificates:
            raise EntraRefusal(faults.NO_X5C, client=client_id, thumbprint=_shown(thumbprints))
        sni.check(world, app, certificates)
        trusted = RegisteredKey(certificates[0], b"", b"", None, None)
        _check_signature(assertion, trusted, match[1], HASHES[match[2]], client_id)
        return None
    if not thumbprints:
        raise EntraRefusal(faults.JWT_INVALID, reason="No certificate thumbprint specified in token header.")
    raise EntraRefusal(faults.KEY_NOT_FOUND, client=client_id, thumbprint=_shown(thumbprints))


def _check_claims(world: World, claims: dict[str, Any], client_id: str, audiences: frozenset[str]) -> None:
    issuer, subject = claims.get("iss"), claims.get("sub")
    if not isinstance(issuer, str) or not isinstance(subject, str):
        missing = "iss" if not isinstance(issuer, str) else "sub"
        raise EntraRefusal(faults.JWT_INVALID, reason=f"No '{missing}' claim was found in the token.")
    if issuer.lower() != subject.lower():
        raise EntraRefusal(faults.SUBJECT, subject=subject, issuer=issuer)
    if issuer.lower() != client_id.lower():
        raise EntraRefusal(faults.CLIENT_MISMATCH)
    given = claims.get("aud")
    named = given if isinstance(given, list) else [given]
    if not any(isinstance(name, str) and name.lower() in audiences for name in named):
        raise EntraRefusal(faults.AUDIENCE)
    now = world.clock.now()
    start, end = _seconds(claims, "nbf"), _seconds(claims, "exp")
    if end is None:
        raise EntraRefusal(faults.JWT_INVALID, reason="No 'exp' claim was found in the token.")
    if now + SKEW < (start or 0) or now - SKEW >= end:
        # A missing nbf is printed as the beginning of 1970.
        raise EntraRefusal(
            faults.TIME_RANGE, now=_instant(now), start=_instant(start or 0), end=_instant(end)
        )


def _check_key(world: World, key: RegisteredKey, client_id: str) -> None:
    now = world.clock.now()
    blanks = {"client": client_id, "thumbprint": key.thumbprint, **_window(key)}
    if key.end is not None and now >= key.end:
        raise EntraRefusal(faults.KEY_EXPIRED, **blanks)
    if key.start is not None and now + SKEW < key.start:
        raise EntraRefusal(faults.KEY_NOT_YET, **blanks)
    begins = key.certificate.not_valid_before_utc.timestamp()
    ends = key.certificate.not_valid_after_utc.timestamp()
    if not begins <= now + SKEW or now >= ends:
        raise EntraRefusal(faults.CERTIFICATE_TIME)


def _check_signature(
    assertion: Assertion, key: RegisteredKey, family: str, digest: hashes.HashAlgorithm, client_id: str
) -> None:
    public = key.certificate.public_key()
    if not isinstance(public, rsa.RSAPublicKey):
        raise EntraRefusal(faults.KEY_TYPE)
    blanks = {"client": client_id, "thumbprint": key.thumbprint, **_window(key)}
    if len(assertion.signature) != (public.key_size + 7) // 8:
        raise EntraRefusal(faults.SIGNATURE_USE, **blanks)
    # RFC 7518, 3.5: the salt is as long as the hash.
    scheme: padding.AsymmetricPadding = (
        padding.PSS(padding.MGF1(digest), digest.digest_size) if family == "PS" else padding.PKCS1v15()
    )
    try:
        public.verify(assertion.signature, assertion.signed, scheme, digest)
    except InvalidSignature:
        raise EntraRefusal(faults.SIGNATURE, **blanks) from None


def _find(keys: list[RegisteredKey], thumbprints: dict[str, bytes]) -> RegisteredKey | None:
    for key in keys:
        if thumbprints.get("x5t") == key.sha1 or thumbprints.get("x5t#s256") == key.sha256:
            return key
    return None


def _thumbprints(header: dict[str, Any]) -> dict[str, bytes]:
    found = {}
    for name, value in header.items():
        if name.lower() in {"x5t", "x5t#s256"} and isinstance(value, str):
            digest = _decode(value)
            if digest:
                found[name.lower()] = digest
    return found


def _shown(thumbprints: dict[str, bytes]) -> str:
    return next(iter(thumbprints.values()), b"").hex().upper()


def _window(key: RegisteredKey) -> dict[str, str]:
    certificate: x509.Certificate = key.certificate
    start = key.start if key.start is not None else certificate.not_valid_before_utc.timestamp()
    end = key.end if key.end is not None else certificate.not_valid_after_utc.timestamp()
    form = "%m/%d/%Y %H:%M:%S"
    return {
        "start": dt.datetime.fromtimestamp(start, dt.UTC).strftime(form),
        "end": dt.datetime.fromtimestamp(end, dt.UTC).strftime(form),
    }


def _seconds(claims: dict[str, Any], name: str) -> float | None:
    """Return a NumericDate, written as a number or (MSAL.NET) as a quoted one."""
    value = claims.get(name)
    if value is None:
        return None
    try:
        seconds = (
            float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else None
        )
    except (ValueError, OverflowError):
        seconds = None
    # Year 9999 is the last that dates can print.
    if seconds is None or not math.isfinite(seconds) or not 0 <= seconds < 253_402_300_800:  # noqa: PLR2004
        raise EntraRefusal(faults.JWT_INVALID, reason=f"The '{name}' claim is not a valid time.")
    return seconds


def _instant(seconds: float) -> str:
    moment = dt.datetime.fromtimestamp(seconds, dt.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond * 10:07d}Z"


def _decode(text: str) -> bytes | None:
    """Decode base64url or base64, padded or not."""
    bare = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def _json_object(segment: str) -> dict[str, Any] | None:
    data = _decode(segment)
    if data is None:
        return None
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
