"""The same certificate in two stores: azcert's, and the one .NET programs use on Linux."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert.errors import SelectionError

if TYPE_CHECKING:
    from collections.abc import Hashable

    from azcert.certificate.signer import SigningCertificate
    from azcert.sources.source import Source

__all__ = ["FirstFound"]


class FirstFound:
    """A source that is the first of several which has the certificate.

    :param sources: at least one; in the order in which they are asked.
    """

    def __init__(self, *sources: Source) -> None:
        self._sources = sources

    @property
    def name(self) -> str:
        """The names of all sources."""
        return " or ".join(source.name for source in self._sources)

    @property
    def blocking(self) -> bool:
        """True where one of them waits for a device or a network."""
        return any(source.blocking for source in self._sources)

    def revision(self) -> Hashable:
        """Return a token that changes with any of the sources."""
        return tuple(source.revision() for source in self._sources)

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        """Return the certificate of the first source that has it (`azcert.sources.source.Source.load`).

        :raises SelectionError: none has it; the reason is the first one's.
        :raises azcert.errors.AzcertError: one has it and cannot give it.
        """
        first: SelectionError | None = None
        for source in self._sources:
            try:
                return source.load(skip=skip)
            except SelectionError as error:
                if error.code != "not-found":
                    raise
                first = first or error
        assert first is not None, "there is at least one source"  # noqa: S101
        raise SelectionError(
            f"{first.message.rstrip('.')}. Looked in {self.name}.",
            code=first.code,
            remedy=first.remedy,
            **first.details,
        ) from first

    def close(self) -> None:
        """Close all sources."""
        for source in self._sources:
            source.close()

    def __repr__(self) -> str:
        return f"<FirstFound {self.name}>"
