"""From a text to a token cache, so that a setting or an environment variable can name one.

=============================================  =====================================================
``memory``                                     this process only (the default)
``file``, ``file:/var/cache/app``              sealed files of this user on this host
``redis://host:6379/0``, ``rediss+cluster://``  shared through Redis or Valkey (`redis_url`)
=============================================  =====================================================

The sealing key is derived from the credential's certificate, unless ``#key=`` names another origin:
``keyring``, ``keyring:NAME``, ``systemd:NAME`` or ``file:PATH``. Like any fragment it is sent nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from azcert.credential.caches.entry import TokenCache
    from azcert.credential.sealing.box import SealingKeys
    from azcert.sources.source import Source

__all__ = ["open_cache"]


def open_cache(text: str, source: Source) -> TokenCache | None:
    """Return the cache that *text* names; None for the memory every credential has.

    :param source: the credential's certificate, from which the sealing key is derived by default.
    :raises ConfigurationError: the text is not well formed, or names what this machine does not have.
    :raises AccessError: the folder or the key file is not this user's alone.
    """
    place, _, fragment = text.strip().partition("#")
    scheme = place.partition(":")[0].lower()
    if scheme == "memory" and not fragment:
        return None
    if scheme == "file":
        from azcert.credential.caches.sealed import SealedFileCache  # only the one in use

        folder = place.partition(":")[2].removeprefix("//")
        return SealedFileCache(_keys(fragment, source), folder=folder or None)
    if "://" in place:
        from azcert.credential.caches.redis import RedisCache  # only the one in use

        return RedisCache(place, _keys(fragment, source))
    raise ConfigurationError(
        "The name of the token cache (cache=, AZCERT_TOKEN_CACHE) begins with none of memory, file, "
        "redis://, rediss:// and unix://.",
        code="token-cache-name",
        remedy="For processes of one host: file. For several hosts: rediss://HOST:6379/0.",
    )


def _keys(fragment: str, source: Source) -> SealingKeys:
    name, _, value = fragment.partition("=")
    origin, _, argument = value.partition(":")
    if not fragment or (name == "key" and value == "certificate"):
        from azcert.credential.sealing.signature import SignatureKeys  # only the one in use

        return SignatureKeys(source)
    if name == "key" and origin == "keyring":
        from azcert.credential.sealing.keyring import KeyringKeys  # only the one in use

        return KeyringKeys(argument) if argument else KeyringKeys()
    if name == "key" and argument and origin in {"file", "systemd"}:
        from azcert.credential.sealing.configured import ConfiguredKeys  # only the one in use

        return (
            ConfiguredKeys.from_file(argument) if origin == "file" else ConfiguredKeys.from_systemd(argument)
        )
    raise ConfigurationError(
        f"The token cache's name ends with #{name}, which names no origin of a sealing key.",
        code="token-cache-key",
        remedy="Origins are #key=certificate, #key=keyring, #key=systemd:NAME and #key=file:PATH.",
    )
