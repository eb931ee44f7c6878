"""What a request to Key Vault does to a cache: it reads a secret, changes one, or neither."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ANY", "Change", "Meaning", "Read", "meaning", "wants_newest"]

_READ = re.compile(r"/secrets/([^/]+)(?:/([^/]+))?/?")
_CHANGE = re.compile(r"/(?:deleted)?secrets/([^/]+)(?:/.*)?")
_NOT_VERSIONS = frozenset({"versions", "backup", "recover"})
_HARMLESS = frozenset({"HEAD", "OPTIONS"})

ANY = ""
"""Stands for every secret of a vault."""


@dataclass(frozen=True, slots=True)
class Read:
    """A read of a secret's value.

    :param url: the whole URL, which tells answers apart.
    :param vault: the vault's host name.
    :param secret: the secret's name within the vault, as it is compared.
    :param pinned: one version is named.
    """

    url: str
    vault: str
    secret: str
    pinned: bool


@dataclass(frozen=True, slots=True)
class Change:
    """A request that may change a secret of a vault; `ANY` where only its answer says which."""

    vault: str
    secret: str


Meaning: TypeAlias = "Read | Change | None"


@lru_cache(maxsize=4096)
def meaning(method: str, url: str) -> Meaning:
    """Return what a request means to a cache of secrets.

    Source: the paths of Key Vault's REST reference, "Secrets"; names of vaults and secrets are
    case-insensitive.
    """
    parts = urlsplit(url)
    vault = parts.netloc.lower()
    if method == "GET":
        read = _READ.fullmatch(parts.path)
        if read is None or read[2] in _NOT_VERSIONS:
            return None
        return Read(url, vault, read[1].lower(), bool(read[2]))
    change = _CHANGE.fullmatch(parts.path)
    if change is None or method in _HARMLESS or parts.path.endswith("/backup"):
        return None
    restored = method == "POST" and parts.path == "/secrets/restore"
    return Change(vault, ANY if restored else change[1].lower())


def wants_newest(headers: Mapping[str, str]) -> bool:
    """Tell whether a reader wants no kept answer, as HTTP has it (RFC 9111, section 5.2.1.4)."""
    return "no-cache" in headers.get("Cache-Control", "").lower()
