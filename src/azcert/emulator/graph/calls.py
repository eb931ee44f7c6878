"""A request to Graph, the same once its caller is known, and the rows of the table of operations."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azcert.emulator.graph import faults
from azcert.emulator.graph.faults import GraphRefusal

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.emulator.graph.access import Caller
    from azcert.emulator.graph.directory import Directory
    from azcert.emulator.origin import Answer

__all__ = ["Asked", "Call", "Operation"]


@dataclass(frozen=True)
class Asked:
    """A request as it came, by itself or in a batch.

    :param path: with the version, without the query.
    """

    method: str
    host: str
    path: str
    query: dict[str, str]
    body: bytes
    authorization: str
    client_request_id: str | None


@dataclass(frozen=True)
class Call:
    """A request whose caller is known.

    :param base: ``https://graph.microsoft.com/v1.0``.
    """

    directory: Directory
    caller: Caller
    base: str
    query: dict[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body.

        :raises GraphRefusal: it is no JSON object.
        """
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            raise GraphRefusal(faults.BODY) from None
        if not isinstance(value, dict):
            raise GraphRefusal(faults.BODY)
        return value

    @property
    def moment(self) -> dt.datetime:
        """What time it is."""
        return dt.datetime.fromtimestamp(self.directory.world.clock.now(), dt.UTC)

    def context(self, what: str) -> dict[str, Any]:
        """Return the member with which every answer begins."""
        return {"@odata.context": f"{self.base}/$metadata#{what}"}


@dataclass(frozen=True)
class Operation:
    """A row of the table.

    :param path: segments after the version; ``{id}`` stands for an object's id or ``(appId='...')``.
    """

    method: str
    path: str
    run: Callable[[Call, str], Answer]
