"""What a rotation needs of a place: a key beside the one in use, and a moment in which they change roles."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from azcert.errors import AzcertError, ConfigurationError
from azcert.sources.key_place import find_key, make_key
from azcert.sources.signer_place import SignerPlace
from azcert.sources.uri import DotnetUri, FileUri, Pkcs11Uri, StoreUri, TpmUri, parse_source

if TYPE_CHECKING:
    from pathlib import Path

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import SigningCertificate

__all__ = ["Place", "open_place", "staged_key"]

# Kind of source -> module with place(uri, *, password, work) -> Place.
_PLACES: dict[type, str] = {
    FileUri: "azcert.rotation.places.file",
    TpmUri: "azcert.rotation.places.file",
    Pkcs11Uri: "azcert.rotation.places.token",
    StoreUri: "azcert.rotation.places.store",
    DotnetUri: "azcert.rotation.places.dotnet",
}
_ABSENT = {"file-not-found", "no-private-key"}


class Place(Protocol):
    """A source whose certificate can be replaced by the next one."""

    @property
    def name(self) -> str:
        """The source, as it is written."""

    def current(self) -> SigningCertificate:
        """Return the certificate in use."""

    def next_key(self) -> str:
        """Choose where the successor's key will be: the URI of a place that holds none yet."""

    def switch(self, staged: str, certificate: Certificate) -> None:
        """Make the key at *staged* with *certificate* the one in use, at one moment; idempotent."""

    def discard(self, staged: str) -> None:
        """Remove a staged key that will not be used; idempotent."""

    def retire(self, old: str) -> None:
        """Remove the certificate of SHA-1 thumbprint *old*, which is not in use any more, with its key."""


def open_place(source: str, *, password: Secret | None = None, work: Path) -> Place:
    """Return the place behind a source.

    :param work: folder for files that are needed meanwhile.
    :raises ConfigurationError: ``not-rotatable``: nothing can be replaced there.
    """
    uri = parse_source(source)
    if type(uri) not in _PLACES:
        raise _not_rotatable(uri)
    module: Any = import_module(_PLACES[type(uri)])
    place: Place = module.place(uri, password=password, work=work)
    return place


def staged_key(staged: str, *, name: str, bits: int, password: Secret | None) -> SignerPlace:
    """Return the key at *staged*; make it where an earlier run was stopped before it did.

    :param name: what the place may call the key.
    """
    try:
        key = find_key(staged, password=password)
    except AzcertError as error:
        if error.code not in _ABSENT:
            raise
        key = make_key(staged, name=name, bits=bits, password=password)
    if not isinstance(key, SignerPlace):
        raise _not_rotatable(staged)
    return key


def _not_rotatable(source: object) -> ConfigurationError:
    return ConfigurationError(
        f"The certificate of {source} cannot be replaced from here: whoever put it there puts the next one.",
        code="not-rotatable",
        remedy="Rotate files, stores, pkcs11: and tpm: sources; Key Vault renews its own by its policy.",
        source=str(source),
    )
