"""A certificate in .NET's store on Linux: .NET programs that select by name take the newest, too."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from azcert.rotation.in_store import judge_in_store, read_staged
from azcert.rotation.place import Place, refuse_one_certificate
from azcert.rotation.staged import remove_file
from azcert.stores.dotnet import DotnetStore

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.sources.uris.uri import DotnetUri

__all__ = ["DotnetPlace", "place"]


class DotnetPlace(Place):
    """What a selector finds in .NET's store; its files have no passwords and no grants to take over."""

    def __init__(self, uri: DotnetUri, work: Path) -> None:
        super().__init__(uri, None)
        self._uri = uri
        self._work = work
        self._store = DotnetStore(uri.store)

    def next_key(self) -> str:
        """Choose a file among the journal's."""
        return str(self._work / f"dotnet.{secrets.token_hex(8)}.key")

    def judge(self, successor: Certificate) -> None:
        """Refuse one that the selector would not find, or find older than another."""
        judge_in_store(self._store, self._uri, successor)

    def switch(self, staged: str, certificate: Certificate) -> None:
        """Add the certificate with its key to the store, where it is the newest from then on."""
        if self.current().thumbprint != certificate.thumbprint:
            self._store.add(certificate, read_staged(staged, None))
        self.discard(staged)

    def discard(self, staged: str) -> None:
        """Remove the staged key's file."""
        remove_file(Path(staged))

    def retire(self, old: str) -> None:
        """Remove the old certificate with its key."""
        entry = self._store.get(old)
        if entry is not None:
            self._store.remove(entry)


def place(uri: DotnetUri, *, password: Secret | None, work: Path) -> DotnetPlace:
    """Return the place of a selector in .NET's store.

    :raises ConfigurationError: the selector names one certificate for ever.
    """
    del password
    refuse_one_certificate(uri, uri.selector)
    return DotnetPlace(uri, work)
