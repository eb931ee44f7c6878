"""Several requests in one: each is answered as if it had come alone.

https://learn.microsoft.com/graph/json-batching
"""

from __future__ import annotations

import base64
import json
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from azcert.emulator.graph import faults
from azcert.emulator.graph.calls import Asked
from azcert.emulator.graph.faults import GraphRefusal
from azcert.emulator.origin import Kind, documented

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from azcert.emulator.origin import Answer

__all__ = ["PATH", "run"]

PATH = "$batch"
LIMIT = 20

ANSWERED = Kind("graph", "batch", 200, documented("https://learn.microsoft.com/graph/json-batching"))

_FIRST_FAILURE = 400
_FAILED_DEPENDENCY = 424
_METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}


def run(outer: Asked, body: dict[str, Any], respond: Callable[[Asked], Response]) -> Answer:
    """Return the answers to the requests of a batch, in whatever order; here the last one comes first.

    :param respond: answers one request.
    :raises GraphRefusal: it is no batch.
    """
    entries = _entries(body)
    wanted = {name: _depends_on(entry, set(entries)) for name, entry in entries.items()}
    answers: dict[str, dict[str, Any]] = {}
    try:
        order = list(TopologicalSorter(wanted).static_order())
    except CycleError:
        raise GraphRefusal(faults.BATCH) from None
    for name in order:
        if any(answers[each]["status"] >= _FIRST_FAILURE for each in wanted[name]):
            answers[name] = {"id": name, "status": _FAILED_DEPENDENCY}
        else:
            answers[name] = {"id": name, **_shown(respond(_inner(outer, entries[name])))}
    return ANSWERED.answer({"responses": [answers[name] for name in reversed(entries)]})


def _entries(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    given = body.get("requests")
    if not isinstance(given, list) or not given or not all(isinstance(each, dict) for each in given):
        raise GraphRefusal(faults.BATCH)
    if len(given) > LIMIT:
        raise GraphRefusal(faults.BATCH_SIZE, count=str(len(given)))
    for each in given:
        if not all(isinstance(each.get(name), str) for name in ("id", "method", "url")):
            raise GraphRefusal(faults.BATCH)
        if each["method"].upper() not in _METHODS or ("body" in each and not _content_type(each)):
            raise GraphRefusal(faults.BATCH)
    if len({each["id"].lower() for each in given}) < len(given):
        raise GraphRefusal(faults.BATCH)
    return {each["id"]: each for each in given}


def _content_type(entry: dict[str, Any]) -> str | None:
    headers = entry.get("headers")
    if not isinstance(headers, dict):
        return None
    return next((str(value) for name, value in headers.items() if name.lower() == "content-type"), None)


def _depends_on(entry: dict[str, Any], known: set[str]) -> list[str]:
    names = entry.get("dependsOn") or []
    if not isinstance(names, list) or not all(isinstance(name, str) and name in known for name in names):
        raise GraphRefusal(faults.BATCH)
    return names


def _inner(outer: Asked, entry: dict[str, Any]) -> Asked:
    # OData (JSON 4.01, 19.1) allows absolute addresses, too, and Microsoft's SDK for Python sends them.
    here = f"https://{outer.host}"
    path, _, query = entry["url"].removeprefix(here).partition("?")
    if not entry["url"].startswith(here):
        version = outer.path.strip("/").partition("/")[0]
        path = f"/{version}/{path.lstrip('/')}"
    if path.endswith(PATH):
        raise GraphRefusal(faults.BATCH)
    body = entry.get("body")
    if body is None:
        content = b""
    elif isinstance(body, str):
        try:
            content = base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))
        except ValueError:
            raise GraphRefusal(faults.BATCH) from None
    else:
        content = json.dumps(body).encode()
    return Asked(
        entry["method"].upper(),
        outer.host,
        path,
        dict(parse_qsl(query, keep_blank_values=True)),
        content,
        outer.authorization,
        outer.client_request_id,
    )


def _shown(response: Response) -> dict[str, Any]:
    headers = {name: value for name, value in response.headers.items() if name != "content-length"}
    shown: dict[str, Any] = {"status": response.status_code, "headers": headers}
    if response.body:
        text = bytes(response.body)
        is_json = headers.get("content-type", "").startswith("application/json")
        shown["body"] = json.loads(text) if is_json else base64.b64encode(text).decode()
    return shown
