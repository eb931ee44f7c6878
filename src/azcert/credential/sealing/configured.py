"""A sealing key that somebody made and handed out: a file, a systemd credential, or bytes."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Self

from azcert.credential.sealing.box import SealingKey
from azcert.errors import AccessError, ConfigurationError

__all__ = ["ConfiguredKeys"]

_LARGEST = 64 * 1024
_MAKE = "Make one with: head -c 32 /dev/urandom > FILE; chmod 600 FILE"


class ConfiguredKeys:
    """One key for all certificates, for hosts that share tokens but have a certificate each.

    :param material: at least 32 random bytes, the same on every host.
    :param origin: where they come from, for people.
    """

    def __init__(self, material: bytes, *, origin: str = "configured bytes") -> None:
        self._key = SealingKey(material)
        self._origin = origin

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Read the key from a file that only its owner can read; every byte counts, a final newline too.

        :raises AccessError: it cannot be read, or others can read it.
        :raises ConfigurationError: it holds less than 32 bytes or more than 64 KiB.
        """
        return cls(_read(Path(path), private=True), origin=f"file {os.fspath(path)}")

    @classmethod
    def from_systemd(cls, name: str = "azcert-cache-key") -> Self:
        """Read the key from a systemd credential (``LoadCredentialEncrypted=``, systemd.exec(5)).

        :raises ConfigurationError: systemd handed this process no credential of that name.
        """
        folder = os.environ.get("CREDENTIALS_DIRECTORY")
        if not folder:
            raise ConfigurationError(
                "CREDENTIALS_DIRECTORY is not set: systemd handed this process no credentials.",
                code="sealing-key-missing",
                remedy=f"Add LoadCredentialEncrypted={name} to the unit.",
            )
        if not name or "/" in name or name in {".", ".."}:
            raise ConfigurationError(
                f"{name!r} is not the name of a systemd credential.", code="sealing-key-name"
            )
        path = Path(folder, name)
        if not path.exists():
            raise ConfigurationError(
                f"systemd handed this process no credential {name!r} in {folder}.",
                code="sealing-key-missing",
                remedy=f"Make it with: head -c 32 /dev/urandom | systemd-creds encrypt --name={name} - "
                f"/etc/credstore.encrypted/{name}; and add LoadCredentialEncrypted={name} to the unit.",
            )
        # systemd sets the folder's rights itself; inside, an access list may look like a group bit.
        return cls(_read(path, private=False), origin=f"systemd credential {name}")

    @property
    def origin(self) -> str:
        """Where the key comes from, for people."""
        return self._origin

    def key_for(self, thumbprint: str) -> SealingKey:  # noqa: ARG002 - one key for all
        """Return the key."""
        return self._key


def _read(path: Path, *, private: bool) -> bytes:
    try:
        with path.open("rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise AccessError(
            f"The cache key in {path} cannot be read: {error.strerror}.",
            code="sealing-key-unreadable",
            remedy=_MAKE,
        ) from error
    if private and os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise AccessError(
            f"The cache key in {path} can be read by others (mode {stat.S_IMODE(mode):04o}).",
            code="sealing-key-exposed",
            remedy=f"chmod 600 {path}",
        )
    if len(data) > _LARGEST:
        raise ConfigurationError(f"{path} is no key: it is larger than 64 KiB.", code="sealing-key-long")
    return data
