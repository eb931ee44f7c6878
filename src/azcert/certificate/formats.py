"""Read certificates and private keys in every form people have them in, told apart by content alone.

PEM in any order and encoding, PKCS#12, PKCS#7, DER, and base64 of any of these. Whatever is wrong has its
own `CertificateError`: ``wrong-password``, ``password-missing``, ``truncated``, ``damaged``,
``unrecognized``, ``work-factor``, ``unsupported-encryption``, ``unsupported-key``. Whether the
certificate is fit for use is not asked here (`azcert.certificate.chain`, `azcert.certificate.fitness`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from azcert.certificate import der, looks, pem, pkcs12, private_key
from azcert.certificate.der import Kind
from azcert.errors import CertificateError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from azcert._redact import Secret

__all__ = ["MAX_SIZE", "Contents", "load"]

MAX_SIZE = 1 << 20
"""Bytes of the largest file that is read; a bundle of all public CAs is a fifth of that."""

_DER = Encoding.DER
_DER_START = b"\x30"
# base64 of base64 is what Kubernetes secrets become when encoded by hand once too often.
_MAX_WRAPPING = 2
# Decrypting takes time on purpose; nobody keeps this many keys in one file.
_MAX_KEYS = 10
_CERTIFICATE_LABELS = {"CERTIFICATE", "X509 CERTIFICATE", "TRUSTED CERTIFICATE"}
_PKCS7_LABELS = {"PKCS7", "PKCS #7 SIGNED DATA", "CMS"}
_KEY_LABELS = {
    "PRIVATE KEY",
    "ENCRYPTED PRIVATE KEY",
    "RSA PRIVATE KEY",
    "EC PRIVATE KEY",
    "DSA PRIVATE KEY",
}
_KEY_KINDS = {Kind.PKCS8, Kind.ENCRYPTED_PKCS8, Kind.PKCS1, Kind.EC_KEY, Kind.DSA_KEY}


@dataclass(frozen=True)
class Contents:
    """What a file or value holds, before anything is decided about it.

    :param keys: every private key, decrypted.
    :param certificates: every certificate, in the order of the file.
    :param form: the form it had, for people: ``"PKCS#12 (AES-256)"``.
    :param encrypted: True where the private key was encrypted.
    :param tss2_keys: TPM key files (DER of ``TSS2 PRIVATE KEY``): private keys only their TPM can use.
    """

    keys: tuple[PrivateKeyTypes, ...] = field(repr=False)
    certificates: tuple[x509.Certificate, ...]
    form: str
    encrypted: bool = False
    tss2_keys: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def key(self) -> PrivateKeyTypes | None:
        """The first private key, None if there is none."""
        return self.keys[0] if self.keys else None


def load(data: bytes, *, password: Secret | None = None, name: str) -> Contents:
    """Return the certificates and private keys in *data*.

    :param password: for an encrypted key or PKCS#12; one that turns out not to be needed is no error.
    :param name: what the data is called in messages: a path, ``"environment variable PFX"``.
    :raises CertificateError: nothing usable was found; ``code`` says why.
    """
    if len(data) > MAX_SIZE:
        raise CertificateError(
            f"{name} has {len(data):,} bytes, more than any certificate file ({MAX_SIZE:,}).",
            code="unrecognized",
            remedy="Give the file that holds the certificate.",
            name=name,
        )
    return _Reader(name, password).read(data)


class _Reader:
    """Collects what one input holds; made for one `load` and thrown away."""

    def __init__(self, name: str, password: Secret | None) -> None:
        self.name = name
        self.password = password if password and password.reveal() else None
        self.keys: list[PrivateKeyTypes] = []
        self.certificates: list[x509.Certificate] = []
        self.tss2_keys: list[bytes] = []
        self.encrypted = False
        self.form = ""

    def read(self, data: bytes) -> Contents:
        self._read_any(data, 0)
        return Contents(
            tuple(self.keys),
            tuple(self.certificates),
            self.form,
            self.encrypted,
            tuple(self.tss2_keys),
        )

    def _read_any(self, data: bytes, wrapping: int) -> None:
        decoded = pem.text_of(data)
        if decoded:
            text, encoding = decoded
            blocks, unfinished = pem.find_blocks(text)
            if blocks or unfinished:
                self._read_blocks(blocks, unfinished, data)
                self.form = "PEM" + self.form + (" in UTF-16" if encoding.startswith("utf-16") else "")
                return
            inner = pem.decode_base64(text) if wrapping < _MAX_WRAPPING else None
            if inner and (inner[:1] == _DER_START or inner.isascii() or b"-----BEGIN " in inner):
                self._read_any(inner, wrapping + 1)
                self.form = "base64 of " + self.form
                return
        if data[:1] != _DER_START:
            self._unrecognized(data)
        self._read_binary(data)

    def _read_blocks(self, blocks: list[pem.Block], unfinished: str | None, data: bytes) -> None:
        if unfinished:
            raise CertificateError(
                f"{self.name} ends inside its {unfinished} block: the line '-----END {unfinished}-----' is"
                " missing.",
                code="truncated",
                remedy="Copy the file again, whole.",
                name=self.name,
                size=len(data),
            )
        others = []
        for block in blocks:
            if block.label in _CERTIFICATE_LABELS:
                self._add_certificate(self._body(block))
            elif block.label in _PKCS7_LABELS:
                self._add_pkcs7(self._body(block))
                self.form += ", PKCS#7"
            elif block.label in _KEY_LABELS:
                self._add_pem_key(block)
            elif block.label == "TSS2 PRIVATE KEY":
                self.tss2_keys.append(self._body(block))
                self.form += ", TPM key"
            else:
                others.append(block.label)
        if "OPENSSH PRIVATE KEY" in others:
            raise CertificateError(
                f"{self.name} holds its private key in OpenSSH's own format, which no TLS library reads.",
                code="unrecognized",
                remedy="Make it PKCS#8, in place: ssh-keygen -p -m PKCS8 -f FILE",
                name=self.name,
                looks_like="an OpenSSH private key",
            )
        if not (self.keys or self.certificates or self.tss2_keys):
            self._unrecognized(data, others)

    def _read_binary(self, data: bytes) -> None:
        """Read one DER structure, or certificates and keys standing one after the other."""
        rest = data
        while rest[:1] == _DER_START:
            try:
                element = der.read(rest)
                kind = der.classify(rest)
            except der.Truncated as error:
                self._truncated(len(rest), error.needed, data)
            except der.Malformed:
                self._unrecognized(data)
            if kind is None and (self.keys or self.certificates):
                # Some programs pad what they write.
                return
            self._read_element(rest[: element.end], kind, data)
            rest = rest[element.end :]

    def _read_element(self, data: bytes, kind: Kind | None, whole: bytes) -> None:
        if kind is Kind.CERTIFICATE:
            self._add_certificate(data)
            self.form = self.form or "DER"
        elif kind is Kind.PKCS12:
            self._add_pkcs12(data)
        elif kind is Kind.PKCS7:
            self._add_pkcs7(data)
            self.form = "PKCS#7"
        elif kind in _KEY_KINDS:
            self.form = "DER, " + self._add_key(data)
        elif kind is Kind.TSS2_KEY:
            self.tss2_keys.append(data)
            self.form = "DER, TPM key"
        else:
            self._unrecognized(whole)

    def _body(self, block: pem.Block) -> bytes:
        body = pem.decode_base64(block.body)
        if body is None:
            raise self._damaged(f"the {block.label} block is not base64")
        try:
            # An OpenSSL TRUSTED CERTIFICATE has its trust settings behind the certificate.
            return body[: der.read(body).end]
        except der.Truncated as error:
            self._truncated(len(body), error.needed, body)
        except der.Malformed as error:
            raise self._damaged(f"the {block.label} block: {error}") from error

    def _add_certificate(self, data: bytes) -> None:
        try:
            certificate = x509.load_der_x509_certificate(data)
            # cryptography parses these when first asked; better here than in the middle of something.
            certificate.subject.rfc4514_string()
            certificate.issuer.rfc4514_string()
            certificate.not_valid_before_utc  # noqa: B018
            certificate.not_valid_after_utc  # noqa: B018
        except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
            raise self._damaged("a certificate in it cannot be parsed") from error
        self.certificates.append(certificate)

    def _add_pkcs7(self, data: bytes) -> None:
        # Imports the e-mail package for S/MIME: a third of what reading a PEM or PKCS#12 file takes.
        from cryptography.hazmat.primitives.serialization import pkcs7

        try:
            with der.tolerated():
                loaded = pkcs7.load_der_pkcs7_certificates(data)
            # Parsed again one by one, for the checks above.
            found = [each.public_bytes(_DER) for each in loaded]
        except (*private_key.REFUSALS, UnsupportedAlgorithm) as error:
            raise self._damaged("the PKCS#7 structure holds no readable certificates") from error
        for each in found:
            self._add_certificate(each)

    def _add_pem_key(self, block: pem.Block) -> None:
        if len(self.keys) == _MAX_KEYS:
            raise CertificateError(
                f"{self.name} holds more than {_MAX_KEYS} private keys.",
                code="several-keys",
                remedy="Put each key with its certificate into a file of its own.",
                name=self.name,
            )
        if block.legacy_encrypted:
            cipher = block.headers.get("DEK-Info", "").partition(",")[0]
            self.form += f", PKCS#1 key encrypted by OpenSSL ({cipher})"
            self.encrypted = True
            self.keys.append(private_key.load_legacy(block.pem(), cipher, self.password, self.name))
        else:
            self.form += ", " + self._add_key(self._body(block))

    def _add_key(self, data: bytes) -> str:
        """Load one key and return its form in words."""
        kind = der.classify(data)
        if kind not in _KEY_KINDS:
            raise self._damaged(f"its private key is not one, but {kind or 'something else'}")
        if kind is not Kind.ENCRYPTED_PKCS8:
            self.keys.append(private_key.load_plain(data, self.name))
            return {Kind.PKCS8: "PKCS#8 key", Kind.PKCS1: "PKCS#1 key"}.get(kind, kind)
        cipher = pkcs12.ciphers(data)
        self.encrypted = True
        self.keys.append(private_key.load_encrypted(data, self.password, self.name))
        return f"PKCS#8 key encrypted with {cipher or 'another cipher'}"

    def _add_pkcs12(self, data: bytes) -> None:
        private_key.refuse_costly(data, self.name)
        cipher = pkcs12.ciphers(data)
        opened = self._open_pkcs12(data, cipher)
        self.keys += opened.keys
        for certificate in opened.certificates:
            self._add_certificate(certificate.public_bytes(_DER))
        self.encrypted = bool(cipher)
        self.form = f"PKCS#12 ({cipher or 'not encrypted'})"

    def _open_pkcs12(self, data: bytes, cipher: str) -> pkcs12.Opened:
        candidates = [self.password.reveal_bytes()] if self.password else []
        for candidate in (*candidates, None, b""):
            try:
                return pkcs12.open_with(data, candidate)
            except UnsupportedAlgorithm as error:
                raise private_key.unsupported_encryption(self.name, cipher, error) from error
            except private_key.REFUSALS:
                continue
        if self.password:
            raise private_key.wrong_password(self.name, f"PKCS#12, {cipher or 'not encrypted'}")
        raise private_key.password_missing(self.name, f"PKCS#12, {cipher or 'not encrypted'}")

    def _damaged(self, what: str) -> CertificateError:
        return private_key.damaged(self.name, what)

    def _truncated(self, size: int, needed: int, data: bytes) -> NoReturn:
        kind = der.guess(data)
        raise CertificateError(
            f"{self.name} ends early{f', inside {kind}' if kind else ''}: {size:,} bytes are there"
            + (f", {needed:,} should be." if needed else "."),
            code="truncated",
            remedy="Copy it again, whole.",
            name=self.name,
            size=size,
            expected=needed or None,
        )

    def _unrecognized(self, data: bytes, labels: list[str] | None = None) -> NoReturn:
        seen = looks.describe(data, labels or ())
        raise CertificateError(
            f"{self.name} holds neither a certificate nor a private key; it looks like {seen}."
            if data.strip()
            else f"{self.name} is empty.",
            code="unrecognized",
            remedy="azcert reads PEM, PKCS#12 (.pfx), DER (.cer) and base64 of these.",
            name=self.name,
            looks_like=seen,
        )
