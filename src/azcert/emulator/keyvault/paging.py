"""Lists in pages of at most 25, with the link to the next one.

The link is absolute and names the port; it may lead to empty pages, so that only its absence ends a list (the
recordings show four in a row). How many follow here, the world's ``empty_pages`` says.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any

from azcert.emulator.keyvault import faults
from azcert.emulator.keyvault.faults import VaultRefusal

if TYPE_CHECKING:
    from azcert.emulator.keyvault.call import Call

__all__ = ["page"]

LARGEST = 25


def page(call: Call, path: str, items: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    """Return the page of *items* that the query asks for.

    :param path: the list's path in the vault.
    :param items: sort key and member, in order.
    :raises VaultRefusal: ``maxresults`` or ``$skiptoken`` is not one.
    """
    size = _size(call.query.get("maxresults"))
    after, empty = _position(call.query.get("$skiptoken"))
    rest = [item for item in items if item[0] > after] if empty == 0 else []
    shown, left = rest[:size], rest[size:]
    if left:
        follow = _token(shown[-1][0], 0)
    elif empty < call.world.empty_pages:
        follow = _token("", empty + 1)
    else:
        follow = None
    link = None
    if follow is not None:
        query = f"api-version={call.api_version}&$skiptoken={follow}"
        if "maxresults" in call.query:
            query += f"&maxresults={size}"
        link = f"{call.vault.url}:{call.port}/{path}?{query}"
    return {"value": [member for _, member in shown], "nextLink": link}


def _size(text: str | None) -> int:
    if text is None:
        return LARGEST
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= LARGEST):
        raise VaultRefusal(faults.PAGE, name="maxresults", reason=f"it must be from 1 to {LARGEST}")
    return int(text)


def _token(after: str, empty: int) -> str:
    return base64.urlsafe_b64encode(f"{empty}:{after}".encode()).rstrip(b"=").decode()


def _position(token: str | None) -> tuple[str, int]:
    if token is None:
        return "", 0
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True).decode()
        empty, _, after = text.partition(":")
        return after, int(empty)
    except (binascii.Error, ValueError):
        raise VaultRefusal(faults.PAGE, name="$skiptoken", reason="it is none of this service's") from None
