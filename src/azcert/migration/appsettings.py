"""The sections of an appsettings file: found, and one key changed, with every other byte left as it is."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from azcert._redact import REDACTED, Secret
from azcert.config.json_reader import MalformedError, Node, read_json
from azcert.errors import ConfigurationError
from azcert.migration.model import Change, Identity

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["find", "rewrite"]

_STRING = r'"(?:[^"\\]|\\.)*"'
_PAIR = re.compile(rf"(?P<key>{_STRING})(?P<colon>\s*:\s*)(?P<value>{_STRING})")
_SECRET = "clientsecret"  # noqa: S105 - a key in lower case
_PLACES = ("certificate", "clientcertificatepath")


def find(text: str) -> list[Identity]:
    """Return every section that names an application with a secret or a certificate.

    :raises ConfigurationError: ``malformed``: the text is no JSON, even with comments.
    """
    return [_identity(path, members) for path, members in _sections(_read(text), ()) if _is_named(members)]


def rewrite(text: str, identity: Identity, source: str) -> Change:
    """Return the text with *source* in the place of the section's secret.

    :raises ConfigurationError: ``not-rewritable``: the section names its kind of credential, or the key is
        not found again where the reader saw it.
    """
    sections = {":".join(path): members for path, members in _sections(_read(text), ())}
    members = sections[identity.section]
    if "credential" in members:
        raise _not_rewritable(identity, "the section says which kind of credential it is (credential)")
    key, line, _ = members[_SECRET]
    after = "Certificate" if key[0].isupper() else "certificate"
    wanted = _shape(_read(text), identity.section, (key, after, source))
    at = sum(len(each) for each in text.splitlines(keepends=True)[: (line or 1) - 1])
    # A comment may hold the same words: what counts is what the whole file says afterwards.
    for match in _PAIR.finditer(text, at):
        if json.loads(match["key"], strict=False) != key:
            continue
        new = f"{json.dumps(after)}{match['colon']}{json.dumps(source, ensure_ascii=False)}"
        changed = text[: match.start()] + new + text[match.end() :]
        if _parses_as(changed, wanted):
            number = text.count("\n", 0, match.start()) + 1
            return Change(changed, number, f'{match["key"]}{match["colon"]}"{REDACTED}"', new)
    raise _not_rewritable(identity, "its text was not found again in the file")


def _parses_as(text: str, wanted: object) -> bool:
    try:
        return _shape(read_json(text), "", None) == wanted
    except MalformedError:
        return False


Member = tuple[str, int | None, Node]


def _sections(node: Node, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], dict[str, Member]]]:
    if node.pairs is None:
        return
    yield path, {key.lower(): (key, line, value) for key, line, value in node.pairs}
    for key, _, value in node.pairs:
        yield from _sections(value, (*path, key))


def _is_named(members: dict[str, Member]) -> bool:
    return "clientid" in members and any(_text(members, name) for name in (_SECRET, *_PLACES))


def _identity(path: tuple[str, ...], members: dict[str, Member]) -> Identity:
    secret = _text(members, _SECRET)
    return Identity(
        section=":".join(path),
        tenant_id=_text(members, "tenantid"),
        client_id=_text(members, "clientid"),
        secret=Secret(secret) if secret else None,
        certificate=next(filter(None, (_text(members, name) for name in _PLACES)), None),
    )


def _text(members: dict[str, Member], name: str) -> str | None:
    return members[name][2].text if name in members else None


def _shape(node: Node, section: str, change: tuple[str, str, str] | None) -> object:
    """Return what the file says, without lines; with *change* (old key, new key, new value) in *section*."""
    if node.items is not None:
        return [_shape(each, "\0", change) for each in node.items]
    if node.pairs is None:
        return (node.text, node.native)
    here, _, rest = section.partition(":")
    pairs: list[tuple[str, object]] = []
    for key, _, value in node.pairs:
        if change is not None and section == "" and key == change[0]:
            pairs.append((change[1], (change[2], change[2])))
        else:
            below = rest if key == here and section not in {"", "\0"} else "\0"
            pairs.append((key, _shape(value, below, change)))
    return pairs


def _read(text: str) -> Node:
    try:
        return read_json(text)
    except MalformedError as error:
        raise ConfigurationError(
            f"Line {error.line}, column {error.column} is no JSON: {error.message}",
            code="malformed",
            remedy="Mend the file first.",
        ) from error


def _not_rewritable(identity: Identity, found: str) -> ConfigurationError:
    return ConfigurationError(
        f"The section {identity.section or 'at the top'} cannot be rewritten: {found}.",
        code="not-rewritable",
        remedy='Replace "clientSecret" by "certificate": "PATH" by hand.',
    )
