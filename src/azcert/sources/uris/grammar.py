"""What every source URI is made of: percent-encoding (RFC 3986), parameters, faults that point."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar, NamedTuple
from urllib.parse import quote, unquote_to_bytes

from azcert.errors import SourceError
from azcert.stores.passphrase import PassphraseFrom, PassphraseKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = [
    "PASSWORD_KEYS",
    "Field",
    "SourceUri",
    "decode",
    "decode_bytes",
    "encode",
    "fault",
    "nearest",
    "password_from",
    "print_query",
    "read_query",
]

_BARE_SECRET = re.compile(r"(?i)\b(password|passwd|passphrase|pass|pwd|pin|pin-value|secret)=([^&;]*)")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_SHOWN = 60  # characters of context on each side of a fault

PASSWORD_KEYS = {f"password-{kind}": kind for kind in PassphraseKind}
"""Parameters that say where a password comes from; every scheme with a password takes them."""


class SourceUri:
    """Base of what the name of a source reads as; ``str()`` prints it so that it reads back.

    :cvar kind: the scheme that `azcert.sources.open` opens it by.
    """

    kind: ClassVar[str]


class Field(NamedTuple):
    """One parameter's decoded value and where it and its name begin in the text."""

    value: str
    position: int
    key_position: int


def fault(
    text: str, position: int, message: str, *, remedy: str | None = None, code: str = "malformed-source"
) -> SourceError:
    """Return the error that points at *position* of *text*; values of bare passwords are masked."""
    return SourceError(
        message, code=code, remedy=remedy, position=position, pointer=_pointer(text, min(position, len(text)))
    )


def _pointer(text: str, position: int) -> str:
    masked = _BARE_SECRET.sub(lambda found: f"{found[1]}={'*' * len(found[2])}", text)
    visible = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in masked)
    begin = max(0, position - _SHOWN)
    return f"{visible[begin : position + _SHOWN]}\n{' ' * (position - begin)}^"


def nearest(word: str, known: Collection[str]) -> str | None:
    """Return the known word most like *word*, if any is."""
    import difflib  # only for messages

    return next(iter(difflib.get_close_matches(word.lower(), known, n=1, cutoff=0.5)), None)


def decode_bytes(text: str, start: int, end: int) -> bytes:
    """Return ``text[start:end]`` as bytes, percent-encoded ones decoded."""
    bad = _BAD_PERCENT.search(text, start, end)
    if bad is not None:
        raise fault(
            text,
            bad.start(),
            "'%' must be followed by two hexadecimal digits.",
            remedy="Write a literal percent sign as '%25'.",
        )
    return unquote_to_bytes(text[start:end].encode("utf-8", "surrogateescape"))


def decode(text: str, start: int, end: int) -> str:
    """Return ``text[start:end]`` with percent-encoded bytes decoded, as UTF-8 where they are.

    Other bytes survive as Python's file names keep them (PEP 383).
    """
    raw = decode_bytes(text, start, end)
    if 0 in raw:
        raise fault(text, text.find("%00", start, end), "A source cannot contain the character NUL.")
    return raw.decode("utf-8", "surrogateescape")


def encode(value: str, *, safe: str = "/") -> str:
    """Percent-encode all of *value* but unreserved characters and *safe*; `decode` gives it back."""
    return quote(value, safe=safe, errors="surrogateescape")


def read_query(text: str, start: int, known: Collection[str]) -> dict[str, Field]:
    """Read ``name=value&name=value`` from *start* to the end of *text*.

    :raises azcert.errors.SourceError: a name is unknown, is given twice, or has no value.
    """
    fields: dict[str, Field] = {}
    position = start
    for piece in text[start:].split("&"):
        key, equals, _ = piece.partition("=")
        name = key.lower()
        if _BARE_SECRET.match(f"{name}="):
            raise fault(
                text,
                position,
                f"A source never contains a password itself, as {name}= would: it is shown, logged and kept.",
                remedy="Say where it is: password-env=NAME, password-file=PATH or password-credential=NAME.",
                code="bare-password",
            )
        if name not in known:
            raise fault(text, position, _unknown(name, known), code="unknown-parameter")
        if not equals:
            raise fault(text, position + len(key), f"The parameter {name} has no '=' and value.")
        if name in fields:
            raise fault(text, position, f"The parameter {name} is given twice.")
        value_at = position + len(key) + 1
        value = decode(text, value_at, position + len(piece))
        if not value:
            raise fault(text, value_at, f"The parameter {name} is empty.")
        fields[name] = Field(value, value_at, position)
        position += len(piece) + 1
    return fields


def _unknown(name: str, known: Collection[str]) -> str:
    if not name:
        return "Here a parameter's name is missing."
    near = nearest(name, known)
    if near:
        return f"{name!r} is no parameter of this source; did you mean {near!r}?"
    shown = ", ".join(sorted(set(known) - set(PASSWORD_KEYS))) or "none but password-*"
    return f"{name!r} is no parameter of this source; it knows {shown}."


def password_from(text: str, fields: Mapping[str, Field]) -> PassphraseFrom | None:
    """Return where the password comes from, if a ``password-*`` parameter says so."""
    given = [(name, field) for name, field in fields.items() if name in PASSWORD_KEYS]
    if not given:
        return None
    if len(given) > 1:
        raise fault(text, given[1][1].key_position, f"{given[0][0]} and {given[1][0]} exclude each other.")
    name, field = given[0]
    if PASSWORD_KEYS[name] is PassphraseKind.FD and not (field.value.isascii() and field.value.isdigit()):
        raise fault(text, field.position, "A file descriptor is a number, such as 3.")
    return PassphraseFrom(PASSWORD_KEYS[name], field.value)


def print_query(password: PassphraseFrom | None = None, /, **values: str | None) -> str:
    """Return ``?name=value&...`` of what is not None, underscores as dashes; empty where nothing is."""
    pairs = [(name.replace("_", "-"), value) for name, value in values.items() if value is not None]
    if password is not None:
        pairs.append((f"password-{password.kind}", password.name))
    return "?" + "&".join(f"{name}={encode(value)}" for name, value in pairs) if pairs else ""
