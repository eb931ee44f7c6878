"""What a secrets cache holds: answers by address, bounded, with their ages; no I/O, no waiting.

Values live in this process's memory alone: entries are not pickled and never shown.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from azcert.vault.policy import CacheRules, Freshness, Outcome, judge, pause_after

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Address", "Answer", "Look", "SecretTable", "Statistics", "read_address", "written_secret"]

_PATH = re.compile(r"/secrets/([^/]+)(?:/([^/]+))?/?")
_WRITES = re.compile(r"/(?:deleted)?secrets/([^/]+)(?:/.*)?")
_NOT_VERSIONS = frozenset({"versions", "backup", "recover"})


@dataclass(frozen=True)
class Address:
    """A secret as a request names it: the whole URL, and the secret's own name within its vault."""

    url: str
    secret: str
    pinned: bool


@dataclass(frozen=True)
class Answer:
    """An answer of Key Vault, with its body."""

    status: int
    reason: str | None
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    def __reduce__(self) -> str:
        raise TypeError("a cached secret is not pickled")


@dataclass
class Statistics:
    """What a cache did.

    :param hits: reads answered from memory.
    :param requests: requests that went to Key Vault for reads, retries not counted.
    :param stale: reads answered with a value past its time because Key Vault was in trouble.
    """

    hits: int = 0
    requests: int = 0
    stale: int = 0


@dataclass
class _Entry:
    answer: Answer
    at: float


@dataclass
class _Trouble:
    failures: int = 0
    until: float = 0.0


def read_address(method: str, url: str) -> Address | None:
    """Return the secret whose value a request reads, None for any other request."""
    parts = urlsplit(url)
    match = _PATH.fullmatch(parts.path)
    if method.upper() != "GET" or match is None or match[2] in _NOT_VERSIONS:
        return None
    return Address(url, _secret(parts.netloc, match[1]), bool(match[2]))


def written_secret(method: str, url: str) -> str | None:
    """Return the secret that a request may change, None if it only reads."""
    parts = urlsplit(url)
    match = _WRITES.fullmatch(parts.path)
    if method.upper() in {"GET", "HEAD", "OPTIONS"} or match is None:
        return None
    return _secret(parts.netloc, match[1])


def _secret(host: str, name: str) -> str:
    # Names of vaults and of secrets are case-insensitive.
    return f"{host.lower()}/{name.lower()}"


@dataclass(frozen=True)
class Look:
    """What a read finds.

    :param kept: the answer that may be given, None if there is none.
    :param leads: this reader asks Key Vault; others wait for what it is told.
    :param generation: to be handed to `SecretTable.settle`.
    """

    freshness: Freshness
    kept: Answer | None
    leads: bool
    generation: int


class SecretTable:
    """Entries, troubles and generations; the caller holds a lock around each call.

    :param rules: how long entries are kept.
    """

    def __init__(self, rules: CacheRules) -> None:
        self.rules = rules
        self.statistics = Statistics()
        self._entries: OrderedDict[Address, _Entry] = OrderedDict()
        self._troubles: dict[Address, _Trouble] = {}
        self._generations: dict[str, int] = {}

    def look(self, address: Address, now: float, *, asked: bool) -> Look:
        """Return what a read finds, and whether it is the one to ask.

        :param asked: somebody is asking already.
        """
        entry = self._entries.get(address)
        freshness = judge(None if entry is None else now - entry.at, self.rules, pinned=address.pinned)
        kept = None
        if entry is not None and freshness is not Freshness.GONE:
            self._entries.move_to_end(address)
            kept = entry.answer
        else:
            self._entries.pop(address, None)
        wants = freshness is not Freshness.FRESH and (kept is None or self._may_ask(address, now))
        leads = wants and not asked
        if leads:
            self.statistics.requests += 1
        return Look(freshness, kept, leads, self._generations.get(address.secret, 0))

    def _may_ask(self, address: Address, now: float) -> bool:
        trouble = self._troubles.get(address)
        return trouble is None or now >= trouble.until

    def settle(
        self, address: Address, outcome: Outcome, answer: Answer | None, now: float, *, generation: int
    ) -> None:
        """Note what Key Vault said; a value that was asked for before a write is not kept."""
        if outcome is Outcome.TROUBLE:
            self._note_trouble(address, now, {} if answer is None else answer.headers)
            return
        self._troubles.pop(address, None)
        if outcome is Outcome.DROP or answer is None:
            self._drop(address)
        elif generation == self._generations.get(address.secret, 0):
            self._entries[address] = _Entry(answer, now)
            self._entries.move_to_end(address)
            while len(self._entries) > self.rules.capacity:
                gone, _ = self._entries.popitem(last=False)
                self._troubles.pop(gone, None)

    def _note_trouble(self, address: Address, now: float, headers: Mapping[str, str]) -> None:
        if address in self._entries:
            trouble = self._troubles.setdefault(address, _Trouble())
            trouble.failures += 1
            trouble.until = now + pause_after(trouble.failures, headers)

    def _drop(self, address: Address) -> None:
        self._entries.pop(address, None)
        self._troubles.pop(address, None)

    def written(self, secret: str) -> None:
        """Forget all versions of a secret that is written, and answers still on their way."""
        self._generations[secret] = self._generations.get(secret, 0) + 1
        for address in [address for address in self._entries if address.secret == secret]:
            self._drop(address)

    def clear(self) -> None:
        """Forget everything."""
        for secret in {address.secret for address in self._entries}:
            self.written(secret)

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<SecretTable of {len(self._entries)} secrets>"
