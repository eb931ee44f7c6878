"""Requests and responses as plain values: protocol code makes and reads them and never waits."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

__all__ = ["Flow", "Request", "Response"]

T = TypeVar("T")

Flow = Generator["Request", "Response", T]
"""A conversation: yields requests, is sent their responses, returns its result or raises an azcert error."""


@dataclass(frozen=True)
class Request:
    """One HTTP request. The body is never shown by ``repr``: it may hold an assertion."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Response:
    """One HTTP response; header names are lower case. The body is never shown by ``repr``."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    raw: Any = field(default=None, repr=False, compare=False)
    """azure-core's response object, for exceptions."""

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, or an empty one when it is anything else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}
