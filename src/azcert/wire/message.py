"""Requests and responses as plain values: protocol code makes and reads them and never waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

__all__ = ["Flow", "LongFlow", "Pause", "Request", "Response", "Work", "answer_to"]

T = TypeVar("T")

Flow = Generator["Request | Pause", "Response | None", T]
"""A conversation: yields requests and is sent their responses, yields pauses and is sent None; returns its
result or raises an azcert error. Ask with ``reply = yield from answer_to(request)``."""

LongFlow = Generator["Request | Pause | Work", Any, T]
"""A flow that also has work done elsewhere, and is sent its result."""


class Work(NamedTuple):
    """Something to call: where *blocking*, an async shell calls it in a worker thread."""

    function: Callable[[], Any]
    blocking: bool


class Pause(NamedTuple):
    """Nothing is to be done for so long: the shell waits in its own way."""

    seconds: float


class Request(NamedTuple):
    """One HTTP request. The body is never shown by ``repr``: it may hold an assertion."""

    method: str
    url: str
    headers: Mapping[str, str] = MappingProxyType({})
    body: bytes | None = None
    timeout: float | None = None
    """Seconds until the whole answer is here; None for the transport's own limits."""

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.url}>"


class Response(NamedTuple):
    """One HTTP response; header names are lower case. The body is never shown by ``repr``."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    raw: Any = None
    """azure-core's response object, for exceptions."""

    def __repr__(self) -> str:
        return f"<Response {self.status}>"

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, or an empty one when it is anything else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def answer_to(request: Request) -> Flow[Response]:
    """Yield *request* and return the response it is sent."""
    reply = yield request
    assert reply is not None, "a shell answers every request"  # noqa: S101 - a shell's bug, not a user's
    return reply
