"""``pkcs11:`` URIs after RFC 7512: the whole attribute grammar, without I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, ClassVar

from azcert.sources.uris.grammar import (
    PASSWORD_KEYS,
    SourceUri,
    decode,
    decode_bytes,
    encode,
    fault,
    nearest,
    password_from,
    read_query,
)
from azcert.stores.passphrase import PassphraseFrom, PassphraseKind

if TYPE_CHECKING:
    from azcert.sources.uris.grammar import Field

__all__ = ["Pkcs11Uri", "parse_pkcs11"]

_TYPES = ("private", "public", "cert", "secret-key", "data")

# pk11-pchar of RFC 7512, 2.3: unreserved, pk11-path-res-avail, or percent-encoded. The query adds "/?|".
_RESERVED = ":[]@!$'()*+,=&"
_NOT_IN_PATH = re.compile(rf"[^A-Za-z0-9\-._~%{re.escape(_RESERVED)}]")
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)?")
_NUMBER = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class Pkcs11Uri(SourceUri):
    """A certificate or key in a PKCS#11 token; an attribute that is None matches everything.

    The names are those of RFC 7512, 2.3 and 2.4, with underscores. ``pin`` says where the PIN comes from:
    ``pin-source=/path``, ``pin-source=file:/path``, ``pin-source=env:NAME`` or a ``password-*`` parameter.
    ``certificate`` is azcert's own query attribute: a file with the certificate, where the token has none.
    """

    kind: ClassVar[str] = "pkcs11"

    token: str | None = None
    manufacturer: str | None = None
    serial: str | None = None
    model: str | None = None
    library_manufacturer: str | None = None
    library_version: str | None = None
    library_description: str | None = None
    object: str | None = None
    type: str | None = None
    id: bytes | None = None
    slot_id: int | None = None
    slot_manufacturer: str | None = None
    slot_description: str | None = None
    module_name: str | None = None
    module_path: str | None = None
    pin: PassphraseFrom | None = None
    certificate: str | None = None

    def __str__(self) -> str:
        pairs = [(name, getattr(self, name.replace("-", "_"))) for name in (*_PATH, *_QUERY)]
        path = [f"{name}={_print(value)}" for name, value in pairs if value is not None and name in _PATH]
        query = [f"{name}={_print(value)}" for name, value in pairs if value is not None and name in _QUERY]
        if self.pin is not None and self.pin.kind in _PIN_SOURCES:
            # A path that begins with two slashes would read as file://HOST (RFC 8089).
            host = "//" if self.pin.name.startswith("//") else ""
            query.append(f"pin-source={self.pin.kind}:{host}{encode(self.pin.name)}")
        elif self.pin is not None:
            query.append(f"password-{self.pin.kind}={encode(self.pin.name)}")
        return f"pkcs11:{';'.join(path)}{'?' if query else ''}{'&'.join(query)}"


_QUERY = ("module-name", "module-path", "certificate")
_PATH = tuple(
    name
    for name in (field.name.replace("_", "-") for field in fields(Pkcs11Uri))
    if name not in {*_QUERY, "pin"}
)
_PIN_SOURCES = (PassphraseKind.FILE, PassphraseKind.ENV)


def parse_pkcs11(text: str, start: int) -> Pkcs11Uri:
    """Read what follows ``pkcs11:`` in *text*, from *start*.

    :raises azcert.errors.SourceError: an attribute is unknown, malformed or given twice.
    """
    path_end = text.find("?", start)
    path_end = len(text) if path_end < 0 else path_end
    values: dict[str, Any] = {}
    position = start
    for piece in text[start:path_end].split(";") if path_end > start else ():
        name, equals, _ = piece.partition("=")
        if name not in _PATH:
            raise _unknown(text, position, name)
        if not equals:
            raise fault(text, position + len(name), f"The attribute {name} has no '=' and value.")
        if name.replace("-", "_") in values:
            raise fault(text, position, f"The attribute {name} is given twice (RFC 7512, 2.3).")
        values[name.replace("-", "_")] = _value(text, name, position + len(name) + 1, position + len(piece))
        position += len(piece) + 1
    if path_end < len(text):
        found = read_query(text, path_end + 1, {*_QUERY, *PASSWORD_KEYS, "pin-source"})
        values |= {name.replace("-", "_"): found[name].value for name in _QUERY if name in found}
        values["pin"] = _pin(text, found)
    return Pkcs11Uri(**values)


def _value(text: str, name: str, start: int, end: int) -> str | bytes | int:
    wrong = _NOT_IN_PATH.search(text, start, end)
    if wrong is not None:
        encoded = encode(wrong[0], safe="")
        raise fault(
            text,
            wrong.start(),
            f"The character {wrong[0]!r} cannot stand in the attribute {name}.",
            remedy=f"Write it percent-encoded: {encoded}",
        )
    if name == "id":
        return decode_bytes(text, start, end)
    value = decode(text, start, end)
    match name:
        case "type" if value not in _TYPES:
            raise fault(text, start, f"The type {value!r} is unknown; it is one of {', '.join(_TYPES)}.")
        case "library-version" if not _VERSION.fullmatch(value):
            raise fault(text, start, "library-version is a number, or two with a dot between them.")
        case "slot-id":
            if not _NUMBER.fullmatch(value):
                raise fault(text, start, "slot-id is a decimal number.")
            # CK_SLOT_ID is an unsigned long; Python also refuses to convert thousands of digits.
            if len(value.lstrip("0")) > len(str(2**64)) or int(value) >= 2**64:
                raise fault(text, start, "slot-id is larger than any slot's.")
            return int(value)
        case _:
            return value


def _pin(text: str, found: dict[str, Field]) -> PassphraseFrom | None:
    password = password_from(text, found)
    source = found.get("pin-source")
    if source is None:
        return password
    if password is not None:
        raise fault(text, source.key_position, "pin-source and password-* exclude each other.")
    if source.value.startswith("|"):
        raise fault(
            text,
            source.position,
            "A pin-source that runs a command is not followed: naming a certificate must not run programs.",
            remedy="Give a file or environment variable: pin-source=file:/path or pin-source=env:NAME.",
        )
    for kind in _PIN_SOURCES:
        if source.value.startswith(f"{kind}:"):
            name = source.value.removeprefix(f"{kind}:")
            # file:///path as RFC 8089 writes it.
            if kind is PassphraseKind.FILE and name.startswith("///"):
                name = name[2:]
            if not name:
                raise fault(text, source.position, f"After '{kind}:' a name is missing.")
            return PassphraseFrom(kind, name)
    return PassphraseFrom(PassphraseKind.FILE, source.value)


def _unknown(text: str, position: int, name: str) -> Exception:
    if name in {*_QUERY, *PASSWORD_KEYS, "pin-source"}:
        return fault(text, position, f"{name} belongs behind the '?', separated by '&' (RFC 7512, 2.4).")
    near = nearest(name, _PATH)
    hint = f"did you mean {near!r}?" if near else f"RFC 7512 knows {', '.join(_PATH)}."
    return fault(text, position, f"{name!r} is no PKCS#11 attribute; {hint}", code="unknown-parameter")


def _print(value: str | bytes | int) -> str:
    if isinstance(value, bytes):
        # RFC 7512, 2.3: the whole id should be percent-encoded, since it is binary data.
        return "".join(f"%{each:02X}" for each in value)
    return encode(str(value), safe="")
