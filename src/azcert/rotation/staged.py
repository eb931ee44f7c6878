"""The successor's key, from the moment it is made until it is the one in use."""

from __future__ import annotations

import glob
from typing import TYPE_CHECKING

from azcert.certificate.chain import spki_of
from azcert.certificate.issue import KEY_SIZES
from azcert.errors import AzcertError, CertificateError
from azcert.sources.key_places.key_place import find_key, make_key
from azcert.sources.key_places.signer_place import SignerPlace

if TYPE_CHECKING:
    from pathlib import Path

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate

__all__ = ["find_staged", "made_for", "make_staged", "remove_file"]

_ABSENT = {"file-not-found", "no-private-key"}


def make_staged(staged: str, *, like: Certificate, password: Secret | None) -> SignerPlace:
    """Return the key at *staged*; make it where an earlier run was stopped before it did.

    :param like: the certificate in use: the new key is as long as its, and may be called after it.
    """
    found = _find(staged, password)
    if found is not None:
        return found
    bits = next((size for size in KEY_SIZES if size >= like.key_size), KEY_SIZES[-1])
    made = make_key(staged, name=like.subject, bits=bits, password=password)
    assert isinstance(made, SignerPlace), "a place chose it"  # noqa: S101
    return made


def find_staged(staged: str, spki: bytes, *, password: Secret | None) -> SignerPlace | None:
    """Return the key at *staged* if it is the one with this public half, else None."""
    found = _find(staged, password)
    if found is not None and spki_of(found.public_key()) != spki:
        found.close()
        return None
    return found


def made_for(staged: str, certificate: Certificate, *, password: Secret | None) -> SignerPlace:
    """Return the key at *staged* that *certificate* was made for.

    :raises CertificateError: ``staged-key-lost``.
    """
    found = find_staged(staged, certificate.spki, password=password)
    if found is None:
        raise CertificateError(
            f"{staged} does not hold the key of the new certificate {certificate.thumbprint} any more.",
            code="staged-key-lost",
            remedy="Begin anew: azcert rotate --abort, then azcert rotate.",
        )
    return found


def remove_file(path: Path) -> None:
    """Remove a key's file if it is there, and what a run left of it that was killed while it wrote.

    No other run is at work: each keeps the record's lock.
    """
    path.unlink(missing_ok=True)
    for half in path.parent.glob(f".{glob.escape(path.name)}.*.new"):
        half.unlink(missing_ok=True)


def _find(staged: str, password: Secret | None) -> SignerPlace | None:
    try:
        found = find_key(staged, password=password)
    except AzcertError as error:
        if error.code in _ABSENT:
            return None
        raise
    assert isinstance(found, SignerPlace), "a place chose it"  # noqa: S101
    return found
