"""A journal that other hosts may believe: signed by the certificates that are being exchanged.

A note holds one version of the journal for each of the two, and a host believes the version that its own
certificate in use has signed. Who can write to Redis, and has neither key, can bring back an older version of
the same rotation, whose steps may be done twice; nothing else.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from azcert.certificate.proof import holds
from azcert.certificate.signer import Algorithm
from azcert.rotation.records.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import SigningCertificate

__all__ = ["seal", "signers_of", "unseal"]


def seal(
    journal: Journal, signers: Iterable[SigningCertificate], *, application: str, before: bytes | None
) -> bytes:
    """Return the note with a new version for each of *signers*.

    :param application: whose rotation it is; a note is not believed for another one.
    :param before: the note as it was: versions of certificates that cannot sign here any more stay.
    """
    versions = _versions(before)
    text = journal.as_json()
    for each in signers:
        algorithm = each.signer.algorithms[0]
        signature = each.signer.sign(_signed(text, application), algorithm)
        versions[each.certificate.thumbprint] = {
            "journal": text.decode(),
            "algorithm": algorithm.value,
            "signature": base64.b64encode(signature).decode(),
        }
    return json.dumps(versions).encode()


def unseal(note: bytes, certificate: Certificate, *, application: str) -> Journal | None:
    """Return the version of the journal that *certificate* has signed, or None."""
    version = _versions(note).get(certificate.thumbprint)
    key = certificate.leaf.public_key()
    try:
        if version is None or not isinstance(key, RSAPublicKey):
            return None
        text = version["journal"].encode()
        signature = base64.b64decode(version["signature"], validate=True)
        if holds(key, _signed(text, application), signature, Algorithm(version["algorithm"])):
            return Journal.from_json(text)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    return None


def signers_of(note: bytes) -> set[str]:
    """Return the thumbprints of the certificates that have signed a version, as the note says."""
    return set(_versions(note))


def _versions(note: bytes | None) -> dict[str, dict[str, str]]:
    try:
        found = json.loads(note or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _signed(text: bytes, application: str) -> bytes:
    # Nothing else that these keys sign begins so: neither an assertion nor a certificate.
    return f"azcert rotation journal\n{application}\n".encode() + text
