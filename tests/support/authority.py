"""A certificate authority with a root and an intermediate, as OpenSSL runs it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from support.emulated import certificate, rsa_key

if TYPE_CHECKING:
    import datetime as dt
    from pathlib import Path

__all__ = ["Authority"]


class Authority:
    """Answers requests: ``CN=issuing``, below ``CN=root``.

    :param folder: an empty one for its files.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        root_key, key = rsa_key(1), rsa_key(2)
        self.root = certificate(root_key, name="root", ca=True)
        self.issuing = certificate(key, name="issuing", issuer=(self.root, root_key), ca=True)
        self.signs = (self.issuing, key)
        (folder / "root.pem").write_bytes(self.root.public_bytes(Encoding.PEM))
        (folder / "issuing.pem").write_bytes(self.issuing.public_bytes(Encoding.PEM))
        (folder / "issuing.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )

    def answer(
        self,
        request: Path | str,
        form: str = "p7b",
        *,
        subject: str | None = None,
        start: dt.datetime | None = None,
    ) -> Path:
        """Issue a certificate for a request, by file or text, and return the file with the answer.

        :param form: ``p7b`` (PKCS#7 with the chain), ``pem`` (root first), or ``der`` (the leaf alone).
        :param subject: a name of the authority's choice, ``/CN=...``.
        :param start: when it begins to be valid; now without it.
        """
        asked = self._folder / "asked.csr"
        asked.write_text(request if isinstance(request, str) else request.read_text())
        issue = ["x509", "-req", "-in", "asked.csr", "-CA", "issuing.pem", "-CAkey", "issuing.key"]
        issue += ["-days", "30", "-copy_extensions", "copyall", "-out", "leaf.pem"]
        self._openssl(*issue, *(["-subj", subject] if subject else []))
        if start is not None:
            self._back_date(start)
        if form == "der":
            self._openssl("x509", "-in", "leaf.pem", "-outform", "der", "-out", "answer.der")
        elif form == "pem":
            parts = [(self._folder / name).read_bytes() for name in ("root.pem", "issuing.pem", "leaf.pem")]
            (self._folder / "answer.pem").write_bytes(b"".join(parts))
        else:
            files = [("-certfile", f"{name}.pem") for name in ("root", "issuing", "leaf")]
            flat = [part for pair in files for part in pair]
            self._openssl("crl2pkcs7", "-nocrl", *flat, "-outform", "der", "-out", "answer.p7b")
        return self._folder / f"answer.{form}"

    def _back_date(self, start: dt.datetime) -> None:
        """Issue ``leaf.pem`` once more, from *start* on: OpenSSL 3.0 always begins now."""
        issued = x509.load_pem_x509_certificate((self._folder / "leaf.pem").read_bytes())
        builder = x509.CertificateBuilder(
            issued.issuer,
            issued.subject,
            issued.public_key(),
            issued.serial_number,
            start,
            issued.not_valid_after_utc,
        )
        (self._folder / "leaf.pem").write_bytes(
            builder.sign(self.signs[1], SHA256()).public_bytes(Encoding.PEM)
        )

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self._folder, check=True, capture_output=True)
