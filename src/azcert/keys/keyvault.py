"""Keys in Azure Key Vault that sign there (extra ``azcert[keyvault]``).

https://learn.microsoft.com/rest/api/keyvault/keys/sign/sign: the vault is sent a digest; its PS256 takes a
salt as long as the hash, which is what RFC 7518, 3.5 demands.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, NoReturn

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from azcert.certificate.proof import holds
from azcert.certificate.signer import Algorithm
from azcert.errors import AccessError, AzcertError, SelectionError, SigningError, TransportError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential
    from azure.keyvault.keys.crypto import CryptographyClient
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

__all__ = ["KeyVaultSigner", "explain"]

_FORBIDDEN, _NOT_FOUND = 403, 404


class KeyVaultSigner:
    """The `Signer` of one version of a Key Vault key.

    :param key_id: the key's identifier with its version (``https://VAULT.vault.azure.net/keys/NAME/VERSION``).
    :param public_key: the certificate's.
    :param credential: signs in to the vault: a managed identity, say, or another certificate.
    """

    protection = "keyvault"
    blocking = True
    algorithms = (Algorithm.PS256, Algorithm.RS256)

    def __init__(self, key_id: str, public_key: RSAPublicKey, credential: TokenCredential) -> None:
        from azure.keyvault.keys.crypto import CryptographyClient  # an extra

        self._key_id = key_id
        self._public_key = public_key
        self._client: CryptographyClient | None = CryptographyClient(key_id, credential)

    @property
    def place(self) -> str:
        """The key's identifier."""
        return f"Key Vault key {self._key_id}"

    def public_key(self) -> RSAPublicKey:
        """Return the public half."""
        return self._public_key

    def sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        """Return the verified signature over *data*, of which only the digest travels.

        :raises SigningError: the vault did not sign.
        :raises AccessError: the credential may not.
        :raises TransportError: the vault could not be reached.
        """
        from azure.keyvault.keys.crypto import SignatureAlgorithm  # an extra

        if self._client is None:
            raise SigningError(f"The signer of {self.place} is closed.", code="closed")
        digest = hashlib.sha256(data).digest()
        try:
            signature = self._client.sign(SignatureAlgorithm(str(algorithm)), digest).signature
        except AzureError as error:
            explain(error, "sign", self.place)
        if not holds(self._public_key, data, signature, algorithm):
            raise SigningError(
                f"{self.place} returned a signature that the certificate does not confirm.",
                code="bad-signature",
                algorithm=str(algorithm),
            )
        return signature

    def close(self) -> None:
        """Close the connections to the vault."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def __repr__(self) -> str:
        return f"<KeyVaultSigner {self._key_id}>"


def explain(error: AzureError, what: str, thing: str) -> NoReturn:
    """Raise azcert's error for the vault's refusal.

    :raises AccessError: ``vault-sign-in`` (no token for the vault), ``vault-forbidden`` (no role).
    :raises SelectionError: ``not-found``.
    :raises SigningError: ``vault-refused``.
    :raises TransportError: ``no-answer``: the vault was not reached.
    """
    if isinstance(error, AzcertError):
        raise error
    if isinstance(error, ClientAuthenticationError):
        raise AccessError(
            f"Could not {what} with {thing}: signing in to the vault failed: {error.message}",
            code="vault-sign-in",
            remedy="The vault is opened by another identity than the certificate in it: a managed identity, "
            "az login, or the credential handed to azcert.",
            place=thing,
        ) from error
    if not isinstance(error, HttpResponseError) or error.status_code is None:
        raise TransportError(
            f"Could not {what} with {thing}: the vault did not answer: {error}",
            code="no-answer",
            remedy="Check the vault's name, its firewall and private endpoint, and HTTPS_PROXY.",
            retryable=True,
            place=thing,
        ) from error
    details: dict[str, Any] = {"place": thing, "status": error.status_code}
    if error.status_code == _FORBIDDEN:
        raise AccessError(
            f"Could not {what} with {thing}: the identity that opens the vault may not: {error.message}",
            code="vault-forbidden",
            remedy="Give it the roles 'Key Vault Certificate User' and 'Key Vault Crypto User' (az role "
            "assignment create); a disabled or expired version is refused as well.",
            **details,
        ) from error
    if error.status_code == _NOT_FOUND:
        raise SelectionError(
            f"Could not {what}: {thing} is not there: {error.message}",
            code="not-found",
            remedy="See what is: az keyvault certificate list --vault-name VAULT",
            **details,
        ) from error
    raise SigningError(
        f"Could not {what} with {thing}: the vault answered {error.status_code}: {error.message}",
        code="vault-refused",
        **details,
    ) from error
