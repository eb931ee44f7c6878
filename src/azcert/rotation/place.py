"""What a rotation needs of a place: a key beside the one in use, and a moment in which they change roles."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import closing, contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from azcert.errors import ConfigurationError
from azcert.sources.open import open_source
from azcert.sources.uris.uri import DotnetUri, FileUri, Pkcs11Uri, SourceUri, StoreUri, TpmUri, parse_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import SigningCertificate
    from azcert.stores.names import Selector

__all__ = ["Place", "open_place", "refuse_one_certificate"]

# Kind of source -> module with place(uri, *, password, work) -> Place.
_PLACES: dict[type, str] = {
    FileUri: "azcert.rotation.places.file",
    TpmUri: "azcert.rotation.places.file",
    Pkcs11Uri: "azcert.rotation.places.token",
    StoreUri: "azcert.rotation.places.store",
    DotnetUri: "azcert.rotation.places.dotnet",
}


class Place(ABC):
    """A source whose certificate can be replaced by the next one.

    :param password: opens its keys.
    """

    def __init__(self, uri: SourceUri, password: Secret | None) -> None:
        self.name = str(uri)
        """The source, as it is written."""
        self.password = password
        self._source = uri

    @contextmanager
    def in_use(self) -> Iterator[SigningCertificate]:
        """Have the certificate in use with its signer, for the length of a block."""
        with closing(open_source(self._source, password=self.password)) as source:
            found = source.load()
            with closing(found.signer):
                yield found

    def current(self) -> Certificate:
        """Return the certificate in use."""
        with self.in_use() as found:
            return found.certificate

    def next_password(self) -> Secret | None:
        """Return what protects the successor's key: what opens the one in use."""
        return self.password

    @abstractmethod
    def next_key(self) -> str:
        """Choose where the successor's key will be: the URI of a place that holds none yet."""

    def judge(self, successor: Certificate) -> None:  # noqa: B027 - a file gives whatever it holds
        """Refuse a successor that this source would not give after the switch; any other one passes.

        :raises azcert.errors.AzcertError: why it would not.
        """

    @abstractmethod
    def switch(self, staged: str, certificate: Certificate) -> None:
        """Make the key at *staged* with *certificate* the one in use, at one moment; idempotent."""

    @abstractmethod
    def discard(self, staged: str) -> None:
        """Remove a staged key that will not be used; idempotent."""

    @abstractmethod
    def retire(self, old: str) -> None:
        """Remove the certificate of SHA-1 thumbprint *old*, which is not in use any more, with its key."""


def open_place(source: str, *, password: Secret | None = None, work: Path) -> Place:
    """Return the place behind a source.

    :param work: folder for files that are needed meanwhile.
    :raises ConfigurationError: ``not-rotatable``: nothing can be replaced there.
    """
    uri = parse_source(source)
    if type(uri) not in _PLACES:
        raise ConfigurationError(
            f"The certificate of {uri} cannot be replaced from here: whoever put it there puts the next one.",
            code="not-rotatable",
            remedy="Rotate files, stores, pkcs11: and tpm: sources; Key Vault renews its own by its policy.",
            source=str(uri),
        )
    module: Any = import_module(_PLACES[type(uri)])
    place: Place = module.place(uri, password=password, work=work)
    return place


def refuse_one_certificate(uri: SourceUri, selector: Selector) -> None:
    """Refuse a store's selector that names one certificate for ever.

    :raises ConfigurationError: ``not-rotatable``.
    """
    if selector.thumbprint is not None or selector.serial is not None:
        raise ConfigurationError(
            f"{uri} names one certificate for ever, so that its successor would not be found.",
            code="not-rotatable",
            remedy="Name it by ?subject=... and rotate that.",
            source=str(uri),
        )
