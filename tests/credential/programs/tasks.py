"""Celery tasks whose credential and first token are made before the pool's processes are forked."""

from __future__ import annotations

import json
import os

from celery import Celery

from azcert import CertificateCredential

app = Celery("tasks", broker=os.environ["BROKER"], backend=os.environ["BROKER"])
credential = CertificateCredential(**json.loads(os.environ["CREDENTIAL"]))
credential.get_token("api://of-the-parent/.default")


@app.task(name="ask")  # type: ignore[untyped-decorator]
def ask(scope: str) -> tuple[int, str]:
    """Return this process's id and a token."""
    return os.getpid(), credential.get_token(scope).token
