"""An answer of the emulator, and how we know that the real service answers so."""

from __future__ import annotations

import importlib
import json
import pkgutil
from dataclasses import dataclass, field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, Literal

from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Answer", "Kind", "Origin", "assumed", "catalogue", "documented", "recorded"]

JSON = "application/json; charset=utf-8"


@dataclass(frozen=True)
class Origin:
    """Where the knowledge of an answer comes from.

    :param kind: ``recorded`` (a recording of the real service shows it), ``documented`` (a public page or
        thread describes or quotes it) or ``assumed`` (our reading, so far without a witness).
    :param sources: file names of recordings, addresses of pages, or the reason.
    """

    kind: Literal["recorded", "documented", "assumed"]
    sources: tuple[str, ...]


def recorded(*files: str) -> Origin:
    """These recordings of the real service show the answer; file names without folder."""
    return Origin("recorded", files)


def documented(*pages: str) -> Origin:
    """These public pages describe or quote the answer."""
    return Origin("documented", pages)


def assumed(reason: str) -> Origin:
    """No witness was found; *reason* says what the answer was made after."""
    return Origin("assumed", (reason,))


@dataclass(frozen=True)
class Kind:
    """One kind of answer, declared as a module constant beside the code that gives it.

    No answer leaves the emulator without one; docs/emulator-answers.md lists them all.

    :param service: ``entra``, ``secrets``, ``keys``, ``certificates``, ``vault``, ``graph`` ...
    :param name: what is answered, for people; unique within its service.
    :param status: HTTP status.
    """

    service: str
    name: str
    status: int
    origin: Origin

    def answer(self, body: Any = None, headers: Mapping[str, str] | None = None) -> Answer:
        """Return an answer of this kind; a body of None is an empty one."""
        return Answer(self, body, dict(headers or {}))


@dataclass(frozen=True)
class Answer:
    """Status, headers and JSON body, with their kind."""

    kind: Kind
    body: Any
    headers: dict[str, str] = field(default_factory=dict)

    def response(self, headers: Mapping[str, str]) -> Response:
        """Return it for the wire, with *headers* that the service sends on every answer."""
        sent = {**headers, **self.headers, "x-azcert-origin": self.kind.origin.kind}
        if self.body is None:
            return Response(status_code=self.kind.status, headers=sent)
        text = json.dumps(self.body, ensure_ascii=False, separators=(",", ":"))
        return Response(text, self.kind.status, {**sent, "Content-Type": JSON})


def catalogue() -> list[Kind]:
    """Return every kind of answer that the emulator's services declare, by service, status and name."""
    found: set[Kind] = set()
    found |= _kinds_in("azcert.emulator.managed_identity")
    for room in ("arm", "entra", "graph", "keyvault"):
        package = importlib.import_module(f"azcert.emulator.{room}")
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            found |= _kinds_in(module.name)
    return sorted(found, key=lambda kind: (kind.service, kind.status, kind.name))


def _kinds_in(module: str) -> set[Kind]:
    """Return the kinds that a module declares."""
    return {kind for value in vars(importlib.import_module(module)).values() for kind in _kinds(value)}


def _kinds(value: object) -> set[Kind]:
    """Return the kinds in a module's constant: one, a table of them, or a dataclass that groups them."""
    if isinstance(value, Kind):
        return {value}
    members: list[object] = []
    if isinstance(value, dict):
        members = list(value.values())
    elif is_dataclass(value) and not isinstance(value, type):
        members = [getattr(value, part.name) for part in fields(value)]
    return {member for member in members if isinstance(member, Kind)}
