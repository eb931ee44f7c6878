"""A key made by Key Vault, which also writes the certificate or the request: its own, from a policy.

https://learn.microsoft.com/azure/key-vault/certificates/create-certificate: an issuer of ``Self`` gives a
self-signed certificate, ``Unknown`` a pending one whose request any authority may answer; merging the answer
ends it. The key is not exportable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding

from azcert.certificate.model import Certificate
from azcert.certificate.names import alternative_names, subject_name
from azcert.errors import CertificateError, ConfigurationError, SigningError
from azcert.keys.keyvault import explain

if TYPE_CHECKING:
    import datetime as dt

    from azure.core.credentials import TokenCredential
    from azure.keyvault.certificates import CertificateClient, CertificateOperation, CertificatePolicy

    from azcert.sources.key_places.signer_place import Wanted
    from azcert.sources.uris.keyvault import KeyVaultUri

__all__ = ["KeyVaultPlace", "find", "make"]

_DAYS_OF_A_MONTH = 30
_PATIENCE = 120
"""Seconds to wait for a certificate the vault signs itself; it takes some."""
_CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"


class KeyVaultPlace:
    """A certificate of a vault, by name.

    :param reuse: keeps the key of the newest version.
    """

    def __init__(
        self, uri: KeyVaultUri, client: CertificateClient, *, bits: int = 2048, reuse: bool = False
    ) -> None:
        self.source = str(uri)
        self._name = uri.certificate
        self._client = client
        self._bits = bits
        self._reuse = reuse

    @property
    def place(self) -> str:
        """Where the key is, for people."""
        return f"Key Vault certificate {self.source}"

    def public_key(self) -> RSAPublicKey:
        """Return the public half of the key whose request waits for an answer.

        :raises CertificateError: ``not-rsa``: the pending certificate is of another kind.
        :raises azcert.errors.AzcertError: nothing is pending, or the vault refused.
        """
        try:
            pending = self._client.get_certificate_operation(self._name)
        except AzureError as error:
            explain(error, "look for the pending request", self.source)
        key = self._csr(pending).public_key()
        if not isinstance(key, RSAPublicKey):
            raise CertificateError(
                f"The pending key of {self.source} is not RSA, which is what Entra ID takes.",
                code="not-rsa",
                remedy=f"Make one: azcert csr NAME --key {self.source}",
            )
        return key

    def self_signed(self, wanted: Wanted, *, now: dt.datetime) -> tuple[Certificate, str]:
        """Let the vault make key and certificate; its own clock decides on the beginning."""
        del now
        self._create(wanted, "Self")
        try:
            made = self._client.get_certificate(self._name)
        except AzureError as error:
            explain(error, "read the new certificate", self.source)
        return Certificate(x509.load_der_x509_certificate(bytes(made.cer or b""))), self.source

    def request(self, wanted: Wanted) -> x509.CertificateSigningRequest:
        """Let the vault make the key, and a request for its certificate."""
        return self._csr(self._create(wanted, "Unknown"))

    def put(self, certificate: Certificate) -> str:
        """Merge the authority's answer with the key that waits for it."""
        chain = [each.public_bytes(Encoding.DER) for each in (certificate.leaf, *certificate.chain)]
        try:
            self._client.merge_certificate(self._name, chain)
        except AzureError as error:
            explain(error, "merge the certificate", self.source)
        return self.source

    def close(self) -> None:
        """Close the connection to the vault."""
        self._client.close()

    def _create(self, wanted: Wanted, issuer: str) -> CertificateOperation | None:
        from azure.keyvault.certificates import CertificateOperation  # an extra

        policy = self._policy(wanted, issuer)
        try:
            made = self._client.begin_create_certificate(self._name, policy).result(_PATIENCE)
        except AzureError as error:
            explain(error, "make the certificate", self.source)
        return made if isinstance(made, CertificateOperation) else None

    def _policy(self, wanted: Wanted, issuer: str) -> CertificatePolicy:
        from azure.keyvault.certificates import CertificatePolicy, KeyUsageType  # an extra

        months = wanted.days // _DAYS_OF_A_MONTH
        if months < 1:
            raise ConfigurationError(
                f"Key Vault counts the validity in months; {wanted.days} days are less than one.",
                code="bad-validity",
                remedy="Take 30 days or more.",
            )
        names = alternative_names(wanted.alternative_names)
        hosts = [each.value for each in names if isinstance(each, x509.DNSName)]
        mails = [each.value for each in names if isinstance(each, x509.RFC822Name)]
        if len(hosts) + len(mails) < len(names):
            raise ConfigurationError(
                "Key Vault writes host names and mail addresses into a certificate, nothing else.",
                code="bad-alternative-name",
                remedy="Leave IP addresses and URIs away.",
            )
        return CertificatePolicy(
            issuer_name=issuer,
            subject=subject_name(wanted.subject).rfc4514_string(),
            san_dns_names=hosts or None,
            san_emails=mails or None,
            enhanced_key_usage=[_CLIENT_AUTH],
            key_usage=[KeyUsageType.digital_signature],
            validity_in_months=months,
            exportable=False,
            key_type="RSA",
            key_size=self._bits,
            reuse_key=self._reuse,
        )

    def _csr(self, operation: CertificateOperation | None) -> x509.CertificateSigningRequest:
        if operation is None or not operation.csr:
            raise SigningError(
                f"{self.source} has no request that waits for an answer.",
                code="vault-refused",
                remedy=f"Make one: azcert csr NAME --key {self.source}",
            )
        return x509.load_der_x509_csr(bytes(operation.csr))


def make(
    uri: KeyVaultUri,
    *,
    name: str,
    bits: int,
    password: object = None,
    credential: TokenCredential | None = None,
) -> KeyVaultPlace:
    """Return the place; the vault makes the key together with the certificate or request."""
    del name, password
    return KeyVaultPlace(uri, _client(uri, credential), bits=bits)


def find(
    uri: KeyVaultUri, *, password: object = None, credential: TokenCredential | None = None
) -> KeyVaultPlace:
    """Return the place, with the key that is in it."""
    del password
    return KeyVaultPlace(uri, _client(uri, credential), reuse=True)


def _client(uri: KeyVaultUri, credential: TokenCredential | None) -> CertificateClient:
    from azure.keyvault.certificates import CertificateClient  # an extra

    if credential is None:
        from azure.identity import DefaultAzureCredential  # only where none is handed in

        credential = DefaultAzureCredential()
    return CertificateClient(uri.vault_url, credential)
