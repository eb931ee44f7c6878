r"""The grammar of certificate sources: read once, printed back, explained; nothing is opened here.

A text that begins with ``scheme:`` (two characters or more, RFC 3986, 3.1) is a URI, everything else is a
path: ``C:\app.pem`` and ``./env:app`` are paths. An unknown scheme is refused rather than tried as a file.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from azcert._late import late
from azcert.sources.uris.grammar import (
    PASSWORD_KEYS,
    SourceUri,
    decode,
    encode,
    fault,
    nearest,
    password_from,
    print_query,
    read_query,
)

if TYPE_CHECKING:
    from azcert.sources.uris.keyvault import KeyVaultUri
    from azcert.sources.uris.pkcs11 import Pkcs11Uri
    from azcert.sources.uris.store import DotnetUri, StoreUri
    from azcert.sources.uris.tpm import TpmUri
    from azcert.stores.passphrase import PassphraseFrom

__all__ = [
    "DotnetUri",
    "EnvUri",
    "FdUri",
    "FileUri",
    "KeyVaultUri",
    "Pkcs11Uri",
    "SourceUri",
    "StoreUri",
    "TpmUri",
    "parse_source",
]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):")
_DRIVE = re.compile(r"/[A-Za-z]:(?=[/\\]|\Z)")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_DESCRIPTOR = re.compile(r"[0-9]{1,7}")


@dataclass(frozen=True)
class FileUri(SourceUri):
    """A file: PEM, PKCS#12, DER or a TSS2 key with its certificate; told apart by its first bytes."""

    kind: ClassVar[str] = "file"

    path: str
    password: PassphraseFrom | None = None

    def __str__(self) -> str:
        if self.password is None and not _SCHEME.match(self.path):
            return self.path
        # Two slashes would begin a host; /C: would read as a drive.
        host = "//" if self.path.startswith("//") else ""
        path = encode(self.path, safe="/" if _DRIVE.match(self.path) else "/:")
        return f"file:{host}{path}{print_query(self.password)}"


@dataclass(frozen=True)
class EnvUri(SourceUri):
    """PEM or base64 PKCS#12 in an environment variable."""

    kind: ClassVar[str] = "env"

    variable: str
    password: PassphraseFrom | None = None

    def __str__(self) -> str:
        return f"env:{self.variable}{print_query(self.password)}"


@dataclass(frozen=True)
class FdUri(SourceUri):
    """PEM or PKCS#12 behind an open file descriptor."""

    kind: ClassVar[str] = "fd"

    number: int
    password: PassphraseFrom | None = None

    def __str__(self) -> str:
        return f"fd:{self.number}{print_query(self.password)}"


# Kinds with a module of their own are read only where they are met: start-up time is felt on every call.
_HOMES = {
    "DotnetUri": "azcert.sources.uris.store",
    "KeyVaultUri": "azcert.sources.uris.keyvault",
    "Pkcs11Uri": "azcert.sources.uris.pkcs11",
    "StoreUri": "azcert.sources.uris.store",
    "TpmUri": "azcert.sources.uris.tpm",
}


def __getattr__(name: str) -> Any:
    """Import a kind of source on first use (PEP 562)."""
    return late(name, _HOMES, globals())


def parse_source(source: str | os.PathLike[str]) -> SourceUri:
    """Read the name of a certificate; ``str()`` of the result is a name that reads back as the same value.

    A path object is always a path, whatever it contains.

    :raises azcert.errors.SourceError: the name is not well formed. ``details`` has ``position``, the offset
        of the fault, and ``pointer``, two lines of text that show it.
    """
    text = source if isinstance(source, str) else os.fspath(source)
    _check_text(text)
    scheme = _SCHEME.match(text)
    if not isinstance(source, str) or scheme is None:
        return FileUri(os.fsdecode(os.fsencode(text)))
    name = scheme[1].lower()
    if name not in _PARSERS:
        near = nearest(name, _PARSERS)
        hint = f"did you mean {near + ':'!r}?" if near else f"it is one of {', '.join(_PARSERS)}."
        raise fault(
            text,
            0,
            f"{scheme[0]!r} is no kind of certificate source; {hint}",
            remedy="If it is a file of that name, write ./ in front of it.",
            code="unknown-scheme",
        )
    module, _, function = _PARSERS[name].partition(":")
    parsed: SourceUri = getattr(import_module(module), function)(text, scheme.end())
    return parsed


def _check_text(text: str) -> None:
    if not text:
        raise fault(text, 0, "The name of a certificate source is empty.", code="empty-source")
    at = text.find("\0")
    if at >= 0:
        raise fault(text, at, "A source cannot contain the character NUL.")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as error:
        raise fault(text, error.start, "This character cannot be part of a name.") from error


def _query_of(text: str, start: int) -> tuple[int, PassphraseFrom | None]:
    end = text.find("?", start)
    if end < 0:
        return len(text), None
    return end, password_from(text, read_query(text, end + 1, PASSWORD_KEYS))


def _parse_file(text: str, start: int) -> FileUri:
    end, password = _query_of(text, start)
    if text.startswith("//", start):
        path_at = text.find("/", start + 2, end)
        path_at = end if path_at < 0 else path_at
        if text[start + 2 : path_at].lower() not in {"", "localhost"}:
            raise fault(text, start + 2, "A file: source names a file of this machine, not of another host.")
        start = path_at
    if _DRIVE.match(text, start, end):
        start += 1
    path = decode(text, start, end)
    if not path:
        raise fault(text, start, "After 'file:' a path is missing.")
    return FileUri(path, password)


def _parse_env(text: str, start: int) -> EnvUri:
    end, password = _query_of(text, start)
    if not _VARIABLE.fullmatch(text, start, end):
        raise fault(text, start, "After 'env:' the name of an environment variable is expected.")
    return EnvUri(text[start:end], password)


def _parse_fd(text: str, start: int) -> FdUri:
    end, password = _query_of(text, start)
    if not _DESCRIPTOR.fullmatch(text, start, end):
        raise fault(text, start, "After 'fd:' the number of an open file descriptor is expected.")
    return FdUri(int(text[start:end]), password)


# Scheme -> module:function that reads what follows it.
_PARSERS = {
    "file": f"{__name__}:_parse_file",
    "env": f"{__name__}:_parse_env",
    "fd": f"{__name__}:_parse_fd",
    "store": "azcert.sources.uris.store:parse_store",
    "cert": "azcert.sources.uris.store:parse_cert",
    "dotnet": "azcert.sources.uris.store:parse_dotnet",
    "pkcs11": "azcert.sources.uris.pkcs11:parse_pkcs11",
    "tpm": "azcert.sources.uris.tpm:parse_tpm",
    "keyvault": "azcert.sources.uris.keyvault:parse_keyvault",
}
