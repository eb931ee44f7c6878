"""From a source's name to the source: one table, nothing tried in turn, each opener imported when used."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from azcert.errors import ConfigurationError
from azcert.sources.uris.uri import SourceUri, parse_source

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from azcert._redact import Secret
    from azcert.sources.source import Source

__all__ = ["open_source", "require_library"]

# Kind of source -> module with open(uri, *, password, credential) -> Source.
_OPENERS = {
    "file": "azcert.sources.openers.file",
    "env": "azcert.sources.openers.data",
    "fd": "azcert.sources.openers.data",
    "store": "azcert.sources.openers.store",
    "dotnet": "azcert.sources.openers.store",
    "pkcs11": "azcert.sources.openers.pkcs11",
    "tpm": "azcert.sources.openers.tpm",
    "keyvault": "azcert.sources.openers.keyvault",
}

# Kind of source -> the library it needs, and the extra of azcert that brings it.
_EXTRAS = {
    "pkcs11": ("pkcs11", "pkcs11"),
    "tpm": ("tpm2_pytss", "tpm"),
    "keyvault": ("azure.keyvault.keys", "keyvault"),
}


def open_source(
    source: str | os.PathLike[str] | SourceUri | Source,
    *,
    password: Secret | None = None,
    credential: TokenCredential | None = None,
) -> Source:
    """Return the source of that name; a source is returned as it is.

    :param source: a path, a URI (`azcert.sources.uris.uri`), a parsed one, or a ready source.
    :param password: opens the key; without it, the ``password-*`` parameter of the URI says where it is.
    :param credential: signs in to Key Vault for ``keyvault:`` sources; without it, azure-identity's default.
    :raises azcert.errors.SourceError: the name is not well formed.
    :raises azcert.errors.ConfigurationError: the password cannot be read, or a library is not installed.
    """
    if isinstance(source, str | os.PathLike):
        source = parse_source(source)
    if not isinstance(source, SourceUri):
        return source
    require_library(source)
    origin = getattr(source, "pin", None) or getattr(source, "password", None)
    if password is None and origin is not None:
        password = origin.read()
    opener: Any = import_module(_OPENERS[source.kind])
    opened: Source = opener.open(source, password=password, credential=credential)
    return opened


def require_library(uri: SourceUri) -> None:
    """Refuse a source whose library is not installed.

    :raises azcert.errors.ConfigurationError: ``extra-missing``.
    """
    module, extra = _EXTRAS.get(uri.kind, (None, None))
    if module is not None and find_spec(module) is None:
        raise ConfigurationError(
            f"{uri} needs the Python package '{module}', which is not installed.",
            code="extra-missing",
            remedy=f'Install it: pip install "azcert[{extra}]".',
            extra=extra,
        )
