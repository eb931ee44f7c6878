"""A policy that belongs to one client, because what it keeps belongs to one identity."""

from __future__ import annotations

from typing import Any

from azcert.errors import AzcertError

__all__ = ["OneClient"]


class OneClient:
    """Refuses to become part of a second pipeline."""

    def __setattr__(self, name: str, value: Any) -> None:
        # Building a pipeline sets `next`; a second one would read what the first one's identity may.
        if name == "next" and getattr(self, "next", None) is not None:
            # No ValueError: Key Vault's constructors take each of those for a wrong version.
            raise AzcertError(
                f"This {type(self).__name__} already belongs to a client; another may have another identity.",
                code="cache-shared",
                remedy=f"Make one {type(self).__name__} for each client.",
            )
        super().__setattr__(name, value)

    def __reduce__(self) -> str:
        raise TypeError("a secrets cache is not pickled")
