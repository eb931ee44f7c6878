"""What the commands about certificate stores share: naming a store, and one certificate in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.stores.directory.store import DirectoryStore
    from azcert.stores.dotnet import DotnetStore
    from azcert.stores.names import Selector
    from azcert.stores.store import Entry

__all__ = ["find_one", "open_named", "open_own", "selector_argument", "store_option"]

_DOTNET = "dotnet:"
_URIS = ("store:", "cert:", _DOTNET)


def store_option(default: str | None) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--store``; the command gets its text as *store*."""
    return click.option(
        "--store",
        metavar="STORE",
        default=default,
        show_default=default is not None,
        help="CurrentUser/My, LocalMachine/My, .../Root, .../CA; dotnet:CurrentUser/My for .NET's.",
    )


selector_argument = click.argument("selector")
"""SELECTOR: a thumbprint, ``subject=...`` and the like, or a whole ``store:`` URI."""


def open_named(text: str) -> DirectoryStore | DotnetStore:
    """Return the store that ``--store`` names.

    :raises azcert.errors.SourceError: the name is not well formed.
    """
    from azcert.sources.uris.store import parse_store_name

    if text.lower().startswith(_DOTNET):
        from azcert.stores.dotnet import DotnetStore

        return DotnetStore(parse_store_name(text[len(_DOTNET) :]))
    return open_own(text)


def open_own(text: str) -> DirectoryStore:
    """Return azcert's own store of that name.

    :raises azcert.errors.ConfigurationError: ``not-here``: on Windows, the system's tools manage its stores.
    """
    import sys

    from azcert.errors import ConfigurationError
    from azcert.sources.uris.store import parse_store_name

    name = parse_store_name(text.removeprefix("store:"))
    if sys.platform == "win32":
        raise ConfigurationError(
            f"On Windows the store {name} is the system's, and its own tools manage it.",
            code="not-here",
            remedy="Use certmgr.msc, certlm.msc or Import-PfxCertificate; azcert signs with what is there.",
        )
    from azcert.stores.directory.store import DirectoryStore

    return DirectoryStore(name)


def find_one(selector: str, store: str) -> tuple[DirectoryStore | DotnetStore, Entry]:
    """Return the one certificate that SELECTOR names, and its store.

    :raises azcert.errors.SelectionError: ``not-found`` or ``ambiguous``.
    """
    from azcert.stores.find import only

    opened, wanted = _read(selector, store)
    if wanted.thumbprint is not None:
        entry = opened.get(wanted.thumbprint)
        if entry is not None:
            return opened, only([entry], wanted, where=str(opened))
    return opened, only(opened.entries(), wanted, where=str(opened))


def _read(selector: str, store: str) -> tuple[DirectoryStore | DotnetStore, Selector]:
    from azcert.certificate.thumbprint import read_thumbprint
    from azcert.sources.uris.uri import DotnetUri, StoreUri, parse_source
    from azcert.stores.names import Selector

    if selector.lower().startswith(_URIS):
        uri = parse_source(selector)
    elif "=" in selector:
        prefix = store if store.lower().startswith(_DOTNET) else f"store:{store}"
        uri = parse_source(f"{prefix}?{selector}")
    else:
        return open_named(store), Selector(thumbprint=read_thumbprint(selector))
    if isinstance(uri, DotnetUri):
        return open_named(f"{_DOTNET}{uri.store}"), uri.selector
    assert isinstance(uri, StoreUri), "it begins with store: or cert:"  # noqa: S101
    return open_named(str(uri.store)), uri.selector
