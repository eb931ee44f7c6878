"""Say what bytes look like that are no certificate, so that a message can name the mistake."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from azcert.certificate import der, pem

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["describe"]

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xfe\xed\xfe\xed", "a Java keystore (JKS)"),
    (b"\xce\xce\xce\xce", "a Java keystore (JCEKS)"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a Windows program"),
    (b"%PDF", "a PDF document"),
    (b"SQLite format 3", "an SQLite database"),
)
_TEXT: tuple[tuple[str, str], ...] = (
    (r"(?is)\s*(<!doctype html|<html)", "an HTML page (was a sign-in or error page downloaded instead?)"),
    (r"\s*<", "an XML document"),
    (r"\s*[\[{]", "JSON"),
    (r"version https://git-lfs", "a Git LFS pointer; the file itself was not fetched"),
    (r"(ssh-(rsa|ed25519|dss)|ecdsa-sha2-\S+) AAAA", "an OpenSSH public key"),
    (r"PuTTY-User-Key-File", "a PuTTY key"),
    (r"---- BEGIN SSH2", "an SSH public key"),
    (r"\s*eyJ[\w-]+\.[\w-]+\.", "a token (JWT)"),
    (r"[\s\u200e\u200f]*([0-9A-Fa-f]{2}[ :]?){19,31}[0-9A-Fa-f]{2}\s*$", "a thumbprint, not the certificate"),
    (r"\s*([0-9A-Fa-f]{2}[\s:]*){64,}$", "hexadecimal text"),
    (r"\s*(-{5}|-{0,4}BEGIN|MII)", "damaged PEM text"),
    (r"[\w.@-]+\s*[:=] ", "a settings file"),
)
_LABELS = {
    "OPENSSH PRIVATE KEY": "an OpenSSH private key",
    "EC PRIVATE KEY": "an EC private key",
    "CERTIFICATE REQUEST": "a certificate signing request",
    "NEW CERTIFICATE REQUEST": "a certificate signing request",
    "PUBLIC KEY": "a public key",
    "RSA PUBLIC KEY": "a public key",
    "X509 CRL": "a certificate revocation list",
    "TSS2 PRIVATE KEY": "a TPM key file",
    "PGP PRIVATE KEY BLOCK": "a PGP private key",
    "PGP PUBLIC KEY BLOCK": "a PGP public key",
    "PGP MESSAGE": "a PGP message",
}


def describe(data: bytes, labels: Iterable[str] = ()) -> str:
    """Return what *data* looks like, with an article; *labels* are PEM labels found in it."""
    named = [_LABELS.get(label, f"a PEM block named {label!r}") for label in dict.fromkeys(labels)]
    if named:
        return " and ".join(named)
    if not data.strip():
        return "an empty file"
    if not data.strip(b"\0"):
        return f"{len(data):,} zero bytes"
    for magic, meaning in _MAGIC:
        if data.startswith(magic):
            return meaning
    try:
        kind = der.classify(data)
    except der.Malformed:
        kind = None
    if kind:
        return f"{'an' if kind[0] in 'eE' else 'a'} {kind}"
    decoded = pem.text_of(data)
    if decoded is None:
        return "binary data of no known format"
    probe = decoded[0][:4096]
    return next(
        (meaning for pattern, meaning in _TEXT if re.match(pattern, probe)), "text without a certificate"
    )
