"""Settings: the values of a section, read in the types they are meant in; secrets warned of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from azcert._redact import Secret
from azcert._values import parse_boolean, parse_integer, parse_timespan
from azcert.config.reading.layers import fold
from azcert.config.reading.notes import warn_of_secret
from azcert.config.reading.origin import wrong
from azcert.config.reading.tree import Tree, circle

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable
    from typing import Self

    from azcert.config.reading.origin import Entry

__all__ = ["Settings"]

T = TypeVar("T")


class Settings(Tree):
    """A section of settings, or all of them, with typed values; see `Tree` for how they are found."""

    def group(self, name: str) -> Self:
        """Return the section of that name, empty if there is none.

        :raises azcert.errors.ConfigurationError: a plain value stands in its place.
        """
        section = self.section(name)
        entry = None if section else self.entry(name)
        if entry is not None and entry.text:
            raise wrong(entry, "is a plain value, where a section or list belongs", code="wrong-type")
        return section

    def items(self, name: str) -> list[Self]:
        """Return the items of the list of that name: by index, other names after them, as .NET binds lists.

        :raises azcert.errors.ConfigurationError: it is no list, or one of plain values.
        """
        section = self.group(name)
        items = []
        for each in sorted(section.names(), key=_position):
            item, written = section.section(each), section.written(each)
            if not item and written is not None:
                raise wrong(written, "is no section, where one belongs", code="wrong-type")
            items.append(item)
        return items

    def text(self, name: str) -> str | None:
        """Return a text; None if it is missing, null or empty, as .NET's Azure libraries see it.

        :raises azcert.errors.ConfigurationError: it is a section or a list.
        """
        found = self._value(name)
        return None if found is None else found[1]

    def secret(self, name: str) -> Secret | None:
        """Return a secret; one that is written in a settings file is warned of, once."""
        found = self._value(name)
        if found is None:
            return None
        warn_of_secret(found[0])
        return Secret(found[1])

    def _value(self, name: str) -> tuple[Entry, str] | None:
        entry = self.entry(name)
        if entry is None:
            inside = self._at(self._join(name))
            if inside:
                found = f"lies in {inside.path}, which takes one value"
                raise wrong(next(iter(inside)), found, code="wrong-type")
            return None
        text = entry.text.reveal() if isinstance(entry.text, Secret) else entry.text
        return (entry, text) if text else None

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
        section = self.section(name)
        if section:
            return [text for text in map(section.text, sorted(section.names(), key=_position)) if text]
        text = self.text(name)
        return None if text is None else [part.strip() for part in text.split(";") if part.strip()]

    def _typed(
        self, name: str, parse: Callable[[str], T | None], fault: str, remedy: str | None = None
    ) -> T | None:
        given = self._value(name)
        if given is None:
            return None
        entry, text = given
        value = parse(text)
        if value is None:
            found = f"is {entry.quoted}, which is {fault}"
            raise wrong(entry, found, code="wrong-type", remedy=remedy)
        return value

    def native(self, name: str) -> Any:
        """Return a value, list or mapping as plain Python values.

        :raises azcert.errors.ConfigurationError: a reference leads nowhere or in a circle.
        """
        return self._native(name, (fold(self.path),))

    def _native(self, name: str, above: tuple[str, ...]) -> Any:
        section, written = self.section(name), self.written(name)
        names = section.names()
        if names and written is not None and fold(section.path) in above:
            raise circle(written)
        trail = (*above, fold(section.path))
        if names and all(each.isdigit() for each in names):
            return [section._native(each, trail) for each in sorted(names, key=int)]  # noqa: SLF001
        if names:
            return {each: section._native(each, trail) for each in names}  # noqa: SLF001
        entry = self.entry(name)
        if entry is None:
            return None
        return entry.text.reveal() if isinstance(entry.text, Secret) else entry.native


def _position(name: str) -> tuple[bool, int, str]:
    """Return what .NET sorts the keys of a list by: numbers first."""
    return (not name.isdigit(), int(name) if name.isdigit() else 0, fold(name))
