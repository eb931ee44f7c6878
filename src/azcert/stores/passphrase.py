"""Where a password comes from: named in settings and URIs, so that the password itself never is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from azcert._redact import Secret
from azcert.errors import ConfigurationError

__all__ = ["PassphraseFrom", "PassphraseKind"]


class PassphraseKind(StrEnum):
    """The places a password is read from."""

    ENV = "env"
    """An environment variable."""
    FILE = "file"
    """A file; one line break at its end is not part of the password."""
    FD = "fd"
    """A file descriptor that the parent process opened; read to its end, once."""
    CREDENTIAL = "credential"
    """A systemd credential (``LoadCredential=``): a file of ``$CREDENTIALS_DIRECTORY``, systemd.exec(5)."""
    KEYRING = "keyring"
    """An item of the desktop's Secret Service, by the attributes ``application=azcert name=NAME``."""


@dataclass(frozen=True)
class PassphraseFrom:
    """The origin of a password, printed as ``env:NAME``, ``file:PATH``, ``fd:N``, ``credential:NAME``."""

    kind: PassphraseKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def read_text(cls, text: str) -> PassphraseFrom:
        """Return the origin that *text* (``env:NAME``) names.

        :raises azcert.errors.ConfigurationError: the text names no origin.
        """
        kind, colon, name = text.partition(":")
        if not colon or not name or kind not in set(PassphraseKind):
            raise ConfigurationError(
                f"A password's origin is one of {', '.join(f'{each}:...' for each in PassphraseKind)}.",
                code="unknown-password-origin",
            )
        return cls(PassphraseKind(kind), name)

    def read(self) -> Secret:
        """Return the password.

        :raises azcert.errors.ConfigurationError: there is none, or it cannot be read.
        """
        try:
            text = _READERS[self.kind](self.name)
        except (OSError, UnicodeDecodeError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
            raise ConfigurationError(
                f"The password from {self} cannot be read: {reason}.",
                code="password-unreadable",
                origin=str(self),
            ) from error
        if text is None:
            raise ConfigurationError(
                f"There is no password at {self}.",
                code="password-missing",
                remedy=_REMEDIES[self.kind].format(name=self.name),
                origin=str(self),
            )
        return Secret(text)


_REMEDIES = {
    PassphraseKind.ENV: "Set the environment variable {name}.",
    PassphraseKind.FILE: "Write the password to {name}, readable by this user alone.",
    PassphraseKind.FD: "Let the parent process open descriptor {name}.",
    PassphraseKind.CREDENTIAL: "Add LoadCredential={name}:PATH or LoadCredentialEncrypted= to the unit.",
    PassphraseKind.KEYRING: "Store it: secret-tool store --label=azcert application azcert name {name}",
}


def _environment(name: str) -> str | None:
    return os.environ.get(name)


def _file(name: str) -> str | None:
    return _one_line(Path(name).read_bytes())


def _descriptor(name: str) -> str | None:
    with os.fdopen(int(name), "rb") as stream:
        return _one_line(stream.read())


def _credential(name: str) -> str | None:
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    # A name is one component: systemd.exec(5) forbids separators, and here they would leave the folder.
    if folder is None or "/" in name or name in {".", ".."}:
        return None
    return _one_line(Path(folder, name).read_bytes())


def _keyring(name: str) -> str | None:
    try:
        # Late: an extra, and D-Bus is not to be woken for other origins.
        import secretstorage
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "Passwords of the desktop keyring need the package 'secretstorage'.",
            code="extra-missing",
            remedy='Install it: pip install "azcert[keyring]".',
        ) from error
    try:
        connection = secretstorage.dbus_init()
        try:
            found = next(
                secretstorage.search_items(connection, {"application": "azcert", "name": name}), None
            )
            if found is None:
                return None
            if found.is_locked():
                found.unlock()
            return str(found.get_secret().decode())
        finally:
            connection.close()
    except secretstorage.SecretStorageException as error:
        raise ConfigurationError(
            f"The desktop keyring did not answer: {error}.",
            code="password-unreadable",
            remedy="Log in to the desktop, or keep the password in a systemd credential or file.",
        ) from error


def _one_line(data: bytes) -> str:
    return data.decode().removesuffix("\n").removesuffix("\r")


_READERS = {
    PassphraseKind.ENV: _environment,
    PassphraseKind.FILE: _file,
    PassphraseKind.FD: _descriptor,
    PassphraseKind.CREDENTIAL: _credential,
    PassphraseKind.KEYRING: _keyring,
}
