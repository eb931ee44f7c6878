"""A certificate of Azure Key Vault: its key signs in the vault, or is downloaded where that was asked for."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import time
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from azcert.certificate import formats
from azcert.certificate.fitness import require_fit
from azcert.certificate.model import Certificate
from azcert.certificate.signer import SigningCertificate
from azcert.errors import AzcertError, CertificateError, SelectionError
from azcert.keys.keyvault import KeyVaultSigner, explain
from azcert.sources.openers.data import signing_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from azure.core.credentials import TokenCredential
    from azure.keyvault.certificates import CertificateClient, CertificateProperties

    from azcert._redact import Secret
    from azcert.sources.uris.uri import KeyVaultUri

__all__ = ["KeyVaultSource", "open"]

_LOOK_AGAIN = 300.0
"""Seconds between two looks for a newer version: each one is a request to the vault."""
_PKCS12 = "application/x-pkcs12"


class KeyVaultSource:
    """The newest enabled version of a certificate that is valid now, or one version of it.

    :param credential: signs in to the vault; without it, azure-identity's ``DefaultAzureCredential``.
    :param now: the clock; the current UTC time without it.
    :param monotonic: seconds of a clock that never goes back.
    """

    blocking = True

    def __init__(
        self,
        uri: KeyVaultUri,
        *,
        credential: TokenCredential | None = None,
        now: Callable[[], dt.datetime] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = str(uri)
        self._uri = uri
        self._given = credential
        self._now = now or _utc_now
        self._monotonic = monotonic
        self._own: TokenCredential | None = None
        self._client: CertificateClient | None = None
        self._revision: Hashable = None
        self._look_again_at = float("-inf")

    def revision(self) -> Hashable:
        """Return what changes with the certificate's versions; looked up at most every five minutes."""
        if self._monotonic() < self._look_again_at:
            return self._revision
        try:
            self._revision = frozenset((each.version, each.enabled) for each in self._versions())
        except AzcertError as error:
            self._revision = error.code
        self._look_again_at = self._monotonic() + _LOOK_AGAIN
        return self._revision

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        """Return the certificate with its signer (`azcert.sources.source.Source.load`).

        :raises AccessError: the vault cannot be signed in to, or the identity lacks a role.
        :raises SelectionError: no such certificate or version, or none that is enabled.
        :raises TransportError: the vault could not be reached.
        """
        version = self._uri.version or self._newest(skip)
        try:
            found = self._open().get_certificate_version(self._uri.certificate, version)
        except AzureError as error:
            explain(error, "read the certificate", self.name)
        if self._uri.download:
            return self._download(version, skip)
        certificate = Certificate(x509.load_der_x509_certificate(bytes(found.cer or b"")))
        require_fit(certificate, now=self._now(), name=self.name)
        public_key = certificate.leaf.public_key()
        if not isinstance(public_key, RSAPublicKey) or found.key_id is None:
            raise CertificateError(
                f"{self.name} has no key in the vault.",
                code="no-private-key",
                thumbprint=certificate.thumbprint,
            )
        return SigningCertificate(certificate, KeyVaultSigner(found.key_id, public_key, self._credential()))

    def close(self) -> None:
        """Close the connections to the vault."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def __repr__(self) -> str:
        return f"<KeyVaultSource {self.name}>"

    def _credential(self) -> TokenCredential:
        if self._given is not None:
            return self._given
        if self._own is None:
            from azure.identity import DefaultAzureCredential  # only where none is handed in

            self._own = DefaultAzureCredential()
        return self._own

    def _open(self) -> CertificateClient:
        if self._client is None:
            from azure.keyvault.certificates import CertificateClient  # an extra

            self._client = CertificateClient(self._uri.vault_url, self._credential())
        return self._client

    def _versions(self) -> list[CertificateProperties]:
        try:
            return list(self._open().list_properties_of_certificate_versions(self._uri.certificate))
        except AzureError as error:
            explain(error, "list the versions", self.name)

    def _newest(self, skip: frozenset[str]) -> str:
        """Return the newest enabled version, one that is valid now first."""
        versions = self._versions()
        usable = [
            each for each in versions if each.enabled and each.version and _thumbprint(each) not in skip
        ]
        if not usable:
            found = ", ".join(
                f"{each.version} ({'' if each.enabled else 'not '}enabled)" for each in versions
            )
            raise SelectionError(
                f"{self.name} has no enabled version{' besides those rejected' if skip else ''}; "
                f"versions: {found or 'none'}.",
                code="not-found",
                remedy="See them: az keyvault certificate list-versions --vault-name VAULT --name NAME",
                source=self.name,
            )
        now = self._now()
        best = max(usable, key=lambda each: (_is_valid(each, now), each.created_on or now))
        return str(best.version)

    def _download(self, version: str, skip: frozenset[str]) -> SigningCertificate:
        from azure.keyvault.secrets import SecretClient  # only for a download

        try:
            with SecretClient(self._uri.vault_url, self._credential()) as client:
                secret = client.get_secret(self._uri.certificate, version)
        except AzureError as error:
            explain(error, "download the key", self.name)
        contents = formats.load(_bytes_of(secret.value or "", secret.properties.content_type), name=self.name)
        if not contents.keys:
            raise CertificateError(
                f"The key of {self.name} is not exportable: it cannot be downloaded.",
                code="key-not-exportable",
                remedy="Leave out download=true: then the vault signs.",
                source=self.name,
            )
        return signing_certificate(
            contents,
            name=self.name,
            place=f"memory, downloaded from {secret.id}",
            protection="memory",
            skip=skip,
            now=self._now(),
        )


def open(  # noqa: A001 - the name every opener has (azcert.sources.open)
    uri: KeyVaultUri, *, password: Secret | None = None, credential: TokenCredential | None = None
) -> KeyVaultSource:
    """Return the source of a ``keyvault:`` URI."""
    del password
    return KeyVaultSource(uri, credential=credential)


def _thumbprint(properties: CertificateProperties) -> str:
    return bytes(properties.x509_thumbprint or b"").hex().upper()


def _is_valid(properties: CertificateProperties, now: dt.datetime) -> bool:
    begin, end = properties.not_before, properties.expires_on
    return (begin is None or begin <= now) and (end is None or now <= end)


def _bytes_of(value: str, content_type: str | None) -> bytes:
    if content_type != _PKCS12:
        return value.encode()
    try:
        return base64.b64decode(value)
    except binascii.Error:
        return value.encode()


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
