"""Put what a file holds into a certificate store, the key at the protection level that was chosen."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from azcert.certificate.chain import leaf_without_key, pair, with_chain
from azcert.certificate.model import Certificate
from azcert.errors import CertificateError, ConfigurationError
from azcert.sources.key_places.key_place import find_key
from azcert.sources.key_places.signer_place import SignerPlace
from azcert.sources.open import require_library
from azcert.sources.openers.beside import with_certificate
from azcert.sources.uris.uri import KeyVaultUri, Pkcs11Uri, TpmUri, parse_source
from azcert.stores.passphrase import PassphraseFrom, PassphraseKind

if TYPE_CHECKING:
    import datetime as dt

    from azcert._redact import Secret
    from azcert.certificate.formats import Contents
    from azcert.stores.directory.store import DirectoryStore
    from azcert.stores.store import Entry

__all__ = ["DEVICES", "Protection", "deposit", "rsa_pair"]

DEVICES = ("pkcs11:", "tpm:", "keyvault:")
"""What a protection level begins with that is the URI of a place; Key Vault's is refused, with a reason."""

_WITH_KEYS = "My"


@dataclass(frozen=True)
class Protection:
    """How a private key is kept.

    :param device: URI of the token or TPM that keeps it; None for a file in the store.
    :param passphrase: encrypts the file.
    :param passphrase_from: where programs find the passphrase; without it, they must bring it.
    :param exportable: lets ``azcert export --private`` give it away again; never with a device.
    """

    device: str | None = None
    passphrase: Secret | None = None
    passphrase_from: PassphraseFrom | None = None
    exportable: bool = False


def deposit(
    contents: Contents, store: DirectoryStore, protection: Protection, *, name: str, now: dt.datetime
) -> list[Entry]:
    """Put certificate, chain and key into *store*; in a store of CAs, every certificate by itself.

    :param name: the file, for messages.
    :raises CertificateError: the file's key fits none of its certificates, or is not RSA.
    :raises ConfigurationError: the device cannot take the key.
    """
    if not contents.keys and store.name.name != _WITH_KEYS:
        return [store.add(Certificate(each)) for each in contents.certificates]
    if protection.device is not None:
        return [_into_device(contents, store, protection.device, name=name, now=now)]
    if not contents.keys:
        leaf = leaf_without_key(contents.certificates, name=name)
        return [store.add(with_chain(leaf, contents.certificates)[0])]
    key, certificate = rsa_pair(contents, name=name, now=now)
    return [
        store.add(
            certificate,
            key,
            exportable=protection.exportable,
            passphrase=protection.passphrase,
            passphrase_from=protection.passphrase_from,
        )
    ]


def rsa_pair(contents: Contents, *, name: str, now: dt.datetime) -> tuple[RSAPrivateKey, Certificate]:
    """Return the private key of *contents* and its certificate with the chain.

    :raises CertificateError: they do not belong together, or the key is not RSA.
    """
    found = pair(contents, name=name, now=now)
    if not isinstance(found.key, RSAPrivateKey):
        raise CertificateError(
            f"{name}: the key is of type {found.certificate.key_type}; Entra ID takes RSA.",
            code="not-rsa",
            remedy="Make a certificate with an RSA key: azcert new NAME",
            name=name,
        )
    return found.key, found.certificate


def _into_device(
    contents: Contents, store: DirectoryStore, device: str, *, name: str, now: dt.datetime
) -> Entry:
    uri = parse_source(device)
    if isinstance(uri, KeyVaultUri):
        raise ConfigurationError(
            f"The key in {name} is not uploaded to Key Vault: a store keeps keys here or in a device.",
            code="not-importable",
            remedy=f"Make one in the vault: azcert new NAME --key {uri}",
            source=str(uri),
        )
    if not isinstance(uri, Pkcs11Uri | TpmUri):
        raise ConfigurationError(
            f"{uri} is no device that keeps keys.",
            code="not-a-device",
            remedy="Write pkcs11:... or tpm:...",
        )
    require_library(uri)
    level = "pkcs11" if isinstance(uri, Pkcs11Uri) else "tpm"
    uri = _absolute(uri)
    if not contents.keys:
        # The key is in the device already: it shows to which certificate it belongs.
        place = find_key(uri)
        assert isinstance(place, SignerPlace), "tokens and TPMs sign whatever they are given"  # noqa: S101
        try:
            certificate = with_certificate(
                place.signer, contents.certificates, name=name, now=now
            ).certificate
        finally:
            place.close()
        return store.add_device(certificate, str(uri), protection=level)
    key, certificate = rsa_pair(contents, name=name, now=now)
    if isinstance(uri, TpmUri):
        from azcert.sources.key_places.tpm import take  # tpm2-pytss is an extra

        take(uri, key, certificate, password=None if uri.password is None else uri.password.read())
        return store.add_device(certificate, str(uri), protection=level)
    # A place of its own in the token: what is not said is taken from the certificate.
    label = certificate.subject if uri.object is None else uri.object
    uri = replace(uri, object=label, id=uri.id or bytes.fromhex(certificate.thumbprint))
    _import_pkcs11(uri, key, certificate)
    return store.add_device(certificate, str(uri), protection=level)


def _absolute(uri: Pkcs11Uri | TpmUri) -> Pkcs11Uri | TpmUri:
    """Return *uri* as the store may keep it: it will be read in another folder, and has the certificate."""
    if isinstance(uri, TpmUri):
        return replace(uri, path=_path(uri.path), password=_origin(uri.password), certificate=None)
    return replace(uri, module_path=_path(uri.module_path), pin=_origin(uri.pin), certificate=None)


def _path(path: str | None) -> str | None:
    return None if path is None else str(Path(path).absolute())


def _origin(origin: PassphraseFrom | None) -> PassphraseFrom | None:
    if origin is None or origin.kind is not PassphraseKind.FILE:
        return origin
    return PassphraseFrom(origin.kind, str(Path(origin.name).absolute()))


def _import_pkcs11(uri: Pkcs11Uri, key: RSAPrivateKey, certificate: Certificate) -> None:
    from azcert.sources.openers.pkcs11 import open_place, pin_giver  # python-pkcs11 is an extra

    token, query = open_place(uri)
    from azcert.keys.pkcs11.make import import_key, store_certificate

    pin = pin_giver(uri.pin.read() if uri.pin is not None else None)
    import_key(token, pin, query, key).close()
    store_certificate(token, pin, query, certificate.leaf, chain=certificate.chain)
