"""``store:``, ``cert:`` and ``dotnet:`` URIs: one certificate of a certificate store."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, ClassVar, Literal

from azcert.certificate.thumbprint import read_thumbprint
from azcert.errors import SourceError
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
from azcert.stores.names import Location, Selector, StoreName

if TYPE_CHECKING:
    from azcert.sources.uris.grammar import Field
    from azcert.stores.passphrase import PassphraseFrom

__all__ = ["DotnetUri", "StoreUri", "parse_cert", "parse_dotnet", "parse_store", "parse_store_name"]

_SELECTORS = tuple(field.name for field in fields(Selector))
_SEPARATORS = "/\\"
_LOCATIONS = {location.lower(): location for location in Location}
_NAME = re.compile(r"[^\W_][\w .\-]*")
_SERIAL_NOISE = re.compile(r"[\s:]|[\u200b-\u200f\ufeff]")


@dataclass(frozen=True)
class StoreUri(SourceUri):
    """A certificate of azcert's store, on Windows of the system's.

    :param spelling: ``store`` for ``store:CurrentUser/My?thumbprint=...``, ``cert`` for
        ``cert:/CurrentUser/My/THUMBPRINT`` (Azure.Identity for .NET 1.19, PowerShell).
    :param password: opens an encrypted key; the entry remembers an origin of its own.
    """

    kind: ClassVar[str] = "store"

    store: StoreName
    selector: Selector
    spelling: Literal["store", "cert"] = "store"
    password: PassphraseFrom | None = None

    def __str__(self) -> str:
        if self.spelling == "cert":
            return f"cert:/{_print_name(self.store)}/{self.selector.thumbprint}{print_query(self.password)}"
        return f"store:{_print_name(self.store)}{print_query(self.password, **vars(self.selector))}"


@dataclass(frozen=True)
class DotnetUri(SourceUri):
    """A certificate of the store that .NET programs use on Linux."""

    kind: ClassVar[str] = "dotnet"

    store: StoreName
    selector: Selector

    def __str__(self) -> str:
        return f"dotnet:{_print_name(self.store)}{print_query(**vars(self.selector))}"


def parse_store_name(text: str) -> StoreName:
    """Read ``CurrentUser/My``, as commands take it.

    :raises azcert.errors.SourceError: it is not location and name.
    """
    return _store_name(text, 0, len(text))


def parse_store(text: str, start: int) -> StoreUri:
    """Read what follows ``store:`` in *text*, from *start*."""
    store, found = _store_and_query(text, start, (*_SELECTORS, *PASSWORD_KEYS))
    return StoreUri(store, _selector(text, found), "store", password_from(text, found))


def parse_dotnet(text: str, start: int) -> DotnetUri:
    """Read what follows ``dotnet:`` in *text*, from *start*."""
    store, found = _store_and_query(text, start, _SELECTORS)
    return DotnetUri(store, _selector(text, found))


def parse_cert(text: str, start: int) -> StoreUri:
    """Read what follows ``cert:`` in *text*, from *start*; slashes may lean either way."""
    end = text.find("?", start)
    end = len(text) if end < 0 else end
    last = max(text.rfind(separator, start, end) for separator in _SEPARATORS)
    if last < 0:
        raise fault(text, start, "Expected cert:/CurrentUser/My/THUMBPRINT.")
    name = _store_name(text, start, last)
    thumbprint = _thumbprint(text, decode(text, last + 1, end), last + 1)
    found = read_query(text, end + 1, PASSWORD_KEYS) if end < len(text) else {}
    return StoreUri(name, Selector(thumbprint=thumbprint), "cert", password_from(text, found))


def _store_and_query(text: str, start: int, known: tuple[str, ...]) -> tuple[StoreName, dict[str, Field]]:
    end = text.find("?", start)
    store = _store_name(text, start, len(text) if end < 0 else end)
    if end < 0:
        raise fault(
            text,
            len(text),
            "Here it must say which certificate of the store is meant.",
            remedy="Add ?thumbprint=..., ?subject=..., ?issuer=... or ?serial=...",
        )
    return store, read_query(text, end + 1, known)


def _store_name(text: str, start: int, end: int) -> StoreName:
    while start < end and text[start] in _SEPARATORS:
        start += 1
    parts = re.split(r"[/\\]", text[start:end])
    location = _LOCATIONS.get(parts[0].lower())
    if location is None:
        near = nearest(parts[0], _LOCATIONS)
        hint = f"did you mean {_LOCATIONS[near]}?" if near else "expected CurrentUser or LocalMachine."
        raise fault(text, start, f"{parts[0]!r} is no store location; {hint}")
    name_at = min(start + len(parts[0]) + 1, end)
    if len(parts) == 1:
        raise fault(text, name_at, "The name of a store is missing, such as My.")
    if len(parts) > 2:  # noqa: PLR2004 -- location and name
        extra_at = name_at + len(parts[1])
        raise fault(text, extra_at, "After the store's name, only '?' and parameters may follow.")
    name = decode(text, name_at, end)
    if not _NAME.fullmatch(name) or name.endswith((" ", ".")):
        raise fault(text, name_at, "A store's name is made of letters, digits, spaces, '-', '_' and '.'.")
    return StoreName(location, name)


def _selector(text: str, found: dict[str, Field]) -> Selector:
    thumbprint, serial = found.get("thumbprint"), found.get("serial")
    selector = Selector(
        thumbprint=None if thumbprint is None else _thumbprint(text, thumbprint.value, thumbprint.position),
        serial=None if serial is None else _serial(text, serial),
        **{name: found[name].value for name in ("subject", "issuer") if name in found},
    )
    if not selector:
        raise fault(
            text,
            len(text),
            "Nothing says which certificate of the store is meant.",
            remedy="Add thumbprint=..., subject=..., issuer=... or serial=...",
        )
    return selector


def _thumbprint(text: str, value: str, position: int) -> str:
    try:
        return read_thumbprint(value)
    except SourceError as error:
        # The offset counts decoded characters: only where nothing was encoded does it point into the text.
        inside = error.details["position"] if text.startswith(value, position) else 0
        raise fault(text, position + inside, error.message, remedy=error.remedy, code=error.code) from None


def _serial(text: str, field: Field) -> str:
    serial = _SERIAL_NOISE.sub("", field.value).upper()
    if not re.fullmatch(r"[0-9A-F]{1,64}", serial):
        raise fault(text, field.position, "A serial number is hexadecimal or decimal, 64 digits at most.")
    return serial


def _print_name(store: StoreName) -> str:
    return f"{store.location}/{encode(store.name)}"
