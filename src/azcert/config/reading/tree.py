"""Where settings are found: sections within sections, case aside, and the references that lead elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from azcert._redact import Secret
from azcert._values import nearest
from azcert.config.reading.layers import Layer, fold
from azcert.config.reading.origin import Entry, Origin, Place, wrong
from azcert.config.reading.references import KeyVaultReference, read_key_vault_reference, section_reference
from azcert.config.reading.secrecy import is_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Self

    from azcert.errors import ConfigurationError

__all__ = ["Resolver", "Tree", "circle"]

Resolver: TypeAlias = "Callable[[KeyVaultReference, Entry], str]"

_MAX_HOPS = 20


class Tree:
    """A section of settings, or all of them; keys are case-insensitive, ``:`` leads into sections.

    :param entries: entries of all layers, merged, by folded key.
    :param path: the section's path; empty for all.
    :param resolve: reads the secret behind a Key Vault reference; without it one is an error when it is read.
    """

    def __init__(self, entries: Layer, path: str = "", *, resolve: Resolver | None = None) -> None:
        self._entries = entries
        self._path = path
        self._prefix = f"{fold(path)}:" if path else ""
        self._resolve = resolve
        self._index: dict[str, dict[str, str]] | None = None

    def resolving(self, resolve: Resolver | None) -> Self:
        """Return the same settings, with *resolve* to read what Key Vault references refer to."""
        return type(self)(self._entries, self._path, resolve=resolve)

    @property
    def path(self) -> str:
        """The section's path, empty for the root."""
        return self._path

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._path or '(all)'}: {', '.join(self.names()) or 'empty'}>"

    def __bool__(self) -> bool:
        return bool(self.names())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (self.entry(name) is not None or bool(self.section(name)))

    def names(self) -> list[str]:
        """Return the names of the section's own values and sections, as written, in order."""
        return list(self._children().values())

    def _children(self) -> dict[str, str]:
        if self._index is None:
            self._index = _index(self._entries)
        return self._index.get(self._prefix, {})

    def section(self, name: str) -> Self:
        """Return the section of that name, empty if there is none; a ``$Section:Path`` value is followed.

        :raises azcert.errors.ConfigurationError: a reference leads nowhere or in a circle.
        """
        return self._follow(self._join(name), [])

    def _follow(self, path: str, seen: list[str]) -> Self:
        here = self._at(path)
        entry = self._entries.get(fold(path))
        target = section_reference(entry.text) if entry and isinstance(entry.text, str) else None
        if entry is None or target is None:
            return here
        if fold(path) in seen or len(seen) > _MAX_HOPS:
            raise circle(entry)
        found = self._follow(target, [*seen, fold(path)])
        if not found and fold(target) not in self._entries:
            raise self._dangling(entry, target)
        if not here:
            return found
        # Values beside the reference come from another layer: they go before those it refers to.
        referred = {here._prefix + key: each for key, each in found._relative()}  # noqa: SLF001
        return type(self)({**referred, **self._entries}, path, resolve=self._resolve)

    def completed(self, entries: Mapping[str, Entry]) -> Self:
        """Return the same section, with *entries* by their names where it has no value, or an empty one."""
        more = {
            self._prefix + fold(name): replace(entry, key=self._join(name))
            for name, entry in entries.items()
            if (mine := self.written(name)) is None or not mine.text
        }
        return type(self)({**self._entries, **more}, self._path, resolve=self._resolve)

    def _relative(self) -> list[tuple[str, Entry]]:
        return [
            (key[len(self._prefix) :], entry)
            for key, entry in self._entries.items()
            if key.startswith(self._prefix)
        ]

    def _at(self, path: str) -> Self:
        self._children()
        section = type(self)(self._entries, path, resolve=self._resolve)
        section._index = self._index  # noqa: SLF001 - another object of this class
        return section

    def _join(self, name: str) -> str:
        return f"{self._path}:{name}" if self._path else name

    def written(self, name: str) -> Entry | None:
        """Return the value as it is written, references not followed; None if there is none or it is null."""
        entry = self._entries.get(fold(self._join(name)))
        return None if entry is None or entry.text is None else entry

    def entry(self, name: str) -> Entry | None:
        """Return the value of that name with its origin; references are followed.

        :raises azcert.errors.ConfigurationError: a reference leads nowhere, or its secret cannot be read.
        """
        entry = self.written(name)
        for _ in range(_MAX_HOPS):
            if entry is None or not isinstance(entry.text, str):
                return entry
            target = section_reference(entry.text)
            if target is None:
                return self._without_escape(self._from_key_vault(entry))
            found = self._entries.get(fold(target))
            if found is None:
                return self._unresolved(entry, target)
            entry = None if found.text is None else found
        assert entry is not None, "the loop returns for None"  # noqa: S101
        raise circle(entry)

    def _unresolved(self, entry: Entry, target: str) -> Entry | None:
        if ":" not in target:
            return entry  # a text may begin with a dollar sign: $Default is a consumer group of Event Hubs
        if self._at(target):
            return None  # a whole section is referred to: that is section()'s to follow
        raise self._dangling(entry, target)

    def _dangling(self, entry: Entry, target: str) -> ConfigurationError:
        paths = {
            ":".join(each.key.split(":")[: depth + 1])
            for each in self._entries.values()
            for depth in range(each.key.count(":"))
        }
        near = nearest(target, paths)
        # What looks like a reference may be a password.
        shown = "a section" if is_secret(entry.key) else f"the section {target}"
        return wrong(
            entry,
            f"refers to {shown}, which these settings do not have",
            code="dangling-reference",
            remedy=f"Did you mean ${near}?"
            if near
            else f"Add {shown}, or write $$ for a text that begins with a dollar sign.",
        )

    @staticmethod
    def _without_escape(entry: Entry) -> Entry:
        if isinstance(entry.text, str) and entry.text.startswith("$$"):
            return Entry(entry.key, entry.text[1:], entry.text[1:], entry.origin)
        return entry

    def _from_key_vault(self, entry: Entry) -> Entry:
        assert isinstance(entry.text, str)  # noqa: S101 - the only caller has looked
        try:
            reference = read_key_vault_reference(entry.text)
        except ValueError as error:
            raise wrong(entry, f"is no Key Vault reference; {error}", code="malformed-reference") from None
        if reference is None:
            return entry
        if self._resolve is None:
            raise wrong(
                entry,
                "is a Key Vault reference, and these settings have nothing to sign in with",
                code="unresolved-reference",
                remedy="Read it through AzureClients, which resolves references.",
            )
        secret = Secret(self._resolve(reference, entry))
        origin = Origin(Place.KEY_VAULT, f"Key Vault secret {reference}; {entry.origin}")
        return Entry(entry.key, secret, None, origin)

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over all values of the section, at any depth, as they are written."""
        return iter([entry for _, entry in self._relative()])


def circle(entry: Entry) -> ConfigurationError:
    """Return the error about a reference that leads back to itself."""
    return wrong(entry, "refers to itself in a circle", code="circular-reference", remedy="Break the circle.")


def _index(entries: Layer) -> dict[str, dict[str, str]]:
    """Return for each folded section prefix the names in it."""
    index: dict[str, dict[str, str]] = {}
    for folded, entry in entries.items():
        head, colon, last = folded.rpartition(":")
        known = index.get(head + colon)
        if known is not None and entry.text is not None and entry.key.count(":") == folded.count(":"):
            known.setdefault(last, entry.name)  # its sections are there already
            continue
        parts, names = folded.split(":"), entry.key.split(":")
        prefix = ""
        for depth, part in enumerate(parts):
            if entry.text is None and depth == len(parts) - 1:
                break  # a null has no name: it hides one
            name = names[depth] if len(names) == len(parts) else part
            index.setdefault(prefix, {}).setdefault(part, name)
            prefix += f"{part}:"
    return index
