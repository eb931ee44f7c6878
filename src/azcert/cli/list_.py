"""``azcert list``: what the certificate stores hold, and for how long."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from azcert.cli.output import data, json_option, talk
from azcert.cli.store_options import open_named, store_option

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azcert.stores.directory.store import DirectoryStore
    from azcert.stores.dotnet import DotnetStore
    from azcert.stores.store import Entry

__all__ = ["list_"]

_SOON = dt.timedelta(days=30)


@click.command("list")
@store_option(None)
@json_option
def list_(*, store: str | None, as_json: bool) -> None:
    """List the certificates of a store; without --store, of every store of this user and this machine.

    Shows for each how long it is valid, how its private key is protected, and whether this user may use it.

    Exit codes: 0 done, even where there is nothing, 1 failed, 2 wrong usage.

    \b
    Examples:
      azcert list
      azcert list --store LocalMachine/My
      azcert list --json | jq -r '.[] | select(.expires_in_days < 30) | .thumbprint'
    """
    stores = [open_named(store)] if store is not None else _all_stores()
    found = [(each, sorted(each.entries(), key=lambda entry: entry.not_after)) for each in stores]
    now = dt.datetime.now(dt.UTC)
    if as_json:
        rows = [row for each, entries in found for row in _described(each, entries, now)]
        data(rows, as_json=True)
        return
    if not any(entries for _, entries in found):
        talk(f"No certificates in {', '.join(str(each) for each in stores) or 'any store'}.")
    for each, entries in found:
        if entries:
            data(str(each))
            data(_table(each, entries, now))


def _all_stores() -> list[DirectoryStore | DotnetStore]:
    from azcert.stores.directory.places import folders_in
    from azcert.stores.directory.store import DirectoryStore
    from azcert.stores.names import Location, StoreName

    stores: list[DirectoryStore | DotnetStore] = []
    for location in Location:
        folder = folders_in(location)
        present = folder.iterdir() if os.access(folder, os.R_OK) else ()
        names = sorted(each.name for each in present if each.is_dir())
        stores += [DirectoryStore(StoreName(location, name)) for name in names]
    dotnet = open_named("dotnet:CurrentUser/My")
    return [*stores, *([dotnet] if dotnet.folder.is_dir() else [])]


def _table(store: DirectoryStore | DotnetStore, entries: Sequence[Entry], now: dt.datetime) -> str:
    lines = [("", "THUMBPRINT", "EXPIRES", "KEY", "SUBJECT")]
    usable = _usable(store, entries)
    for entry in entries:
        mark = "!" if not entry.is_valid_at(now) or entry.not_after - now < _SOON else ""
        lines.append((mark, entry.thumbprint, _expiry(entry, now), _key(entry, usable), entry.subject))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        " ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _expiry(entry: Entry, now: dt.datetime) -> str:
    day = f"{entry.not_after:%Y-%m-%d}"
    if entry.not_after < now:
        return f"{day} expired"
    if entry.not_before > now:
        return f"{day} valid from {entry.not_before:%Y-%m-%d}"
    return f"{day} in {(entry.not_after - now).days} days"


def _key(entry: Entry, usable: set[str]) -> str:
    if not entry.has_key:
        return "none"
    words = [entry.protection or "file"]
    words += ["exportable"] if entry.exportable else []
    words += ["closed to you"] if entry.thumbprint not in usable else []
    return ", ".join(words)


def _usable(store: DirectoryStore | DotnetStore, entries: Sequence[Entry]) -> set[str]:
    """Return the thumbprints of the keys this user may use, as far as files tell; none is opened for that."""
    from azcert.stores.directory.store import DirectoryStore

    files = {entry.thumbprint: Path(entry.path or "") for entry in entries}
    if isinstance(store, DirectoryStore):
        files = {path.name.partition(".")[0]: path for path in store.folder.glob("*.key")}
    return {
        entry.thumbprint
        for entry in entries
        if entry.source is not None
        or (entry.thumbprint in files and os.access(files[entry.thumbprint], os.R_OK))
    }


def _described(
    store: DirectoryStore | DotnetStore, entries: Sequence[Entry], now: dt.datetime
) -> list[dict[str, Any]]:
    usable = _usable(store, entries)
    return [
        {
            "store": str(entry.store),
            "folder": str(store.folder),
            "thumbprint": entry.thumbprint,
            "thumbprint_sha256": entry.thumbprint_sha256,
            "subject": entry.subject,
            "issuer": entry.issuer,
            "serial_number": entry.serial,
            "not_before": entry.not_before.isoformat(),
            "not_after": entry.not_after.isoformat(),
            "expires_in_days": (entry.not_after - now).days,
            "has_key": entry.has_key,
            "key_usable": entry.has_key and entry.thumbprint in usable,
            "protection": entry.protection,
            "exportable": entry.exportable,
            "key_source": entry.source,
            "path": entry.path,
        }
        for entry in entries
    ]
