"""The ``Cache`` of a client's section: how its secrets are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.config.reading.origin import wrong
from azcert.config.reading.unknown_keys import refuse_unknown
from azcert.vault.policy import CacheRules

if TYPE_CHECKING:
    from azcert.config.reading.settings import Settings

__all__ = ["cache_rules"]

_CLIENTS = "azure.keyvault.secrets"
_DURATIONS = {
    "Ttl": "ttl",
    "PinnedTtl": "pinned_ttl",
    "RefreshAhead": "refresh_ahead",
    "Stale": "stale",
    "Patience": "patience",
}
_KEYS = ("Enabled", *_DURATIONS, "Capacity")


def cache_rules(cls: type, section: Settings) -> CacheRules | None:
    """Return how the client *cls* keeps secrets, None for not at all.

    :raises azcert.errors.ConfigurationError: it is another client than Key Vault's, or a value is wrong.
    """
    cache, entry = section.section("Cache"), section.entry("Cache")
    enabled = section.boolean("Cache") if entry is not None and entry.text else None
    if not cache and not enabled:
        return None
    if not (cls.__module__.startswith(_CLIENTS) and cls.__name__ == "SecretClient"):
        raise wrong(entry or next(iter(cache)), f"is for Key Vault's SecretClient; this is {cls.__name__}")
    refuse_unknown(cache, _KEYS)
    if cache.boolean("Enabled") is False:
        return None
    given: dict[str, Any] = {}
    for name, keyword in _DURATIONS.items():
        duration = cache.duration(name)
        if duration is not None:
            given[keyword] = duration.total_seconds()
    capacity, written = cache.integer("Capacity"), cache.entry("Capacity")
    if capacity is not None and written is not None:
        if capacity < 1:
            raise wrong(written, f"is {capacity}; it is at least 1", code="wrong-value")
        given["capacity"] = capacity
    return CacheRules(**given)
