"""What both kinds of store have in common for a rotation."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from azcert._files import read_file
from azcert.certificate import formats
from azcert.errors import CertificateError, ConfigurationError, SelectionError
from azcert.stores.find import choose
from azcert.stores.store import Entry

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.sources.uris.uri import DotnetUri, StoreUri
    from azcert.stores.directory.store import DirectoryStore
    from azcert.stores.dotnet import DotnetStore

__all__ = ["judge_in_store", "read_staged"]


def judge_in_store(
    store: DirectoryStore | DotnetStore, uri: StoreUri | DotnetUri, successor: Certificate
) -> None:
    """Refuse a successor that *uri* would not give once it is in the store.

    :raises ConfigurationError: ``not-chosen``.
    """
    entries = [*store.entries(), Entry.of(store.name, successor, has_key=True)]
    try:
        chosen = choose(entries, uri.selector, now=dt.datetime.now(dt.UTC), where=str(store))
        found = f"would go on to give {chosen.thumbprint}"
        if chosen.thumbprint == successor.thumbprint:
            return
    except SelectionError as error:
        found = f"would give none: {error.message}"
    raise ConfigurationError(
        f"{uri} would not give {successor.thumbprint} ({successor.subject}, issued by {successor.issuer}, "
        f"valid from {successor.not_before:%Y-%m-%d %H:%M UTC} on): it {found}",
        code="not-chosen",
        remedy="Ask the authority for the name that the request bears, and for a later beginning.",
        source=str(uri),
    )


def read_staged(path: str, password: Secret | None) -> RSAPrivateKey:
    """Return the key that waits in a file for its place in the store.

    :raises CertificateError: it is not there any more.
    """
    key = formats.load(read_file(path, limit=formats.MAX_SIZE).data, password=password, name=path).key
    if not isinstance(key, RSAPrivateKey):
        raise CertificateError(
            f"{path} holds no RSA key.", code="key-missing", remedy="Begin anew: azcert rotate --abort"
        )
    return key
