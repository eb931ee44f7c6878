"""Load one private key, plain or encrypted, and say exactly why not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InternalError, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from azcert.certificate import pkcs12, work_factor
from azcert.errors import CertificateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from azcert._redact import Secret

__all__ = [
    "REFUSALS",
    "damaged",
    "load_encrypted",
    "load_legacy",
    "load_plain",
    "password_missing",
    "refuse_costly",
    "unsupported_encryption",
    "wrong_password",
]
REFUSALS = (ValueError, TypeError, InternalError)
"""How ``cryptography`` says that it cannot read something; InternalError for impossible scrypt parameters."""


def load_plain(data: bytes, name: str) -> PrivateKeyTypes:
    """Return the key of PKCS#8, PKCS#1 or SEC 1 bytes.

    :raises CertificateError: ``damaged`` or ``unsupported-key``.
    """
    try:
        return _consistent(load_der_private_key(data, None, unsafe_skip_rsa_key_validation=True), name)
    except UnsupportedAlgorithm as error:
        raise CertificateError(
            f"{name} holds a private key of a kind that is not supported ({error}).",
            code="unsupported-key",
            remedy="Entra ID takes RSA keys: make one with azcert new.",
            name=name,
        ) from error
    except REFUSALS as error:
        raise damaged(name, "its private key cannot be parsed") from error


def load_encrypted(data: bytes, password: Secret | None, name: str) -> PrivateKeyTypes:
    """Return the key of encrypted PKCS#8 bytes.

    :raises CertificateError: ``password-missing``, ``wrong-password``, ``unsupported-encryption``,
        ``work-factor`` or ``damaged``.
    """
    cipher = pkcs12.ciphers(data)
    what = f"PKCS#8, {cipher}" if cipher else "PKCS#8"
    refuse_costly(data, name)
    if password is None:
        raise password_missing(name, what)
    try:
        key = load_der_private_key(data, password.reveal_bytes(), unsafe_skip_rsa_key_validation=True)
    except UnsupportedAlgorithm as error:
        raise unsupported_encryption(name, cipher, error) from error
    except REFUSALS as error:
        raise wrong_password(name, what) from error
    return _consistent(key, name)


def load_legacy(pem: bytes, cipher: str, password: Secret | None, name: str) -> PrivateKeyTypes:
    """Return the key of a PEM block in OpenSSL's own encryption (RFC 1421 headers).

    :raises CertificateError: ``password-missing``, ``wrong-password`` or ``unsupported-encryption``.
    """
    if password is None:
        raise password_missing(name, f"OpenSSL, {cipher}")
    try:
        key = load_pem_private_key(pem, password.reveal_bytes(), unsafe_skip_rsa_key_validation=True)
    except UnsupportedAlgorithm as error:
        raise unsupported_encryption(name, cipher, error) from error
    except REFUSALS as error:
        raise wrong_password(name, f"OpenSSL, {cipher}") from error
    return _consistent(key, name)


def _consistent(key: PrivateKeyTypes, name: str) -> PrivateKeyTypes:
    """Return *key* if its numbers belong together (RFC 8017, 3.2).

    OpenSSL's own validation also tests whether the factors are prime, which takes 45 ms for a key of 2048
    bits, more than all the rest of a sign-in together, and answers a question nobody asks about their own
    key. A flipped bit, whose signatures would give the key away, is found here as well, in microseconds.
    """
    if not isinstance(key, rsa.RSAPrivateKey):
        return key
    try:
        private = key.private_numbers()
        public, p, q, d = private.public_numbers, private.p, private.q, private.d
        fits = (
            min(p, q) > 1
            and p * q == public.n
            and (d * public.e - 1) % (p - 1) == 0
            and (d * public.e - 1) % (q - 1) == 0
            and private.dmp1 == d % (p - 1)
            and private.dmq1 == d % (q - 1)
            and private.iqmp * q % p == 1
        )
    except ValueError as error:
        raise damaged(name, "its private key cannot be parsed") from error
    if not fits:
        raise damaged(name, "the numbers of its RSA private key do not belong together")
    return key


def refuse_costly(data: bytes, name: str) -> None:
    """Refuse a work factor that would keep this process busy for minutes.

    :raises CertificateError: ``work-factor``.
    """
    cost = work_factor.costly(data)
    if cost:
        raise CertificateError(
            f"{name} asks for an unreasonable amount of work to derive its key: {cost}.",
            code="work-factor",
            remedy="Make the file again; 600,000 rounds are usual today.",
            name=name,
        )


def damaged(name: str, what: str) -> CertificateError:
    """Return the error for a whole file whose content makes no sense."""
    return CertificateError(
        f"{name} is damaged: {what}.", code="damaged", remedy="Get it again from where it came.", name=name
    )


def password_missing(name: str, what: str) -> CertificateError:
    """Return the error for an encrypted file and no password."""
    return CertificateError(
        f"{name} is encrypted ({what}) and no password was given.",
        code="password-missing",
        remedy="Give its password: --password-file PATH or --password-env NAME on the command line,"
        " password= in code.",
        name=name,
    )


def wrong_password(name: str, what: str) -> CertificateError:
    """Return the error for a password that does not open the file."""
    return CertificateError(
        f"The password given does not open {name} ({what}).",
        code="wrong-password",
        remedy="Check for a line break or quotes that came along with it. A damaged file looks the same.",
        name=name,
    )


def unsupported_encryption(name: str, cipher: str, error: UnsupportedAlgorithm) -> CertificateError:
    """Return the error for a cipher that this machine's OpenSSL lacks."""
    return CertificateError(
        f"{name} is encrypted with {cipher or 'a cipher'} that is not supported here ({error}).",
        code="unsupported-encryption",
        remedy="Export it again with AES-256, or convert it on a machine whose OpenSSL reads it:"
        " openssl pkcs12 -legacy -in FILE -out FILE.pem",
        name=name,
    )
