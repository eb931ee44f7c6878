"""Tokens in the cache that azure-identity and MSAL keep, readable both ways, through msal-extensions.

Where it lives and how it is protected is azure-identity's choice for ``TokenCachePersistenceOptions``: the
Data Protection API on Windows, the Keychain on macOS, libsecret on Linux, and a file in the clear only where
encryption is impossible and ``allow_unencrypted_storage`` says so. CAE tokens have a cache of their own.

Entries have MSAL's unified schema; azcert adds one field, the certificate's SHA-256 thumbprint. Entries
without it were written by another library for the same client id, and are used as that library would.

Each call reads the whole cache afresh: it holds few tokens, the engine asks once per token and process, and
msal-extensions' own memory of it can miss a write of the same moment.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from azcert._redact import Secret
from azcert.credential.breaker import Breaker
from azcert.credential.caches.entry import StoredToken
from azcert.credential.fork_lock import ForkLock
from azcert.credential.host_lease import host_lease
from azcert.credential.rare_log import RareLog
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from azcert.credential.caches.entry import TokenKey

__all__ = ["PersistenceOptions", "PersistentCache"]

_LOG = logging.getLogger(__name__)
_SERVICE = "Microsoft.Developer.IdentityService"
_ACCOUNT = "MSALCache"
_DEFAULT_NAME = "msal.cache"
_SUFFIXES = {False: ".nocae", True: ".cae"}
_KIND = "AccessToken"
_OURS = "azcert_x5t_s256"
_DAMAGED = ".damaged"
_LEASES = "azcert-leases.lock"
_STALE_LOCK = 30.0
_REFRESH_MARGIN = 300
"""MSAL refreshes this many seconds before the end where the service gave no ``refresh_in``."""

_Entries = dict[str, dict[str, Any]]


class PersistenceOptions(Protocol):
    """What is needed of azure-identity's ``TokenCachePersistenceOptions``."""

    name: str
    allow_unencrypted_storage: bool


class PersistentCache:
    """The persistent cache that azure-identity's credentials share.

    :param name: the cache's name; another name is another cache.
    :param allow_unencrypted_storage: whether a file in the clear will do where the system encrypts nothing.
    :param max_entries: access tokens kept; beyond it those that expire first go first, whoever wrote them.
    :raises ConfigurationError: encryption is impossible and *allow_unencrypted_storage* is false.
    """

    shared = True

    def __init__(
        self,
        *,
        name: str = _DEFAULT_NAME,
        allow_unencrypted_storage: bool = False,
        max_entries: int = 1000,
    ) -> None:
        self._name = name
        self._max = max_entries
        self._mutex = ForkLock()
        self._breaker = Breaker()
        self._log = RareLog(_LOG)
        # Both now: what cannot be encrypted is said when the cache is made, not in the middle of a request.
        self._stores = {
            cae: _persistence(name + suffix, in_clear=allow_unencrypted_storage)
            for cae, suffix in _SUFFIXES.items()
        }

    @classmethod
    def from_options(cls, options: PersistenceOptions) -> PersistentCache:
        """Return the cache that azure-identity would use for these ``TokenCachePersistenceOptions``."""
        return cls(name=options.name, allow_unencrypted_storage=options.allow_unencrypted_storage)

    @property
    def is_encrypted(self) -> bool:
        """Tell whether the system encrypts what is kept here."""
        return all(store.is_encrypted for store in self._stores.values())

    def get(self, key: TokenKey) -> StoredToken | None:
        """Return the entry, expired or not, or None."""
        entry = self._find(key)
        if entry is None or entry.get(_OURS, key.thumbprint) != key.thumbprint:
            return None
        try:
            expires_on = int(entry["expires_on"])
            refresh_on = int(entry.get("refresh_on") or expires_on - _REFRESH_MARGIN)
            return StoredToken(Secret(str(entry["secret"])), expires_on, refresh_on)
        except (KeyError, TypeError, ValueError):
            self._log.warning(
                "entry", "The entry %r of the token cache %r is not MSAL's", _name(key), self._name
            )
            return None

    def put(self, key: TokenKey, token: StoredToken) -> None:
        """Keep the token in place of an older one."""
        entry: dict[str, Any] = {
            "credential_type": _KIND,
            "secret": token.token.reveal(),
            "home_account_id": None,
            "environment": _environment(key),
            "client_id": key.client_id,
            "target": " ".join(key.scopes),
            "realm": key.tenant_id,
            "token_type": "Bearer",
            "cached_at": str(int(time.time())),
            "expires_on": str(token.expires_on),
            "extended_expires_on": str(token.expires_on),
            "refresh_on": str(token.refresh_on),
            _OURS: key.thumbprint,
        }

        def change(entries: _Entries) -> None:
            entries[_name(key)] = entry
            for name in sorted(entries, key=lambda one: _expiry(entries[one]))[
                : max(len(entries) - self._max, 0)
            ]:
                del entries[name]

        self._change(key, change)

    def remove(self, key: TokenKey) -> None:
        """Forget the entry, unless it is for another certificate."""

        def change(entries: _Entries) -> None:
            entry = entries.get(_name(key))
            if entry is not None and entry.get(_OURS, key.thumbprint) == key.thumbprint:
                del entries[_name(key)]

        self._change(key, change)

    def lease(self, key: TokenKey, seconds: float) -> AbstractContextManager[bool]:
        """Enter with True for the one caller of this host who should ask for this token now."""
        name = _name(key)
        before = _version(self._find(key))
        location = Path(self._stores[key.enable_cae].get_location())
        slot = int.from_bytes(hashlib.sha256(f"{location.name} {name}".encode()).digest()[:7])
        return host_lease(
            location.with_name(_LEASES), slot, seconds, lambda: _version(self._find(key)) != before
        )

    def close(self) -> None:
        """Nothing is held open between calls."""

    def __repr__(self) -> str:
        protection = "encrypted by the system" if self.is_encrypted else "in the clear"
        return f"<PersistentCache {self._name!r} {protection}>"

    def _find(self, key: TokenKey) -> dict[str, Any] | None:
        if not self._breaker.allows():
            return None
        store = self._stores[key.enable_cae]
        try:
            entry = _access_tokens(_load(store)).get(_name(key))
        except ValueError:
            # Another process may be writing: what is damaged for good is found again under the lock.
            self._change(key, lambda _: None)
            return None
        except Exception as error:  # noqa: BLE001 - each system's keeper has exceptions of its own
            self._failed(error)
            return None
        self._breaker.worked()
        return entry if isinstance(entry, dict) else None

    def _change(self, key: TokenKey, change: Callable[[_Entries], None]) -> None:
        """Read, change and write the cache while nobody else does; a damaged one is set aside first."""
        import msal_extensions  # imports all of MSAL

        if not self._breaker.allows():
            return
        store = self._stores[key.enable_cae]
        lock = Path(f"{store.get_location()}.lockfile")
        try:
            _remove_stale(lock)
            with self._mutex, msal_extensions.CrossPlatLock(str(lock)):
                try:
                    state = _load(store)
                    entries = _access_tokens(state)
                except ValueError:
                    self._set_aside(store)
                    state = {}
                    entries = _access_tokens(state)
                text = json.dumps(state, indent=4)
                change(entries)
                changed = json.dumps(state, indent=4)
                if changed != text:
                    store.save(changed)
        except Exception as error:  # noqa: BLE001 - each system's keeper has exceptions of its own
            self._failed(error)
        else:
            self._breaker.worked()

    def _set_aside(self, store: Any) -> None:
        location = Path(store.get_location())
        self._log.warning(
            "damaged", "The token cache %s is damaged. It is set aside with the ending %s", location, _DAMAGED
        )
        if location.stat().st_size:
            location.replace(location.with_name(location.name + _DAMAGED))

    def _failed(self, error: Exception) -> None:
        first, _ = self._breaker.failed()
        if first:
            # The type only: what a keeper says may quote what it keeps.
            _LOG.warning("The token cache %r cannot be used now: %s", self._name, type(error).__name__)


def _environment(key: TokenKey) -> str:
    """Return MSAL's environment: the authority's host without a port."""
    return urlsplit(f"//{key.authority}").hostname or ""


def _name(key: TokenKey) -> str:
    """Return MSAL's key of an access token: home account (none), environment, kind, client, realm, target."""
    parts = ("", _environment(key), _KIND, key.client_id, key.tenant_id, " ".join(key.scopes))
    return "-".join(parts).lower()


def _load(store: Any) -> dict[str, Any]:
    """Return the whole cache; ValueError where it is not MSAL's."""
    import msal_extensions.persistence  # imports all of MSAL

    try:
        text = store.load()
    except msal_extensions.persistence.PersistenceNotFound:
        return {}
    state = json.loads(text) if text else {}
    if not isinstance(state, dict):
        raise ValueError("not a JSON object")  # noqa: TRY004 - as json.loads says it
    return state


def _access_tokens(state: dict[str, Any]) -> _Entries:
    entries = state.setdefault(_KIND, {})
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise ValueError("not MSAL's access tokens")
    return entries


def _version(entry: dict[str, Any] | None) -> str | None:
    if entry is None:
        return None
    return hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()


def _expiry(entry: dict[str, Any]) -> int:
    try:
        return int(entry["expires_on"])
    except (KeyError, TypeError, ValueError):
        return 0


def _remove_stale(lock: Path) -> None:
    """Remove the lock file of a process that was killed: msal-extensions would fail on it for ever."""
    with contextlib.suppress(OSError):
        if time.time() - lock.stat().st_mtime > _STALE_LOCK:
            lock.unlink()


def _persistence(cache_name: str, *, in_clear: bool) -> Any:
    """Return msal-extensions' object for the place where azure-identity keeps this cache."""
    import msal_extensions  # imports all of MSAL

    if sys.platform == "win32" and "LOCALAPPDATA" in os.environ:
        return msal_extensions.FilePersistenceWithDataProtection(
            str(Path(os.environ["LOCALAPPDATA"], ".IdentityService", cache_name))
        )
    # On macOS and with libsecret, this file only shows by its date that the cache has changed.
    location = str(Path("~/.IdentityService", cache_name).expanduser())
    if sys.platform == "darwin":
        account = _ACCOUNT if cache_name == _DEFAULT_NAME + _SUFFIXES[False] else cache_name
        return msal_extensions.KeychainPersistence(location, _SERVICE, account)
    try:
        return msal_extensions.LibsecretPersistence(
            location, cache_name, {"MsalClientID": _SERVICE}, label=_ACCOUNT
        )
    except Exception as error:  # PyGObject's import and D-Bus raise types that cannot be named without them
        if not in_clear:
            raise ConfigurationError(
                "The persistent token cache cannot be encrypted here: libsecret is not installed or has no "
                "desktop session to work with (over ssh, in a container, as a service).",
                code="cache-encryption-unavailable",
                remedy='Pass cache="file" instead: azcert\'s sealed file cache needs no desktop; or '
                "allow_unencrypted_storage=True to keep tokens in the clear.",
            ) from error
    return msal_extensions.FilePersistence(location)
