"""Certificates and keys of Windows: CryptoAPI finds the certificate, CNG signs with the key where it is.

Not run on Windows yet: the tests drive this code on Linux through a double of the two libraries. Every
structure, function and number is named as in the Windows SDK; its pages are below
https://learn.microsoft.com/windows/win32/api/ in wincrypt, ncrypt and bcrypt.
"""

from __future__ import annotations

import ctypes
import hashlib
from ctypes import POINTER, Structure, byref, c_int, c_uint32, c_void_p, c_wchar_p, cast, create_string_buffer
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Self

from azcert.certificate.proof import SALT, holds
from azcert.certificate.signer import Algorithm
from azcert.errors import AccessError, AzcertError, ConfigurationError, SelectionError, SigningError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

__all__ = ["CngSigner", "FoundCertificate", "SystemStore", "Windows", "load_windows"]

# wincrypt.h: CertOpenStore
CERT_STORE_PROV_SYSTEM_W = 10
CERT_SYSTEM_STORE_CURRENT_USER = 0x00010000
CERT_SYSTEM_STORE_LOCAL_MACHINE = 0x00020000
CERT_STORE_READONLY_FLAG = 0x00008000
CERT_STORE_OPEN_EXISTING_FLAG = 0x00004000
# wincrypt.h: CertFindCertificateInStore, CertGetCertificateContextProperty
X509_ASN_ENCODING_PKCS_7_ASN_ENCODING = 0x00010001
CERT_FIND_SHA1_HASH = 0x00010000
CERT_KEY_PROV_INFO_PROP_ID = 2
CERT_NCRYPT_KEY_HANDLE_PROP_ID = 78
# wincrypt.h: CryptAcquireCertificatePrivateKey
CRYPT_ACQUIRE_COMPARE_KEY_FLAG = 0x00000004
CRYPT_ACQUIRE_SILENT_FLAG = 0x00000040
CRYPT_ACQUIRE_ONLY_NCRYPT_KEY_FLAG = 0x00040000
# bcrypt.h, ncrypt.h: NCryptSignHash
BCRYPT_PAD_PKCS1 = 0x00000002
BCRYPT_PAD_PSS = 0x00000008
NCRYPT_SILENT_FLAG = 0x00000040
BCRYPT_SHA256_ALGORITHM = "SHA256"
# winerror.h
ERROR_SUCCESS = 0
ERROR_FILE_NOT_FOUND = 2
ERROR_ACCESS_DENIED = 5
E_ACCESSDENIED = 0x80070005
CRYPT_E_NOT_FOUND = 0x80092004
CRYPT_E_NO_KEY_PROPERTY = 0x8009200B
NTE_PERM = 0x80090010
NTE_BAD_PUBLIC_KEY = 0x80090015
NTE_BAD_KEYSET = 0x80090016
NTE_SILENT_CONTEXT = 0x80090022
SCARD_W_WRONG_CHV = 0x8010006B
SCARD_W_CHV_BLOCKED = 0x8010006C

_PROBE = b"azcert: which signatures does this key make?"
_LOCATIONS = {
    "CurrentUser": CERT_SYSTEM_STORE_CURRENT_USER,
    "LocalMachine": CERT_SYSTEM_STORE_LOCAL_MACHINE,
}


class CertContext(Structure):
    """CERT_CONTEXT (wincrypt.h)."""

    _fields_ = (
        ("dwCertEncodingType", c_uint32),
        ("pbCertEncoded", c_void_p),
        ("cbCertEncoded", c_uint32),
        ("pCertInfo", c_void_p),
        ("hCertStore", c_void_p),
    )


class CryptHashBlob(Structure):
    """CRYPT_HASH_BLOB (wincrypt.h)."""

    _fields_ = (("cbData", c_uint32), ("pbData", c_void_p))


class BcryptPssPaddingInfo(Structure):
    """BCRYPT_PSS_PADDING_INFO (bcrypt.h)."""

    _fields_ = (("pszAlgId", c_wchar_p), ("cbSalt", c_uint32))


class BcryptPkcs1PaddingInfo(Structure):
    """BCRYPT_PKCS1_PADDING_INFO (bcrypt.h)."""

    _fields_ = (("pszAlgId", c_wchar_p),)


@dataclass(frozen=True)
class Windows:
    """The two libraries, and GetLastError; a test fills in doubles."""

    crypt32: Any
    ncrypt: Any
    last_error: Callable[[], int]


# Function -> (result, arguments), as declared in wincrypt.h and ncrypt.h. BOOL is int; HCERTSTORE,
# PCCERT_CONTEXT and NCRYPT_KEY_HANDLE are pointers; SECURITY_STATUS is read as an unsigned number.
_CRYPT32 = {
    "CertOpenStore": (c_void_p, (c_void_p, c_uint32, c_void_p, c_uint32, c_wchar_p)),
    "CertCloseStore": (c_int, (c_void_p, c_uint32)),
    "CertEnumCertificatesInStore": (POINTER(CertContext), (c_void_p, POINTER(CertContext))),
    "CertFindCertificateInStore": (
        POINTER(CertContext),
        (c_void_p, c_uint32, c_uint32, c_uint32, c_void_p, POINTER(CertContext)),
    ),
    "CertFreeCertificateContext": (c_int, (POINTER(CertContext),)),
    "CertDeleteCertificateFromStore": (c_int, (POINTER(CertContext),)),
    "CertGetCertificateContextProperty": (
        c_int,
        (POINTER(CertContext), c_uint32, c_void_p, POINTER(c_uint32)),
    ),
    "CryptAcquireCertificatePrivateKey": (
        c_int,
        (POINTER(CertContext), c_uint32, c_void_p, POINTER(c_void_p), POINTER(c_uint32), POINTER(c_int)),
    ),
}
_NCRYPT = {
    "NCryptSignHash": (
        c_uint32,
        (c_void_p, c_void_p, c_void_p, c_uint32, c_void_p, c_uint32, POINTER(c_uint32), c_uint32),
    ),
    "NCryptFreeObject": (c_uint32, (c_void_p,)),
}


def load_windows() -> Windows:
    """Return the libraries of this Windows, their functions declared.

    :raises ConfigurationError: this is not Windows.
    """
    if not hasattr(ctypes, "WinDLL"):
        raise ConfigurationError(
            "The certificate stores of Windows exist on Windows only.",
            code="not-windows",
            remedy="Use azcert's own store (store:) here.",
        )
    loader: Any = ctypes
    crypt32 = loader.WinDLL("crypt32", use_last_error=True)
    ncrypt = loader.WinDLL("ncrypt", use_last_error=True)
    for library, functions in ((crypt32, _CRYPT32), (ncrypt, _NCRYPT)):
        for name, (result, arguments) in functions.items():
            function = getattr(library, name)
            function.restype = result
            function.argtypes = arguments
    return Windows(crypt32, ncrypt, lambda: int(loader.get_last_error()) & 0xFFFFFFFF)


@dataclass(frozen=True)
class FoundCertificate:
    """A certificate as the store holds it."""

    der: bytes
    has_key: bool


class SystemStore:
    """An open system store; to be used in a ``with`` statement.

    :param location: ``CurrentUser`` or ``LocalMachine``.
    :param name: ``My``, ``Root``, ...
    :raises AccessError: this user may not open it.
    :raises SelectionError: there is none of that name.
    """

    def __init__(self, windows: Windows, location: str, name: str, *, write: bool = False) -> None:
        self._windows = windows
        self._name = f"{location}/{name}"
        flags = _LOCATIONS[location] | CERT_STORE_OPEN_EXISTING_FLAG
        self._handle = windows.crypt32.CertOpenStore(
            CERT_STORE_PROV_SYSTEM_W, 0, None, flags | (0 if write else CERT_STORE_READONLY_FLAG), name
        )
        if not self._handle:
            raise _explain(windows.last_error(), "open the certificate store", self._name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._windows.crypt32.CertCloseStore(self._handle, 0)

    def certificates(self) -> Iterator[FoundCertificate]:
        """Yield every certificate."""
        crypt32 = self._windows.crypt32
        context = None
        # Each call frees the context it is given: nothing is left to free at the end.
        while context := crypt32.CertEnumCertificatesInStore(self._handle, context):
            yield FoundCertificate(_der_of(context), self._has_key(context))

    def find(self, sha1: bytes) -> FoundCertificate | None:
        """Return the certificate with that SHA-1 thumbprint, without reading the others."""
        try:
            context = self._find(sha1)
        except SelectionError:
            return None
        try:
            return FoundCertificate(_der_of(context), self._has_key(context))
        finally:
            self._windows.crypt32.CertFreeCertificateContext(context)

    def acquire(self, sha1: bytes) -> tuple[int, bool]:
        """Return the CNG handle of a certificate's key, and whether the caller is to free it.

        CRYPT_ACQUIRE_COMPARE_KEY_FLAG lets Windows compare the key with the certificate.

        :raises AzcertError: no such certificate, no key, another key, or no permission.
        """
        context = self._find(sha1)
        try:
            handle, spec, must_free = c_void_p(), c_uint32(), c_int()
            flags = (
                CRYPT_ACQUIRE_ONLY_NCRYPT_KEY_FLAG
                | CRYPT_ACQUIRE_SILENT_FLAG
                | CRYPT_ACQUIRE_COMPARE_KEY_FLAG
            )
            if not self._windows.crypt32.CryptAcquireCertificatePrivateKey(
                context, flags, None, byref(handle), byref(spec), byref(must_free)
            ):
                raise _explain(self._windows.last_error(), "open the key", self._described(sha1))
            return handle.value or 0, bool(must_free.value)
        finally:
            self._windows.crypt32.CertFreeCertificateContext(context)

    def delete(self, sha1: bytes) -> None:
        """Remove a certificate; its key container stays. What is already gone is no error.

        :raises AccessError: this user may not.
        """
        try:
            context = self._find(sha1)
        except SelectionError:
            return
        # It frees the context, whether it succeeds or not.
        if not self._windows.crypt32.CertDeleteCertificateFromStore(context):
            raise _explain(self._windows.last_error(), "remove the certificate", self._described(sha1))

    def _find(self, sha1: bytes) -> Any:
        buffer = create_string_buffer(sha1, len(sha1))
        blob = CryptHashBlob(len(sha1), cast(buffer, c_void_p))
        context = self._windows.crypt32.CertFindCertificateInStore(
            self._handle, X509_ASN_ENCODING_PKCS_7_ASN_ENCODING, 0, CERT_FIND_SHA1_HASH, byref(blob), None
        )
        if not context:
            raise _explain(self._windows.last_error(), "find the certificate", self._described(sha1))
        return context

    def _has_key(self, context: Any) -> bool:
        size = c_uint32()
        return any(
            self._windows.crypt32.CertGetCertificateContextProperty(context, wanted, None, byref(size))
            for wanted in (CERT_KEY_PROV_INFO_PROP_ID, CERT_NCRYPT_KEY_HANDLE_PROP_ID)
        )

    def _described(self, sha1: bytes) -> str:
        return f"{self._name}/{sha1.hex().upper()}"


class CngSigner:
    """The `Signer` of a certificate's CNG key, exportable or not.

    :param thumbprint: SHA-1 in hex.
    :raises AzcertError: the key cannot be opened.
    """

    protection = "cng"
    blocking = True

    def __init__(
        self, windows: Windows, location: str, name: str, thumbprint: str, public_key: RSAPublicKey
    ) -> None:
        self._windows = windows
        self._public_key = public_key
        self.place = f"Windows store {location}/{name}, key of {thumbprint}"
        self._algorithms: tuple[Algorithm, ...] | None = None
        self._lock = Lock()
        with SystemStore(windows, location, name) as store:
            handle, self._must_free = store.acquire(bytes.fromhex(thumbprint))
        self._handle: int | None = handle

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        """What the key really does, found once by signing: some TPMs make no PSS with a salt of 32 bytes.

        :raises SigningError: it makes neither PS256 nor RS256 signatures.
        """
        with self._lock:
            if self._algorithms is None:
                self._algorithms = self._probe()
            return self._algorithms

    def public_key(self) -> RSAPublicKey:
        """Return the public half."""
        return self._public_key

    def sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        """Return the signature over *data*, verified before it is handed out.

        :raises SigningError: Windows did not sign.
        :raises AccessError: this user may not use the key, or it wants a PIN.
        """
        signature = self._sign(data, algorithm)
        if not holds(self._public_key, data, signature, algorithm):
            raise SigningError(
                f"{self.place} returned a signature that the certificate does not confirm.",
                code="bad-signature",
                algorithm=str(algorithm),
            )
        return signature

    def close(self) -> None:
        """Free the key's handle."""
        with self._lock:
            handle, self._handle = self._handle, None
        if handle is not None and self._must_free:
            self._windows.ncrypt.NCryptFreeObject(handle)

    def __repr__(self) -> str:
        return f"<CngSigner {self.place}>"

    def _probe(self) -> tuple[Algorithm, ...]:
        found, seen = [], []
        for algorithm in Algorithm:
            try:
                if holds(self._public_key, _PROBE, self._sign(_PROBE, algorithm), algorithm):
                    found.append(algorithm)
                else:
                    seen.append(f"{algorithm}: the certificate does not confirm the signature")
            except SigningError as error:
                if error.code == "closed":
                    raise
                seen.append(f"{algorithm}: {error.message}")
        if not found:
            raise SigningError(
                f"{self.place} makes neither PS256 nor RS256 signatures: {'; '.join(seen)}.",
                code="no-algorithm",
            )
        return tuple(found)

    def _sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        handle = self._handle
        if handle is None:
            raise SigningError(f"The signer of {self.place} is closed.", code="closed")
        digest = hashlib.sha256(data).digest()
        padding: Structure
        if algorithm is Algorithm.PS256:
            padding, flag = BcryptPssPaddingInfo(BCRYPT_SHA256_ALGORITHM, SALT), BCRYPT_PAD_PSS
        else:
            padding, flag = BcryptPkcs1PaddingInfo(BCRYPT_SHA256_ALGORITHM), BCRYPT_PAD_PKCS1
        size = c_uint32()
        # First for the size, then for the signature.
        for buffer in (None, create_string_buffer((self._public_key.key_size + 7) // 8)):
            status = self._windows.ncrypt.NCryptSignHash(
                *(handle, byref(padding), digest, len(digest), buffer),
                *(0 if buffer is None else len(buffer), byref(size), flag | NCRYPT_SILENT_FLAG),
            )
            if status & 0xFFFFFFFF != ERROR_SUCCESS:
                raise _explain(status & 0xFFFFFFFF, f"sign with {algorithm}", self.place)
            signature = b"" if buffer is None else buffer.raw[: size.value]
        return signature


def _der_of(context: Any) -> bytes:
    found: CertContext = context.contents
    return ctypes.string_at(found.pbCertEncoded, found.cbCertEncoded)


def _explain(status: int, what: str, thing: str) -> AzcertError:
    said = f"Windows answered 0x{status:08X}"
    message = f"Could not {what} {thing}: {said}"
    if status in {ERROR_ACCESS_DENIED, E_ACCESSDENIED, NTE_PERM}:
        return AccessError(
            f"{message} (access denied).",
            code="key-access-denied",
            remedy="Give the account Read on the private key: certlm.msc, All Tasks, Manage Private Keys.",
            thing=thing,
        )
    if status in {CRYPT_E_NOT_FOUND, ERROR_FILE_NOT_FOUND}:
        return SelectionError(f"{message} (not found).", code="not-found", thing=thing)
    if status in {CRYPT_E_NO_KEY_PROPERTY, NTE_BAD_KEYSET}:
        return SelectionError(
            f"{message} (the certificate has no private key here, or the key's container is gone).",
            code="no-private-key",
            remedy="Import the certificate together with its key (.pfx), for this account.",
            thing=thing,
        )
    if status == NTE_BAD_PUBLIC_KEY:
        return SelectionError(f"{message} (the key is another one).", code="key-mismatch", thing=thing)
    if status in {NTE_SILENT_CONTEXT, SCARD_W_WRONG_CHV, SCARD_W_CHV_BLOCKED}:
        return AccessError(
            f"{message} (the key wants a PIN, which azcert cannot ask for here).",
            code="pin-missing",
            remedy="Use a key without a PIN or prompt for services (no 'strong private key protection').",
            thing=thing,
        )
    return SigningError(f"{message}.", code="windows-failed", thing=thing, status=f"0x{status:08X}")
