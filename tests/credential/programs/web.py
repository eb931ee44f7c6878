"""A WSGI application whose credential and first token are made before its workers are forked."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from azcert import CertificateCredential

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

credential = CertificateCredential(**json.loads(os.environ["CREDENTIAL"]))
credential.get_token("api://of-the-parent/.default")


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with a token for the scope that is asked for, and the worker's process id."""
    (scope,) = parse_qs(environ["QUERY_STRING"])["scope"]
    token = credential.get_token(scope).token
    start_response("200 OK", [("Content-Type", "application/json")])
    return [json.dumps([os.getpid(), token]).encode()]
