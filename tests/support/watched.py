"""A source that remembers which threads its device was used in."""

from __future__ import annotations

from threading import get_ident
from typing import TYPE_CHECKING

from azcert.certificate.signer import SigningCertificate

if TYPE_CHECKING:
    from collections.abc import Hashable

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from azcert.certificate.signer import Algorithm, Signer
    from azcert.sources.source import Source

__all__ = ["WatchedSource"]


class WatchedSource:
    """Behaves as *source*; `threads` has the thread of each look into its place."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.threads: dict[str, set[int]] = {}

    @property
    def name(self) -> str:
        return self._source.name

    @property
    def blocking(self) -> bool:
        return self._source.blocking

    def revision(self) -> Hashable:
        self.used("revision")
        return self._source.revision()

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        self.used("load")
        found = self._source.load(skip=skip)
        return SigningCertificate(found.certificate, _WatchedSigner(found.signer, self), found.extras)

    def close(self) -> None:
        self._source.close()

    def used(self, what: str) -> None:
        self.threads.setdefault(what, set()).add(get_ident())


class _WatchedSigner:
    def __init__(self, signer: Signer, source: WatchedSource) -> None:
        self._signer = signer
        self._source = source

    @property
    def place(self) -> str:
        return self._signer.place

    @property
    def protection(self) -> str:
        return self._signer.protection

    @property
    def blocking(self) -> bool:
        return self._signer.blocking

    @property
    def algorithms(self) -> tuple[Algorithm, ...]:
        self._source.used("algorithms")
        return tuple(self._signer.algorithms)

    def public_key(self) -> RSAPublicKey:
        return self._signer.public_key()

    def sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        self._source.used("sign")
        return self._signer.sign(data, algorithm)

    def close(self) -> None:
        self._signer.close()
