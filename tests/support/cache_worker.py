"""What another process does with a cache in tests: ``python -m`` is not needed, the file is run by its path.

    cache_worker.py KIND PLACE KEYFILE ACTION [ARGUMENTS]

Prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from azcert._redact import Secret
from azcert.credential.caches.entry import StoredToken, TokenKey
from azcert.credential.sealing.configured import ConfiguredKeys

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.credential.caches.entry import TokenCache

__all__ = ["make_cache", "token", "token_key"]


def token_key(
    scope: str = "https://vault.azure.net/.default", *, cae: bool = False, **other: str
) -> TokenKey:
    """Return a key; keywords replace its fields."""
    return TokenKey(
        authority=other.get("authority", "login.microsoftonline.com"),
        tenant_id=other.get("tenant_id", "72f988bf-0000-0000-0000-2d7cd011db47"),
        client_id=other.get("client_id", "1f0e5a3c-0000-0000-0000-0000000000aa"),
        scopes=(scope,),
        enable_cae=cae,
        thumbprint=other.get("thumbprint", "AB" * 32),
    )


def token(text: str = "token-of-the-test", *, seconds: int = 3600) -> StoredToken:
    """Return a token that lasts *seconds*."""
    now = int(time.time())
    return StoredToken(Secret(text), now + seconds, now + seconds // 2)


def make_cache(kind: str, place: str, key_file: str, **options: int) -> TokenCache:
    """Return the cache of one kind at one place, as another process would make it."""
    if kind == "persistent":
        from azcert.credential.caches.persistent import PersistentCache

        return PersistentCache(name=place, allow_unencrypted_storage=True, **options)
    keys = ConfiguredKeys.from_file(key_file)
    if kind == "sealed":
        from azcert.credential.caches.sealed import SealedFileCache

        return SealedFileCache(keys, folder=place, **options)
    from azcert.credential.caches.redis import RedisCache

    return RedisCache(place, keys)


def _say(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def _get(cache: TokenCache, scope: str) -> object:
    found = cache.get(token_key(scope))
    return found and found.token.reveal()


def _put_many(cache: TokenCache, scope: str, worker: str, times: str) -> object:
    for number in range(int(times)):
        cache.put(token_key(scope), token(f"worker-{worker}-{number}"))
        found = cache.get(token_key(scope))
        assert found is None or found.token.reveal().startswith("worker-")
    return "done"


def _ask_once(cache: TokenCache, scope: str, journal: str, seconds: str) -> object:
    """Do what a credential does on a miss: lease, look again, ask (here: write a line), keep."""
    key = token_key(scope)
    found = cache.get(key)
    if found is None:
        with cache.lease(key, float(seconds)):
            found = cache.get(key)
            if found is None:
                with Path(journal).open("a") as stream:
                    stream.write("asked\n")
                time.sleep(0.1)
                found = token("asked-for")
                cache.put(key, found)
    return found.token.reveal()


def _hold(cache: TokenCache, scope: str, seconds: str) -> object:
    """Take the lease and keep it until killed."""
    with cache.lease(token_key(scope), float(seconds)) as leads:
        _say(leads)
        time.sleep(60)
    return "not killed"


_ACTIONS: dict[str, Callable[..., object]] = {
    "get": _get,
    "put-many": _put_many,
    "ask-once": _ask_once,
    "hold": _hold,
}


def main() -> None:
    kind, place, key_file, action, *arguments = sys.argv[1:]
    _say(_ACTIONS[action](make_cache(kind, place, key_file), *arguments))


if __name__ == "__main__":
    main()
