"""The record of a rotation: what was meant, so that a second run goes on from it."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from azcert._files import write_atomic
from azcert.certificate.model import Certificate
from azcert.errors import ConfigurationError
from azcert.sources.uri import FileUri, parse_source

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Journal", "journal_path"]

_FOLDER_MODE = 0o700


@dataclass(frozen=True)
class Journal:
    """How far a rotation has come; times in seconds since the epoch. Nothing in it is secret.

    :param source: the source that is rotated.
    :param old: SHA-1 thumbprint of the certificate that is replaced.
    :param old_key_id: its id on the application, where it is known.
    :param staged: where the successor's key is, chosen before it is made.
    :param certificate: the successor as PEM, once it is made.
    :param key_id: its id on the application, once it is registered.
    :param proven_at: when it signed in well several times in a row.
    :param switched_at: when the source began to give it.
    """

    source: str
    old: str
    old_key_id: str | None
    staged: str
    certificate: str | None = None
    key_id: str | None = None
    proven_at: float | None = None
    switched_at: float | None = None
    retired_at: float | None = None

    @property
    def successor(self) -> Certificate | None:
        """The successor's certificate."""
        if self.certificate is None:
            return None
        return Certificate(x509.load_pem_x509_certificate(self.certificate.encode()))

    def with_successor(self, certificate: Certificate) -> Self:
        """Return the journal with the successor in it."""
        return replace(self, certificate=certificate.leaf.public_bytes(Encoding.PEM).decode())

    def write(self, path: Path) -> None:
        """Replace what is in *path*, whole."""
        path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        write_atomic(path, json.dumps(asdict(self), indent=2).encode(), overwrite=True)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return what is in *path*, or None where there is no such file.

        :raises ConfigurationError: ``journal-damaged``.
        """
        try:
            found: dict[str, Any] = json.loads(path.read_bytes())
            return cls(**found)
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                f"The journal {path} is no record of a rotation: {error}",
                code="journal-damaged",
                remedy="Compare 'azcert app credentials APP' with 'azcert show', then move the journal away.",
            ) from error

    def remember_id(self, path: Path) -> None:
        """Write down, beside the journal *path*, under which id the successor is registered.

        The next rotation needs it where the application may not read itself.
        """
        successor = self.successor
        if successor is not None and self.key_id is not None:
            known = {"thumbprint": successor.thumbprint, "keyId": self.key_id}
            write_atomic(_registered(path), json.dumps(known).encode(), overwrite=True)

    @staticmethod
    def remembered_id(path: Path, thumbprint: str) -> str | None:
        """Return what `remember_id` wrote for this certificate, or None."""
        try:
            known = json.loads(_registered(path).read_bytes())
        except (FileNotFoundError, ValueError):
            return None
        if not isinstance(known, dict) or known.get("thumbprint") != thumbprint:
            return None
        return str(known.get("keyId"))


def _registered(path: Path) -> Path:
    return path.with_suffix(".registered")


def journal_path(source: str, client_id: str, folder: Path | None = None) -> Path:
    """Return the journal of a source's rotation: in *folder*, else root's state folder, else XDG's."""
    uri = parse_source(source)
    if isinstance(uri, FileUri):
        # One file has one journal, from whatever folder it is named.
        uri = FileUri(os.path.realpath(uri.path))
    name = hashlib.sha256(f"{uri}|{client_id}".encode()).hexdigest()[:32]
    return (folder or _state_folder()) / f"{name}.json"


def _state_folder() -> Path:
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        return Path("/var/lib/azcert/rotation")
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(home) / "azcert" / "rotation"
