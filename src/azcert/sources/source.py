"""The contract of a source: one certificate with its signer, under one name, asked again when renewed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Hashable

    from azcert.certificate.signer import SigningCertificate

__all__ = ["Source"]


class Source(Protocol):
    """A name for a certificate whose key can sign. Safe to call from several threads."""

    @property
    def name(self) -> str:
        """The source as a URI or path, printable: passwords and PINs are not in it."""

    @property
    def blocking(self) -> bool:
        """True where `load` and `revision` wait for a device or a network."""

    def revision(self) -> Hashable:
        """Return a cheap token that differs as soon as `load` may give another certificate.

        Never raises: where the place cannot be read now, the token says so by being another one.
        """

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        """Return the best certificate this name stands for now, checked: it belongs to its key.

        :param skip: SHA-1 thumbprints not to return, so that a caller whose certificate was rejected can
            ask for the next one.
        :raises azcert.errors.AzcertError: the reason nothing can be returned.
        """

    def close(self) -> None:
        """Give back sessions and handles."""
