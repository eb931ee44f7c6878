"""Places in which a key is made, and its certificate put beside it: one table from the kind of URI."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from azcert.errors import ConfigurationError
from azcert.sources.open import require_library
from azcert.sources.uris.uri import FileUri, KeyVaultUri, Pkcs11Uri, SourceUri, TpmUri, parse_source

if TYPE_CHECKING:
    import datetime as dt
    import os

    from azure.core.credentials import TokenCredential
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.sources.key_places.signer_place import Wanted

__all__ = ["KeyPlace", "find_key", "make_key"]

# Kind of source -> module with make(uri, *, name, bits, password, credential) and
# find(uri, *, password, credential).
_PLACES: dict[type, str] = {
    FileUri: "azcert.sources.key_places.file",
    Pkcs11Uri: "azcert.sources.key_places.pkcs11",
    TpmUri: "azcert.sources.key_places.tpm",
    KeyVaultUri: "azcert.sources.key_places.keyvault",
}

_FROM_A_FILE = "Make a file with azcert new NAME, then put it there"
# Kind of source -> why no key is made in it, and what to do instead.
_WHY_NOT = {
    "env": (
        "a program cannot write the variables of another",
        f"{_FROM_A_FILE}: azcert convert NAME.pem NAME.b64",
    ),
    "fd": ("it can only be read", f"{_FROM_A_FILE}: PROGRAM 3< NAME.pem"),
    "store": ("a store takes a key with its certificate", f"{_FROM_A_FILE}: azcert import NAME.pem"),
    "dotnet": (
        "a store takes a key with its certificate",
        f"{_FROM_A_FILE}: azcert import NAME.pem --store dotnet:CurrentUser/My",
    ),
}


class KeyPlace(Protocol):
    """A private key that waits for its certificate."""

    @property
    def source(self) -> str:
        """The URI that finds this key again."""

    @property
    def place(self) -> str:
        """Where the key is, for people."""

    def public_key(self) -> RSAPublicKey:
        """Return the public half."""

    def self_signed(self, wanted: Wanted, *, now: dt.datetime) -> tuple[Certificate, str]:
        """Make a self-signed certificate beside the key; return it and the source that names both.

        :raises azcert.errors.AzcertError: a name or the validity is wrong, or the place refused.
        """

    def request(self, wanted: Wanted) -> x509.CertificateSigningRequest:
        """Make a request for an authority to answer.

        :raises azcert.errors.AzcertError: a name is wrong, or the place refused.
        """

    def put(self, certificate: Certificate) -> str:
        """Put the certificate beside the key and return the source that names both from now on.

        The caller has checked that they belong together.

        :raises azcert.errors.AzcertError: it could not be put there; nothing was changed.
        """

    def close(self) -> None:
        """Give back sessions and handles."""


def make_key(
    source: str | os.PathLike[str] | SourceUri,
    *,
    name: str,
    bits: int = 2048,
    password: Secret | None = None,
    credential: TokenCredential | None = None,
) -> KeyPlace:
    """Make an RSA key where *source* says; outside of files it never leaves that place.

    :param name: what to call the key where the place wants a name and *source* has none.
    :param password: opens the place, or encrypts the file; else the ``password-*`` parameter of the URI.
    :raises ConfigurationError: a key is there already, or none can be made there.
    :raises azcert.errors.AzcertError: the place refused.
    """
    uri, module, password = _place(source, password)
    made: KeyPlace = module.make(uri, name=name, bits=bits, password=password, credential=credential)
    return made


def find_key(
    source: str | os.PathLike[str] | SourceUri,
    *,
    password: Secret | None = None,
    credential: TokenCredential | None = None,
) -> KeyPlace:
    """Return the key that is where *source* says, with or without a certificate.

    :raises azcert.errors.AzcertError: there is none, or it cannot be used.
    """
    uri, module, password = _place(source, password)
    found: KeyPlace = module.find(uri, password=password, credential=credential)
    return found


def _place(
    source: str | os.PathLike[str] | SourceUri, password: Secret | None
) -> tuple[SourceUri, Any, Secret | None]:
    uri = source if isinstance(source, SourceUri) else parse_source(source)
    if type(uri) not in _PLACES:
        raise ConfigurationError(
            f"No key is made in {uri}: {_WHY_NOT[uri.kind][0]}.",
            code="no-key-place",
            remedy=_WHY_NOT[uri.kind][1],
            source=str(uri),
        )
    require_library(uri)
    origin = getattr(uri, "pin", None) or getattr(uri, "password", None)
    if password is None and origin is not None:
        password = origin.read()
    return uri, import_module(_PLACES[type(uri)]), password
