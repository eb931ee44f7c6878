"""Build the corpus: a folder of good and hostile certificate files, each with the verdict it deserves.

    cd tests && python -m corpus.make FOLDER

writes the files and ``expected.json``. The list is the same on every run; the keys are new. Any other program
that reads certificates can be judged by it. The password of everything encrypted is in ``expected.json``.
"""

from __future__ import annotations

import argparse
import base64
import datetime as dt
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    pkcs7,
)

from corpus.containers import ber, openssl, pfx, pfx_of_several_keys, slow_pkcs8
from corpus.material import PASSWORD, Material, certificate_pem, key_pem, name_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Case", "build"]


@dataclass(frozen=True)
class Case:
    """One file and its verdict.

    :param verdict: ``ok``, or the code of the fault.
    :param password: what the reader is told, None for nothing.
    :param thumbprint: SHA-1 of the leaf that must be chosen.
    :param chain: how many issuers must be found.
    :param extras: how many certificates must be reported as strangers.
    :param form: text that the form's description contains.
    """

    file: str
    verdict: str = "ok"
    password: str | None = None
    thumbprint: str | None = None
    chain: int = 0
    extras: int = 0
    form: str = ""


@dataclass
class _Good:
    """The expectations of the files that are fine."""

    thumbprint: str

    def __call__(self, file: str, content: bytes, form: str, **changes: object) -> tuple[Case, bytes]:
        fields = {"thumbprint": self.thumbprint, **changes}
        return Case(file, form=form, **fields), content  # type: ignore[arg-type]  # callers name Case's fields


def build(folder: Path, now: dt.datetime) -> list[Case]:
    """Write every file into *folder* and return the cases; verdicts hold at the moment *now*."""
    material = Material(now)
    cases = []
    for case, content in (
        *_good_pem(material),
        *_good_pkcs12(material),
        *_good_others(material),
        *_wrong(material),
        *_garbage(material),
    ):
        (folder / case.file).write_bytes(content)
        (folder / case.file).chmod(0o600)
        cases.append(case)
    return cases + list(_not_files(folder))


def thumbprint_of(certificate: x509.Certificate) -> str:
    return certificate.fingerprint(SHA1()).hex().upper()  # noqa: S303 - a thumbprint is SHA-1


def _good_pem(m: Material) -> Iterator[tuple[Case, bytes]]:
    good = _Good(thumbprint_of(m.leaf))
    key, leaf, chain = key_pem(m.key), certificate_pem(m.leaf), certificate_pem(m.issuing, m.root)
    both = key + leaf
    text = both.decode()
    yield good("key-first.pem", both, "PEM, PKCS#8 key")
    yield good("key-last.pem", leaf + key, "PEM")
    yield good("ca-first.pem", certificate_pem(m.root, m.issuing) + leaf + key, "PEM", chain=2)
    yield good(
        "key-in-the-middle.pem",
        certificate_pem(m.issuing) + key + certificate_pem(m.root) + leaf,
        "PEM",
        chain=2,
    )
    yield good("chain-with-a-gap.pem", key + leaf + certificate_pem(m.root), "PEM", extras=1)
    yield good("certificate-twice.pem", both + leaf, "PEM")
    yield good("with-a-stranger.pem", both + chain + certificate_pem(m.other), "PEM", chain=2, extras=1)
    yield good(
        "two-of-one-key.pem",
        both + certificate_pem(m.renewed),
        "PEM",
        thumbprint=thumbprint_of(m.renewed),
        extras=1,
    )
    yield good("next-one-appended-early.pem", both + certificate_pem(m.coming), "PEM", extras=1)
    yield good(
        "renewed-with-a-new-key.pem",
        both + key_pem(m.other_key) + certificate_pem(m.successor),
        "PEM",
        thumbprint=thumbprint_of(m.successor),
        extras=1,
    )
    yield good("a-key-without-certificate.pem", key_pem(m.other_key) + both, "PEM")
    yield good("crlf.pem", both.replace(b"\n", b"\r\n"), "PEM")
    yield good("old-mac-line-ends.pem", both.replace(b"\n", b"\r"), "PEM")
    yield good("utf-8-mark.pem", b"\xef\xbb\xbf" + both, "PEM")
    yield good("utf-16-le-mark.pem", b"\xff\xfe" + text.encode("utf-16-le"), "UTF-16")
    yield good("utf-16-be-mark.pem", b"\xfe\xff" + text.encode("utf-16-be"), "UTF-16")
    yield good("utf-16-le.pem", text.encode("utf-16-le"), "UTF-16")
    yield good("utf-16-be.pem", text.encode("utf-16-be"), "UTF-16")
    yield good(
        "comments.pem",
        b"Bag Attributes\n    localKeyID: 01 \n# f\xfcr die App\n"
        + key
        + b"subject=CN=app\n\n"
        + leaf
        + b"end\n",
        "PEM",
    )
    yield good("indented.pem", b"\n".join(b"    " + line for line in both.splitlines()), "PEM")
    yield good("one-line.pem", both.replace(b"\n", b" "), "PEM")
    yield good("escaped-line-breaks.pem", both.replace(b"\n", b"\\n"), "PEM")
    yield good("no-line-break-at-the-end.pem", both.rstrip(), "PEM")
    yield good("pem-called.pfx", both, "PEM")
    yield good("pkcs1.pem", key_pem(m.key, PrivateFormat.TraditionalOpenSSL) + leaf, "PKCS#1")
    yield good("unneeded-password.pem", both, "PEM", password="not needed")
    yield good("encrypted.pem", key_pem(m.key, password=PASSWORD) + leaf, "AES-256", password=PASSWORD)
    yield good(
        "encrypted-scrypt.pem",
        openssl(
            "pkcs8", "-topk8", "-in", "key", "-out", "out", "-scrypt", "-passout", f"pass:{PASSWORD}", key=key
        )
        + leaf,
        "AES-256",
        password=PASSWORD,
    )
    yield good(
        "encrypted-3des.pem",
        openssl(
            "pkcs8",
            "-topk8",
            "-in",
            "key",
            "-out",
            "out",
            "-v1",
            "PBE-SHA1-3DES",
            "-passout",
            f"pass:{PASSWORD}",
            key=key,
        )
        + leaf,
        "3DES",
        password=PASSWORD,
    )
    for cipher in ("aes256", "aes128", "des3"):
        legacy = openssl(
            "rsa",
            "-in",
            "key",
            "-traditional",
            f"-{cipher}",
            "-out",
            "out",
            "-passout",
            f"pass:{PASSWORD}",
            key=key,
        )
        yield good(f"openssl-{cipher}.pem", legacy + leaf, "encrypted by OpenSSL", password=PASSWORD)
    trusted = openssl("x509", "-in", "leaf", "-trustout", "-addtrust", "clientAuth", "-out", "out", leaf=leaf)
    yield good("trusted-certificate.pem", key + trusted, "PEM")
    yield good(
        "pkcs7-chain.pem",
        key + leaf + pkcs7.serialize_certificates([m.root, m.issuing], Encoding.PEM),
        "PKCS#7",
        chain=2,
    )


def _good_pkcs12(m: Material) -> Iterator[tuple[Case, bytes]]:
    good = _Good(thumbprint_of(m.leaf))
    key, leaf = key_pem(m.key), certificate_pem(m.leaf)

    def exported(*options: str, password: str = PASSWORD) -> bytes:
        fixed = ("-inkey", "key", "-in", "leaf", "-out", "out", "-passout", f"pass:{password}")
        return openssl("pkcs12", "-export", *fixed, *options, key=key, leaf=leaf)

    modern = pfx(m.key, m.leaf, [m.issuing, m.root], PASSWORD)
    yield good("modern.pfx", modern, "PKCS#12 (AES-256)", password=PASSWORD, chain=2)
    yield good("pkcs12-called.pem", modern, "PKCS#12 (AES-256)", password=PASSWORD, chain=2)
    yield good("older.pfx", pfx(m.key, m.leaf, password=PASSWORD, legacy=True), "3DES", password=PASSWORD)
    yield good("windows-2008.pfx", exported("-legacy"), "3DES, RC2-40", password=PASSWORD)
    yield good(
        "rc2-128.pfx", exported("-legacy", "-certpbe", "PBE-SHA1-RC2-128"), "RC2-128", password=PASSWORD
    )
    yield good(
        "aes-128.pfx",
        exported("-keypbe", "AES-128-CBC", "-certpbe", "AES-128-CBC"),
        "AES-128",
        password=PASSWORD,
    )
    yield good("no-mac.pfx", exported("-nomac"), "AES-256", password=PASSWORD)
    yield good("sha512-mac.pfx", exported("-macalg", "sha512"), "AES-256", password=PASSWORD)
    yield good("password-in-unicode.pfx", exported(password="пароль-☃"), "AES-256", password="пароль-☃")
    yield good("empty-password.pfx", exported(password=""), "AES-256")
    yield good("empty-password-given.pfx", exported(password=""), "AES-256", password="")
    yield good(
        "not-encrypted.pfx", exported("-keypbe", "NONE", "-certpbe", "NONE", password=""), "not encrypted"
    )
    yield good("not-encrypted-no-mac.pfx", pfx_of_several_keys([m.key], [m.leaf]), "not encrypted")
    yield good(
        "unneeded-password.pfx",
        exported("-keypbe", "NONE", "-certpbe", "NONE", password=""),
        "not encrypted",
        password="not needed",
    )
    yield good(
        "ca-first.pfx", pfx_of_several_keys([m.key], [m.root, m.issuing, m.leaf]), "not encrypted", chain=2
    )
    yield good("indefinite-length.pfx", ber(modern), "AES-256", password=PASSWORD, chain=2)
    yield good("line-break-behind.pfx", modern + b"\r\n", "AES-256", password=PASSWORD, chain=2)
    yield good(
        "key-without-certificate.pfx",
        pfx_of_several_keys([m.other_key, m.key], [m.leaf], PASSWORD),
        "AES-256",
        password=PASSWORD,
    )
    yield good(
        "renewed-with-a-new-key.pfx",
        pfx_of_several_keys([m.key, m.other_key], [m.leaf, m.successor], PASSWORD),
        "AES-256",
        password=PASSWORD,
        thumbprint=thumbprint_of(m.successor),
        extras=1,
    )


def _good_others(m: Material) -> Iterator[tuple[Case, bytes]]:
    good = _Good(thumbprint_of(m.leaf))
    container = pfx(m.key, m.leaf, password=PASSWORD)
    both = key_pem(m.key) + certificate_pem(m.leaf)
    key_der = m.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    key_pkcs1 = m.key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    leaf_der = m.leaf.public_bytes(Encoding.DER)
    one_line = base64.b64encode(container)
    yield good("one-line.b64", one_line, "base64 of PKCS#12", password=PASSWORD)
    yield good("wrapped.b64", base64.encodebytes(container), "base64 of PKCS#12", password=PASSWORD)
    yield good(
        "wrapped-crlf.b64",
        base64.encodebytes(container).replace(b"\n", b"\r\n"),
        "base64 of PKCS#12",
        password=PASSWORD,
    )
    yield good(
        "url-safe-unpadded.b64",
        base64.urlsafe_b64encode(container).rstrip(b"="),
        "base64 of PKCS#12",
        password=PASSWORD,
    )
    yield good("quoted.b64", b'"' + one_line + b'"\n', "base64 of PKCS#12", password=PASSWORD)
    yield good("twice.b64", base64.b64encode(one_line), "base64 of base64 of PKCS#12", password=PASSWORD)
    yield good(
        "utf-16.b64",
        b"\xff\xfe" + one_line.decode().encode("utf-16-le"),
        "base64 of PKCS#12",
        password=PASSWORD,
    )
    yield good("of-pem.b64", base64.b64encode(both), "base64 of PEM")
    commented = "Schlüssel\n".encode("latin-1") + both
    yield good("of-pem-with-comment.b64", base64.b64encode(commented), "base64 of PEM")
    in_utf_16 = both.decode().encode("utf-16-le")
    yield good("of-utf-16-pem.b64", base64.b64encode(in_utf_16), "in UTF-16")
    yield good("der-key-and-certificate", key_der + leaf_der, "DER")
    yield good("der-certificate-and-pkcs1-key", leaf_der + key_pkcs1, "DER")


def _wrong(m: Material) -> Iterator[tuple[Case, bytes]]:
    key, leaf = key_pem(m.key), certificate_pem(m.leaf)
    both = key + leaf
    leaf_der = m.leaf.public_bytes(Encoding.DER)
    container = pfx(m.key, m.leaf, password=PASSWORD)
    encrypted = key_pem(m.key, password=PASSWORD) + leaf
    traditional = key_pem(m.key, PrivateFormat.TraditionalOpenSSL, PASSWORD) + leaf
    for name, content in (("pkcs8.pem", encrypted), ("openssl.pem", traditional), ("pkcs12.pfx", container)):
        yield Case(f"wrong-password-{name}", "wrong-password", "incorrect"), content
        yield Case(f"password-missing-{name}", "password-missing"), content
    yield Case("certificate.cer", "key-missing"), leaf
    yield Case("certificate.der", "key-missing"), leaf_der
    yield Case("certificate.b64", "key-missing"), base64.b64encode(leaf_der)
    yield Case("padded-with-a-megabyte.der", "key-missing"), leaf_der + b"\x30\0" * 500_000
    yield Case("eleven-keys.pem", "several-keys"), both + key * 10
    yield Case("answer.p7b", "key-missing"), pkcs7.serialize_certificates([m.root, m.leaf], Encoding.DER)
    yield Case("answer-pem.p7b", "key-missing"), pkcs7.serialize_certificates([m.root, m.leaf], Encoding.PEM)
    yield Case("no-key.pfx", "key-missing", PASSWORD), pfx(None, m.leaf, password=PASSWORD)
    yield Case("key-only.pem", "no-certificate"), key
    yield (
        Case("key-only.der", "no-certificate"),
        m.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),
    )
    yield Case("key-only.pfx", "no-certificate"), pfx_of_several_keys([m.key], [])
    yield Case("key-of-another.pem", "key-mismatch"), key_pem(m.other_key) + leaf
    yield (
        Case("key-of-another.pfx", "key-mismatch", PASSWORD),
        pfx_of_several_keys([m.other_key], [m.leaf], PASSWORD),
    )
    yield Case("key-of-the-issuer.pem", "key-mismatch"), key_pem(m.root_key) + leaf
    yield Case("two-apps.pem", "several-keys"), both + key_pem(m.other_key) + certificate_pem(m.other)
    yield (
        Case("two-apps.pfx", "several-keys", PASSWORD),
        pfx_of_several_keys([m.key, m.other_key], [m.leaf, m.other], PASSWORD),
    )
    yield Case("ec.pem", "not-rsa"), key_pem(m.ec_key) + certificate_pem(m.ec)
    yield (
        Case("ec-sec1.pem", "not-rsa"),
        key_pem(m.ec_key, PrivateFormat.TraditionalOpenSSL) + certificate_pem(m.ec),
    )
    yield Case("ec.pfx", "not-rsa", PASSWORD), pfx(m.ec_key, m.ec, password=PASSWORD)
    yield Case("ed25519.pem", "not-rsa"), key_pem(m.ed_key) + certificate_pem(m.ed)
    yield Case("1024-bits.pem", "key-too-short"), key_pem(m.short_key) + certificate_pem(m.short)
    yield Case("1024-bits.pfx", "key-too-short", PASSWORD), pfx(m.short_key, m.short, password=PASSWORD)
    yield Case("expired.pem", "expired"), key + certificate_pem(m.expired)
    yield Case("future.pem", "not-yet-valid"), key + certificate_pem(m.future)
    yield (
        Case("work-factor.pem", "work-factor", PASSWORD),
        _as_pem(slow_pkcs8(m.key, PASSWORD), "ENCRYPTED PRIVATE KEY") + leaf,
    )
    yield Case("cut-in-the-key.pem", "truncated"), both[: len(key) // 2]
    yield Case("cut-in-the-certificate.pem", "truncated"), both[: len(key) + len(leaf) // 2]
    yield Case("cut-in-the-last-line.pem", "truncated"), both.rstrip()[:-3]
    yield Case("cut-utf-16.pem", "truncated"), both.decode().encode("utf-16")[: len(both)]
    yield Case("half.pfx", "truncated", PASSWORD), container[: len(container) // 2]
    yield Case("all-but-the-last-byte.pfx", "truncated", PASSWORD), container[:-1]
    yield Case("three-bytes.pfx", "truncated", PASSWORD), container[:3]
    yield Case("half.der", "truncated"), leaf_der[: len(leaf_der) // 2]
    yield Case("half.b64", "truncated", PASSWORD), base64.b64encode(container)[: len(container) // 2 + 1]
    yield Case("block-cut-inside.pem", "truncated"), key + _as_pem(leaf_der[:-20], "CERTIFICATE")
    yield Case("not-base64.pem", "damaged"), key + leaf.replace(b"M", b"%")
    yield Case("flipped-bit-in-the-key.pem", "damaged"), _flipped_key(m) + leaf
    yield (
        Case("certificate-of-zeros.pem", "damaged"),
        key + _as_pem(leaf_der[:40] + bytes(len(leaf_der) - 40), "CERTIFICATE"),
    )
    yield Case("certificate-labelled-as-key.pem", "damaged"), _as_pem(leaf_der, "PRIVATE KEY") + leaf
    yield Case("damaged.pfx", "wrong-password", PASSWORD), container[:200] + bytes(16) + container[216:]


def _garbage(m: Material) -> Iterator[tuple[Case, bytes]]:
    public = m.key.public_key()
    request = x509.CertificateSigningRequestBuilder().subject_name(name_of("app")).sign(m.key, SHA256())
    crl = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(m.root.subject)
        .last_update(m.now)
        .next_update(m.now + dt.timedelta(days=1))
        .sign(m.root_key, SHA256())
    )
    openssh = m.key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    for file, content in {
        "openssh-key": openssh,
        "openssh-key-and-certificate.pem": openssh + certificate_pem(m.leaf),
        "openssh-public-key.pub": public.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "public-key.pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "public-key.der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "request.csr": request.public_bytes(Encoding.PEM),
        "request.der": request.public_bytes(Encoding.DER),
        "revoked.crl": crl.public_bytes(Encoding.PEM),
        "revoked-der.crl": crl.public_bytes(Encoding.DER),
        "sign-in-page.pem": b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n",
        "error.json": b'{"error": {"code": "Forbidden", "message": "no"}}\n',
        "settings.xml": b"<?xml version='1.0'?><certificate/>",
        "settings.yaml": b"tenant: contoso\nclient: app\n",
        "empty.pem": b"",
        "blank.pem": b"\n \r\n\t\n",
        "mark-only.pem": b"\xff\xfe",
        "zeros.pfx": bytes(4096),
        "ten-megabytes": b"\x30\x84\x00\x98\x96\x80" + bytes(10_000_000),
        "ten-megabytes-of-text": b"-----BEGIN CERTIFICATE-----\n" * 350_000,
        "noise.pfx": bytes(range(255, 0, -1)) * 10,
        "keystore.jks": b"\xfe\xed\xfe\xed\0\0\0\x02" + bytes(100),
        "archive.zip": b"PK\x03\x04" + bytes(100),
        "thumbprint.txt": "\u200e1b 38 e1 51 31 fd 7c 06 5f 12 72 22 c3 b4 35 d9 ad b5 3d bd".encode(),
        "token.txt": b"eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJ4In0.c2ln",
        "lfs-pointer.pfx": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 2531\n",
        "pgp.asc": b"-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n",
        "deeply-nested.der": b"\x30\x80" * 100_000,
        "nested-lengths.der": b"".join(b"\x30\x82" + n.to_bytes(2, "big") for n in range(40_000, 0, -4)),
        "boundaries-only.pem": b"-----BEGIN A-----\n-----END B-----\n" * 20_000,
        "headers-only.pem": b"-----BEGIN PRIVATE KEY-----\n"
        + b"\n" * 200_000
        + b"A:\n-----END PRIVATE KEY-----\n",
        "base64-of-nothing.b64": base64.b64encode(b"0" * 3000),
    }.items():
        yield Case(file, _GARBAGE_VERDICTS.get(file, "unrecognized")), content


_GARBAGE_VERDICTS = {
    "headers-only.pem": "damaged",
    "boundaries-only.pem": "truncated",
    "nested-lengths.der": "truncated",
}


def _not_files(folder: Path) -> Iterator[Case]:
    (folder / "directory.pem").mkdir()
    yield Case("directory.pem", "is-a-directory")
    (folder / "dangling.pem").symlink_to("nowhere.pem")
    yield Case("dangling.pem", "file-not-found")
    (folder / "round.pem").symlink_to("round.pem")
    yield Case("round.pem", "unreadable")
    yield Case("missing.pem", "file-not-found")
    yield Case("no/such/folder.pem", "file-not-found")
    yield Case("key-first.pem/inside.pem", "file-not-found")
    (folder / "link.pem").symlink_to("certificate.cer")
    yield Case("link.pem", "key-missing")
    os.mkfifo(folder / "pipe.pem", 0o600)
    yield Case("pipe.pem", "unrecognized")


def _as_pem(data: bytes, label: str) -> bytes:
    return b"-----BEGIN %b-----\n%b-----END %b-----\n" % (
        label.encode(),
        base64.encodebytes(data),
        label.encode(),
    )


def _flipped_key(m: Material) -> bytes:
    data = bytearray(m.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))
    # Inside the last number, the coefficient: such a key signs, and its signatures give a factor away.
    data[-60] ^= 1
    return _as_pem(bytes(data), "PRIVATE KEY")


def main() -> None:
    parser = argparse.ArgumentParser(description="Build the corpus of certificate files.")
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True)
    cases = build(folder, dt.datetime.now(dt.UTC).replace(microsecond=0))
    (folder / "expected.json").write_text(json.dumps([asdict(case) for case in cases], indent=1) + "\n")
    sys.stdout.write(f"{len(cases)} cases in {folder}\n")


if __name__ == "__main__":
    main()
