"""The file of one certificate: what azcert knows of it in front, then certificate and chain as PEM.

RFC 7468 (5.2) allows explanatory text before the first block, and openssl passes over it. That everything
lies in one file is what makes replacing an entry atomic: the file names its key's file, so that at each
moment it stands for the old entry or for the new one.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from azcert.certificate.model import Certificate
from azcert.errors import CertificateError, ConfigurationError
from azcert.stores.passphrase import PassphraseFrom
from azcert.stores.store import Entry

if TYPE_CHECKING:
    from azcert.stores.names import StoreName

__all__ = ["Record"]

_BEGIN = b"-----BEGIN"


@dataclass(frozen=True)
class Record:
    """One certificate of a directory store.

    :param key: name of the key's file in the same folder; None where there is no key, or a device has it.
    :param source: source URI of the device that has the key.
    :param passphrase: where the passphrase of an encrypted key comes from.
    :param imported: when, in UTC.
    """

    certificate: Certificate
    imported: dt.datetime
    key: str | None = None
    source: str | None = None
    protection: str | None = None
    exportable: bool = False
    passphrase: PassphraseFrom | None = None

    def render(self) -> bytes:
        """Return the file's content."""
        lines = {
            "Subject": self.certificate.subject,
            "Thumbprint": self.certificate.thumbprint,
            "Not-After": self.certificate.not_after.isoformat(),
            "Imported": self.imported.isoformat(timespec="seconds"),
            "Protection": self.protection,
            "Exportable": None if self.protection is None else ("yes" if self.exportable else "no"),
            "Key": self.key,
            "Source": self.source,
            "Passphrase": self.passphrase and quote(str(self.passphrase), "/:", errors="surrogateescape"),
        }
        head = "".join(f"{name}: {_one_line(value)}\n" for name, value in lines.items() if value)
        chain = (self.certificate.leaf, *self.certificate.chain)
        return head.encode() + b"".join(each.public_bytes(Encoding.PEM) for each in chain)

    @classmethod
    def read(cls, data: bytes, path: str) -> Record:
        """Return the record that *data*, the content of *path*, holds.

        :raises azcert.errors.CertificateError: ``damaged``.
        """
        head, _, _ = data.partition(_BEGIN)
        try:
            fields = dict(line.split(": ", 1) for line in head.decode().splitlines() if ": " in line)
            leaf, *chain = x509.load_pem_x509_certificates(data)
            imported = fields.get("Imported")
            return cls(
                Certificate(leaf, tuple(chain)),
                dt.datetime.fromisoformat(imported) if imported else leaf.not_valid_before_utc,
                key=_one_component(fields.get("Key")),
                source=fields.get("Source"),
                protection=fields.get("Protection"),
                exportable=fields.get("Exportable") == "yes",
                passphrase=_passphrase(fields.get("Passphrase")),
            )
        except (ValueError, ConfigurationError) as error:
            raise CertificateError(
                f"{path} is damaged: {error}.",
                code="damaged",
                remedy="Import the certificate again, or remove the file.",
                path=path,
            ) from error

    def entry(self, store: StoreName, path: str) -> Entry:
        """Return what the store says about it."""
        return Entry.of(
            store,
            self.certificate,
            has_key=self.key is not None or self.source is not None,
            protection=self.protection,
            exportable=self.exportable,
            path=path,
            source=self.source,
        )


def _one_line(value: str) -> str:
    """Return *value*, perhaps a hostile subject, so that it can neither end its line nor begin a block."""
    return " ".join(value.split()).replace("-----", "- - -")


def _passphrase(text: str | None) -> PassphraseFrom | None:
    return PassphraseFrom.read_text(unquote(text, errors="surrogateescape")) if text else None


def _one_component(name: str | None) -> str | None:
    if name is not None and ("/" in name or name.startswith(".")):
        raise ValueError(f"the key's file {name!r} is not in the store's folder")
    return name
