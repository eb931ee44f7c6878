"""A double of crypt32.dll and ncrypt.dll: reads the structures it is handed, counts what is not freed."""

from __future__ import annotations

import ctypes
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256

from azcert.keys import cng

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["Item", "WindowsDouble"]

UNSUPPORTED_SALT = 0x40290423  # TPM_E_PCP_UNSUPPORTED_PSS_SALT


@dataclass(eq=False)
class Item:
    """A certificate in a store; *status*: what acquiring its key answers, *salt*: the only one it takes."""

    der: bytes
    key: RSAPrivateKey | None = None
    status: int = 0
    sign_status: int = 0
    salt: int = 32
    cached: bool = False


@dataclass
class WindowsDouble:
    """The stores by ``CurrentUser/My``; *denied* are those that this user may not open."""

    stores: dict[str, list[Item]] = field(default_factory=dict)
    denied: frozenset[str] = frozenset()
    opened: dict[int, tuple[str, bool]] = field(default_factory=dict)
    contexts: dict[int, tuple[Any, Any, Item, str]] = field(default_factory=dict)
    keys: dict[int, Item] = field(default_factory=dict)
    exports: int = 0
    error: int = 0
    _next: int = 0x1000

    @property
    def windows(self) -> cng.Windows:
        """What azcert is handed."""
        return cng.Windows(crypt32=self, ncrypt=self, last_error=lambda: self.error)

    def unfreed(self) -> int:
        """Return how many stores, contexts and keys were not given back."""
        return len(self.opened) + len(self.contexts) + sum(not item.cached for item in self.keys.values())

    def _new(self) -> int:
        self._next += 0x10
        return self._next

    def _fail(self, error: int) -> int:
        self.error = error
        return 0

    def CertOpenStore(self, provider: int, encoding: int, prov: None, flags: int, name: str) -> int:
        assert (provider, encoding, prov) == (cng.CERT_STORE_PROV_SYSTEM_W, 0, None)
        assert flags & cng.CERT_STORE_OPEN_EXISTING_FLAG
        place = "CurrentUser" if flags & cng.CERT_SYSTEM_STORE_CURRENT_USER else "LocalMachine"
        full = f"{place}/{name}"
        if full in self.denied:
            return self._fail(cng.ERROR_ACCESS_DENIED)
        if full not in self.stores:
            return self._fail(cng.ERROR_FILE_NOT_FOUND)
        handle = self._new()
        self.opened[handle] = (full, not flags & cng.CERT_STORE_READONLY_FLAG)
        return handle

    def CertCloseStore(self, handle: int, flags: int) -> int:
        assert flags == 0
        del self.opened[handle]
        return 1

    def _context(self, item: Item, store: str) -> Any:
        buffer = ctypes.create_string_buffer(item.der, len(item.der))
        structure = cng.CertContext(
            cng.X509_ASN_ENCODING_PKCS_7_ASN_ENCODING,
            ctypes.cast(buffer, ctypes.c_void_p),
            len(item.der),
            None,
            None,
        )
        self.contexts[ctypes.addressof(structure)] = (structure, buffer, item, store)
        return ctypes.pointer(structure)

    def _item(self, context: Any) -> tuple[Item, str]:
        return self.contexts[ctypes.addressof(context.contents)][2:]

    def CertEnumCertificatesInStore(self, handle: int, previous: Any) -> Any:
        full, _ = self.opened[handle]
        at = 0
        if previous:
            at = self.stores[full].index(self._item(previous)[0]) + 1
            self.CertFreeCertificateContext(previous)
        items = self.stores[full]
        if at == len(items):
            return self._fail(cng.CRYPT_E_NOT_FOUND)
        return self._context(items[at], full)

    def CertFindCertificateInStore(
        self, handle: int, encoding: int, flags: int, kind: int, para: Any, previous: None
    ) -> Any:
        assert (encoding, flags, kind, previous) == (0x10001, 0, cng.CERT_FIND_SHA1_HASH, None)
        blob = para._obj
        wanted = ctypes.string_at(blob.pbData, blob.cbData)
        full, _ = self.opened[handle]
        for item in self.stores[full]:
            if hashlib.sha1(item.der, usedforsecurity=False).digest() == wanted:
                return self._context(item, full)
        return self._fail(cng.CRYPT_E_NOT_FOUND)

    def CertFreeCertificateContext(self, context: Any) -> int:
        del self.contexts[ctypes.addressof(context.contents)]
        return 1

    def CertDeleteCertificateFromStore(self, context: Any) -> int:
        item, full = self._item(context)
        self.CertFreeCertificateContext(context)
        if not any(name == full and writable for name, writable in self.opened.values()):
            return self._fail(cng.ERROR_ACCESS_DENIED)
        self.stores[full].remove(item)
        return 1

    def CertGetCertificateContextProperty(self, context: Any, wanted: int, data: None, size: Any) -> int:
        assert data is None
        item, _ = self._item(context)
        if item.key is None or wanted != cng.CERT_KEY_PROV_INFO_PROP_ID:
            return self._fail(cng.CRYPT_E_NOT_FOUND)
        size._obj.value = 64
        return 1

    def CryptAcquireCertificatePrivateKey(
        self, context: Any, flags: int, parameters: None, handle: Any, spec: Any, must_free: Any
    ) -> int:
        assert parameters is None
        assert flags & cng.CRYPT_ACQUIRE_ONLY_NCRYPT_KEY_FLAG
        assert flags & cng.CRYPT_ACQUIRE_SILENT_FLAG
        item, _ = self._item(context)
        if item.status:
            return self._fail(item.status)
        if item.key is None:
            return self._fail(cng.CRYPT_E_NO_KEY_PROPERTY)
        handle._obj.value = self._new()
        spec._obj.value = 0xFFFFFFFF  # CERT_NCRYPT_KEY_SPEC
        must_free._obj.value = 0 if item.cached else 1
        self.keys[handle._obj.value] = item
        return 1

    def NCryptSignHash(
        self,
        handle: int,
        padding: Any,
        digest: bytes,
        digest_size: int,
        signature: Any,
        signature_size: int,
        result: Any,
        flags: int,
    ) -> int:
        item = self.keys[handle]
        info = padding._obj
        assert (info.pszAlgId, len(digest), digest_size) == ("SHA256", 32, 32)
        assert flags & cng.NCRYPT_SILENT_FLAG
        assert item.key is not None
        if item.sign_status:
            return item.sign_status
        size = (item.key.key_size + 7) // 8
        result._obj.value = size
        scheme: PSS | PKCS1v15 = PKCS1v15()
        if flags & cng.BCRYPT_PAD_PSS:
            if info.cbSalt != item.salt:
                return UNSUPPORTED_SALT
            scheme = PSS(MGF1(SHA256()), info.cbSalt)
        if signature is None:
            return 0
        assert signature_size >= size
        signature[:size] = item.key.sign(digest, scheme, Prehashed(SHA256()))
        return 0

    def NCryptFreeObject(self, handle: int) -> int:
        del self.keys[handle]
        return 0
