"""Settings: sections and typed values, each with its origin; secrets redacted wherever they are shown."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from azcert._redact import Secret
from azcert._values import parse_boolean, parse_integer, parse_timespan
from azcert.config.layers import Layer, fold
from azcert.config.origin import Entry, Origin, Place, wrong
from azcert.config.references import KeyVaultReference, read_key_vault_reference, section_reference
from azcert.config.secrecy import shown

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator

    from azcert.errors import ConfigurationError

__all__ = ["Resolver", "Settings"]

T = TypeVar("T")
Resolver: TypeAlias = "Callable[[KeyVaultReference], str]"

_log = logging.getLogger("azcert.config")
_MAX_HOPS = 20
_warned: set[tuple[str, str]] = set()


class Settings:
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

    def resolving(self, resolve: Resolver | None) -> Settings:
        """Return the same settings, with *resolve* to read what Key Vault references refer to."""
        return Settings(self._entries, self._path, resolve=resolve)

    @property
    def path(self) -> str:
        """The section's path, empty for the root."""
        return self._path

    def __repr__(self) -> str:
        return f"<Settings {self._path or '(all)'}: {', '.join(self.names()) or 'empty'}>"

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

    def section(self, name: str) -> Settings:
        """Return the section of that name, empty if there is none; a ``$Section:Path`` value is followed.

        :raises azcert.errors.ConfigurationError: a reference leads nowhere or in a circle.
        """
        return self._follow(self._join(name), [])

    def _follow(self, path: str, seen: list[str]) -> Settings:
        here = self._at(path)
        entry = self._entries.get(fold(path))
        target = section_reference(entry.text) if entry and isinstance(entry.text, str) else None
        if entry is None or target is None:
            return here
        if fold(path) in seen or len(seen) > _MAX_HOPS:
            raise wrong(
                entry, "refers to itself in a circle", code="circular-reference", remedy="Break the circle."
            )
        found = self._follow(target, [*seen, fold(path)])
        if not found and fold(target) not in self._entries:
            raise _dangling(entry, target)
        if not here:
            return found
        # Values beside the reference come from another layer: they add to what it refers to.
        overlaid = dict(self._entries)
        for name in found._relative():  # noqa: SLF001 - another object of this class
            overlaid.setdefault(here._prefix + name[0], name[1])  # noqa: SLF001
        return Settings(overlaid, path, resolve=self._resolve)

    def _relative(self) -> list[tuple[str, Entry]]:
        return [
            (key[len(self._prefix) :], entry)
            for key, entry in self._entries.items()
            if key.startswith(self._prefix)
        ]

    def _at(self, path: str) -> Settings:
        section = Settings(self._entries, path, resolve=self._resolve)
        section._index = self._index
        return section

    def _join(self, name: str) -> str:
        return f"{self._path}:{name}" if self._path else name

    def items(self) -> list[Settings]:
        """Return the sections of a list, by index."""
        names = [name for name in self.names() if name.isdigit()]
        return [self.section(name) for name in sorted(names, key=int)]

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
        raise wrong(
            entry, "refers to itself in a circle", code="circular-reference", remedy="Break the circle."
        )

    def _unresolved(self, entry: Entry, target: str) -> Entry | None:
        if ":" not in target:
            return entry  # a text may begin with a dollar sign: $Default is a consumer group of Event Hubs
        if self._at(target):
            return None  # a whole section is referred to: that is section()'s to follow
        raise _dangling(entry, target)

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
        secret = Secret(self._resolve(reference))
        return Entry(entry.key, secret, None, Origin(Place.KEY_VAULT, f"Key Vault secret {reference}"))

    def text(self, name: str) -> str | None:
        """Return a text; None if it is missing, null or empty, as .NET's Azure libraries see it."""
        entry = self.entry(name)
        if entry is None:
            return None
        text = entry.text.reveal() if isinstance(entry.text, Secret) else entry.text
        return text or None

    def secret(self, name: str) -> Secret | None:
        """Return a secret; one that is written in a settings file is warned of, once."""
        entry = self.entry(name)
        text = self.text(name)
        if entry is None or text is None:
            return None
        warn_of_secret(entry)
        return Secret(text)

    def boolean(self, name: str) -> bool | None:
        """Return a boolean.

        :raises azcert.errors.ConfigurationError: the value is neither true nor false.
        """
        return self._typed(name, parse_boolean, "neither true nor false")

    def integer(self, name: str) -> int | None:
        """Return a whole number.

        :raises azcert.errors.ConfigurationError: the value is none.
        """
        return self._typed(name, parse_integer, "not a whole number")

    def duration(self, name: str) -> dt.timedelta | None:
        """Return a time span, written ``hh:mm:ss`` as in .NET.

        :raises azcert.errors.ConfigurationError: the value is none.
        """
        return self._typed(
            name,
            parse_timespan,
            "not a time span",
            "Write it as [days.]hh:mm:ss, such as 00:00:30.",
        )

    def texts(self, name: str) -> list[str] | None:
        """Return a list of texts: a list, or one text whose parts ``;`` separates."""
        children = self.section(name).names()
        if children and all(child.isdigit() for child in children):
            section = self.section(name)
            found = [section.text(child) for child in sorted(children, key=int)]
            return [text for text in found if text]
        text = self.text(name)
        return None if text is None else [part.strip() for part in text.split(";") if part.strip()]

    def _typed(
        self, name: str, parse: Callable[[str], T | None], fault: str, remedy: str | None = None
    ) -> T | None:
        entry = self.entry(name)
        text = self.text(name)
        if entry is None or text is None:
            return None
        value = parse(text)
        if value is None:
            found = f"is {shown(entry.key, text)!r}, which is {fault}"
            raise wrong(entry, found, code="wrong-type", remedy=remedy)
        return value

    def native(self, name: str) -> Any:
        """Return a value, list or mapping as plain Python values."""
        section = self.section(name)
        names = section.names()
        if names and all(each.isdigit() for each in names):
            return [section.native(each) for each in sorted(names, key=int)]
        if names:
            return {each: section.native(each) for each in names}
        entry = self.entry(name)
        if entry is None:
            return None
        return entry.text.reveal() if isinstance(entry.text, Secret) else entry.native

    def __iter__(self) -> Iterator[Entry]:
        """Iterate over all values of the section, at any depth, as they are written."""
        return iter([entry for _, entry in self._relative()])


def warn_of_secret(entry: Entry) -> None:
    """Say once that a secret lies in a settings file, and where it would be better kept."""
    if entry.origin.place is not Place.FILE or (entry.origin.name, fold(entry.key)) in _warned:
        return
    _warned.add((entry.origin.name, fold(entry.key)))
    _log.warning(
        "The setting %s (%s) is a secret in a settings file. Better: the environment variable %s, user "
        "secrets, or a Key Vault reference.",
        entry.key,
        entry.origin,
        entry.key.replace(":", "__"),
    )


def _dangling(entry: Entry, target: str) -> ConfigurationError:
    return wrong(
        entry,
        f"refers to {target}, which these settings do not have",
        code="dangling-reference",
        remedy=f"Add the section {target}, or write $$ for a text that begins with a dollar sign.",
    )


def _index(entries: Layer) -> dict[str, dict[str, str]]:
    """Return for each folded section prefix the names in it."""
    index: dict[str, dict[str, str]] = {}
    for folded, entry in entries.items():
        parts, names = folded.split(":"), entry.key.split(":")
        prefix = ""
        for depth, part in enumerate(parts):
            if entry.text is None and depth == len(parts) - 1:
                break  # a null has no name: it hides one
            name = names[depth] if len(names) == len(parts) else part
            index.setdefault(prefix, {}).setdefault(part, name)
            prefix += f"{part}:"
    return index
