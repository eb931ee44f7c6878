"""Which settings are secret: by the words of their keys and by what connection strings and URLs carry."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from azcert._redact import REDACTED
from azcert._values import words

__all__ = ["is_secret", "shown"]

_LAST_WORDS = frozenset(
    {"secret", "secrets", "password", "passwords", "passphrase", "pin", "pwd"}
    | {"token", "key", "keys", "sas", "signature"}
)
_WHOLE = frozenset({"base64encodedvalue", "connectionstring", "privatekey", "sastoken"})
# Words before "key" that name a key, and do not give one.
_PUBLIC_KEYS = frozenset({("partition", "key"), ("public", "key")})
_CARRIES = re.compile(
    r"(?i)(?:^|[;?&])\s*(?:accountkey|sharedaccesskey|sharedaccesssignature|sig|secret"
    r"|password|passwd|passphrase|pwd|pin|pin-value)\s*="
)
# A password may begin with a dollar sign: only a path of sections is surely a reference.
_REFERENCE = re.compile(r"(?i)\s*(?:@Microsoft\.KeyVault\(.*\)\s*\Z|\$[a-z_][\w.\- ]*:)")


def is_secret(key: str, text: str | None = None) -> bool:
    """Tell whether the value at *key* must not be shown, judged by the key's words and by its *text*.

    A value that only says where a secret is (a reference, a key's address) is none.
    """
    if text is None:
        return _named_secret(key)
    if not text or _REFERENCE.match(text):
        return False
    return carries_secret(text) or (_named_secret(key) and not text.startswith("https://"))


def carries_secret(text: str) -> bool:
    """Tell whether *text* is a connection string or URL with a secret in it."""
    if _CARRIES.search(text):
        return True
    if "://" not in text:
        return False
    try:
        return urlsplit(text).password is not None
    except ValueError:
        return False


def shown(key: str, text: str | None) -> str | None:
    """Return *text* as it may be shown."""
    return REDACTED if text is not None and is_secret(key, text) else text


def _named_secret(key: str) -> bool:
    for part in key.split(":"):
        found = words(part)
        if "".join(found) in _WHOLE:
            return True
        if found and found[-1] in _LAST_WORDS and found[-2:] not in _PUBLIC_KEYS:
            return True
    return False
