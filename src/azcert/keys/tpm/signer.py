"""Sign with an RSA key that only its TPM can use."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from threading import Lock
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from tpm2_pytss import TSS2_Exception
from tpm2_pytss.constants import TPM2_ALG, TPM2_CAP, TPM2_PT, TPMA_OBJECT
from tpm2_pytss.types import TPM2B_DIGEST, TPMS_SCHEME_HASH, TPMT_SIG_SCHEME, TPMU_SIG_SCHEME

from azcert.certificate.proof import holds
from azcert.certificate.signer import Algorithm
from azcert.errors import AccessError, CertificateError, SelectionError, SigningError
from azcert.keys.tpm.errors import is_auth_failure

if TYPE_CHECKING:
    from tpm2_pytss import ESAPI
    from tpm2_pytss.types import TPMT_PUBLIC

    from azcert._redact import Secret
    from azcert.keys.tpm.connection import Connection
    from azcert.keys.tpm.key import FileKey, PersistentKey

__all__ = ["TpmSigner"]

_SCHEMES = {Algorithm.PS256: TPM2_ALG.RSAPSS, Algorithm.RS256: TPM2_ALG.RSASSA}
_PROBE = b"azcert: which signatures does this key make?"

# Passwords that a TPM refused to this process, by a mark they cannot be guessed from.
_MARK_KEY = secrets.token_bytes(32)
_refused: set[bytes] = set()


class TpmSigner:
    """The `Signer` of an RSA key in a TPM 2.0.

    :param auth: the key's password (authorization value); None where it has none.
    :raises CertificateError: the key is not an RSA key, or may not sign.
    """

    protection = "tpm"
    blocking = True

    def __init__(
        self, connection: Connection, key: FileKey | PersistentKey, *, auth: Secret | None = None
    ) -> None:
        self._connection = connection
        self._key = key
        self._auth = auth
        self._closed = False
        self._probing = Lock()
        self._algorithms: tuple[Algorithm, ...] | None = None
        area = connection.run(key.public, "read the public part", str(key))
        self._public_key = _public_key(area, str(key))
        self._counts_failures = not area.objectAttributes & TPMA_OBJECT.NODA
        scheme = area.parameters.rsaDetail.scheme.scheme
        # A key made for one scheme signs with no other.
        self._candidates = [item for item, name in _SCHEMES.items() if scheme in {TPM2_ALG.NULL, name}]

    @property
    def place(self) -> str:
        """The TPM and the key in it."""
        return f"{self._connection}, {self._key}"

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """What the TPM really does, found once by signing and looking at the signatures.

        ``TPM2_Sign`` cannot be told the salt's length: some TPMs take that of the hash, as PS256 demands,
        older ones the longest that fits. With those, RS256 is left.

        :raises SigningError: the TPM makes neither, or cannot be asked.
        """
        with self._probing:
            if self._algorithms is None:
                self._algorithms = self._probe()
            return self._algorithms

    def public_key(self) -> RSAPublicKey:
        """Return the public half."""
        return self._public_key

    def sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        """Return the signature over *data*, verified before it is handed out.

        :raises SigningError: the TPM did not sign, or not with this algorithm.
        :raises AccessError: the password is wrong, or the TPM is locked.
        """
        if algorithm not in self.algorithms:
            raise SigningError(
                f"{self.place} does not sign with {algorithm}, only with {', '.join(self.algorithms)}.",
                code="algorithm-not-supported",
                algorithm=str(algorithm),
            )
        signature = self._sign(data, algorithm)
        if not holds(self._public_key, data, signature, algorithm):
            raise SigningError(
                f"{self.place} returned a signature that its public key does not confirm.",
                code="bad-signature",
                remedy="The TPM or the line to it is faulty: test it with `azcert sign-test`.",
                algorithm=str(algorithm),
            )
        return signature

    def close(self) -> None:
        """Sign no more; nothing is kept in the TPM."""
        self._closed = True

    def __repr__(self) -> str:
        return f"<TpmSigner {self.place}>"

    def _probe(self) -> tuple[Algorithm, ...]:
        found = []
        seen = []
        for algorithm in self._candidates:
            try:
                signature = self._sign(_PROBE, algorithm)
            except SigningError as error:
                if error.code != "tpm-failed":
                    raise
                seen.append(f"{algorithm}: {error.message}")
                continue
            if holds(self._public_key, _PROBE, signature, algorithm):
                found.append(algorithm)
            else:
                seen.append(f"{algorithm}: another salt length than 32, or another key")
        if not found:
            raise SigningError(
                f"{self.place} makes neither PS256 nor RS256 signatures: "
                f"{'; '.join(seen) or 'its scheme is neither RSAPSS nor RSASSA'}.",
                code="no-algorithm",
                remedy="Make a key without a fixed scheme: azcert new --key tpm:KEYFILE",
            )
        return tuple(found)

    def _sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        if self._closed:
            raise SigningError(f"The signer of {self.place} is closed.", code="closed")
        digest = hashlib.sha256(data).digest()
        scheme = TPMT_SIG_SCHEME(
            scheme=_SCHEMES[algorithm],
            details=TPMU_SIG_SCHEME(any=TPMS_SCHEME_HASH(hashAlg=TPM2_ALG.SHA256)),
        )

        def work(esapi: ESAPI) -> bytes:
            self._spare_the_last_try(esapi)
            with self._key.loaded(esapi, self._auth) as handle:
                try:
                    return bytes(esapi.sign(handle, TPM2B_DIGEST(digest), scheme))
                except TSS2_Exception as error:
                    if is_auth_failure(error):
                        _refused.add(self._mark())
                    raise

        try:
            return self._connection.run(work, "sign", str(self._key))
        except SelectionError as error:
            raise SigningError(
                error.message, code=error.code, remedy=error.remedy, **error.details
            ) from error

    def _spare_the_last_try(self, esapi: ESAPI) -> None:
        """Refuse a password that was wrong before, and any password when one more failure locks the TPM."""
        if self._auth is None and not self._counts_failures:
            return
        if self._mark() in _refused:
            raise AccessError(
                f"The TPM refused this password of {self._key} before; it was not tried again.",
                code="wrong-password",
                remedy="Correct the password; wrong ones bring the TPM closer to being locked for everyone.",
                key=str(self._key),
            )
        if not self._counts_failures or self._algorithms is not None:
            return
        failures, allowed = (
            _property(esapi, wanted) for wanted in (TPM2_PT.LOCKOUT_COUNTER, TPM2_PT.MAX_AUTH_FAIL)
        )
        if failures is not None and allowed is not None and failures + 1 >= allowed:
            raise AccessError(
                f"One more wrong password locks the TPM ({failures} of {allowed} failures), so azcert does "
                f"not try that of {self._key}.",
                code="tpm-nearly-locked",
                remedy="Wait until the count has gone down, or run tpm2_dictionarylockout --clear-lockout.",
                key=str(self._key),
            )

    def _mark(self) -> bytes:
        text = self._auth.reveal_bytes() if self._auth else b""
        return hmac.digest(_MARK_KEY, str(self._key).encode() + b"\0" + text, hashlib.sha256)


def _property(esapi: ESAPI, wanted: TPM2_PT) -> int | None:
    _, data = esapi.get_capability(TPM2_CAP.TPM_PROPERTIES, wanted, 1)
    found = data.data.tpmProperties
    if found.count and found.tpmProperty[0].property == wanted:
        return int(found.tpmProperty[0].value)
    return None


def _public_key(area: TPMT_PUBLIC, key: str) -> RSAPublicKey:
    public = load_pem_public_key(area.to_pem()) if area.type in {TPM2_ALG.RSA, TPM2_ALG.ECC} else None
    if not isinstance(public, RSAPublicKey):
        raise CertificateError(
            f"The {key} is not an RSA key; Entra ID takes no other.",
            code="not-rsa",
            remedy="Make an RSA key.",
        )
    attributes = area.objectAttributes
    if not attributes & TPMA_OBJECT.SIGN_ENCRYPT or attributes & TPMA_OBJECT.RESTRICTED:
        raise CertificateError(
            f"The {key} may not sign what comes from outside the TPM "
            "(it lacks the attribute sign, or is restricted).",
            code="key-not-for-signing",
            remedy="Make a key with the attribute sign and without restricted.",
        )
    return public
