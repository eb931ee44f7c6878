"""Faults on request: what shall go wrong, for which requests, how often."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from threading import Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CONNECTION_FAULTS", "Action", "Fault", "Faults"]


class Action(StrEnum):
    """What goes wrong."""

    ANSWER = "answer"
    """This status, these headers and this body, instead of the service's answer."""
    DELAY = "delay"
    """The service's own answer, ``seconds`` late."""
    TRUNCATE = "truncate"
    """The head and half of the body, then the end of the connection."""
    CLOSE = "close"
    """The connection ends without an answer."""
    RESET = "reset"
    """The connection is reset (TCP RST)."""
    HANG = "hang"
    """No answer, until the client gives up."""
    UNREACHABLE = "unreachable"
    """The proxy cannot reach the host (502): what DNS and routing failures look like through a proxy."""
    UNTRUSTED = "untrusted"
    """The TLS certificate comes from a CA that nobody trusts."""


CONNECTION_FAULTS = frozenset({Action.UNREACHABLE, Action.UNTRUSTED})
"""These strike when a connection is made: a client that keeps one open does not meet them."""


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    :param action: see `Action`.
    :param host: which hosts, with ``*`` and ``?`` as in file names; lower case.
    :param path: which paths, likewise; compared without the query. Connection faults look at the host alone.
    :param method: one HTTP method, or ``*``.
    :param times: for so many requests, then no more; None means until removed.
    :param skip: the first so many matching requests are let through.
    :param seconds: for ``delay``: how long; for ``answer``: how long before the answer comes.
    :param status: for ``answer``.
    :param headers: for ``answer``, e.g. ``{"Retry-After": "2"}``.
    :param body: for ``answer``: text as it is, anything else as JSON.
    """

    action: Action = Action.ANSWER
    host: str = "*"
    path: str = "*"
    method: str = "*"
    times: int | None = 1
    skip: int = 0
    seconds: float = 0.0
    status: int = 503
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "action", Action(self.action))

    def matches(self, host: str, path: str, method: str) -> bool:
        """Tell whether a request is meant."""
        return (
            fnmatchcase(host, self.host)
            and fnmatchcase(path, self.path)
            and self.method.upper() in {"*", method.upper()}
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return asdict(self)

    def content(self) -> tuple[bytes, str]:
        """Return the body's bytes and their content type."""
        if self.body is None:
            return b"", ""
        if isinstance(self.body, str):
            return self.body.encode(), "text/plain; charset=utf-8"
        return json.dumps(self.body).encode(), "application/json; charset=utf-8"


class Faults:
    """The faults waiting, in the order they were added. The first that matches a request is taken."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: list[Fault] = []

    def add(self, action: Action | str = Action.ANSWER, **options: Any) -> Fault:
        """Add one; the options are those of `Fault`."""
        fault = Fault(Action(action), **options)
        with self._lock:
            self._waiting.append(fault)
        return fault

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        with self._lock:
            self._waiting.clear()

    def waiting(self) -> list[Fault]:
        """Return those that may still strike, with the times left."""
        with self._lock:
            return list(self._waiting)

    def take(self, host: str, path: str, method: str, *, action: Action | None = None) -> Fault | None:
        """Return the fault that strikes this request, and count it; with *action*, only one of that kind."""
        return self._take(
            lambda fault: action in {None, fault.action} and _strikes(fault, host, path, method)
        )

    def take_at_connection(self, host: str, action: Action) -> bool:
        """Tell whether this connection fault strikes a new connection to *host*, and count it."""
        return self._take(lambda fault: fault.action is action and fnmatchcase(host, fault.host)) is not None

    def _take(self, strikes: Callable[[Fault], bool]) -> Fault | None:
        with self._lock:
            for index, fault in enumerate(self._waiting):
                if not strikes(fault):
                    continue
                if fault.skip:
                    self._waiting[index] = replace(fault, skip=fault.skip - 1)
                    continue
                if fault.times is not None:
                    if fault.times > 1:
                        self._waiting[index] = replace(fault, times=fault.times - 1)
                    else:
                        del self._waiting[index]
                return fault
        return None


def _strikes(fault: Fault, host: str, path: str, method: str) -> bool:
    return fault.action not in CONNECTION_FAULTS and fault.matches(host, path, method)
