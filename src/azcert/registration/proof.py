"""The proof of possession with which an application changes its own certificates.

https://learn.microsoft.com/graph/application-rollkey-prooftoken
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from azcert.certificate.signer import Algorithm
from azcert.entra.assertion import attach, base64url

if TYPE_CHECKING:
    from azcert.certificate.signer import SigningCertificate

__all__ = ["proof_of_possession"]

_AUDIENCE = "00000002-0000-0000-c000-000000000000"
_LIFETIME = 600


def proof_of_possession(current: SigningCertificate, object_id: str, *, now: int) -> str:
    """Return the JWT that `addKey` and `removeKey` ask for, signed by a certificate the application has.

    :param object_id: the application's object id, not its client id.
    :param now: seconds since the epoch; the proof is valid for ten minutes, the longest Graph takes.
    :raises azcert.errors.SigningError: the key did not sign.
    """
    # Graph documents RS256 with the SHA-1 thumbprint and nothing else; whether it takes PS256 is not known.
    header = {
        "alg": Algorithm.RS256.value,
        "typ": "JWT",
        "x5t": base64url(bytes.fromhex(current.certificate.thumbprint)).decode(),
    }
    claims = {"aud": _AUDIENCE, "iss": object_id, "nbf": now, "exp": now + _LIFETIME}
    signing_input = b".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    return attach(signing_input, current.signer.sign(signing_input, Algorithm.RS256))
