"""Servers that fork their workers after the credential was made and used: gunicorn and Celery."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from celery import Celery

from support.redis_server import started
from support.token_endpoint import CLIENT, TENANT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from support.shells import Stand

PROGRAMS = Path(__file__).with_name("programs")
OF_THE_PARENT = "api://of-the-parent/.default"
WORKERS = 3


@contextlib.contextmanager
def running(stand: Stand, command: list[str], cache: str | None, **more: Any) -> Iterator[None]:
    """Run a server of `PROGRAMS`; it must end well when it is told to."""
    arguments = stand.arguments(tenant_id=TENANT, client_id=CLIENT, cache=cache)
    settings = {"CREDENTIAL": json.dumps(arguments, default=str), **more.pop("settings", {})}
    server = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=PROGRAMS, env={**os.environ, **settings}, **more
    )
    try:
        yield
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0
    finally:
        server.kill()
        server.wait()


def asked(stand: Stand, scope: str) -> int:
    return len([seen for seen in stand.endpoint.seen if seen.form["scope"] == scope])


@pytest.mark.parametrize(("kind", "shared"), [("sync", True), ("gthread", False)])
def test_gunicorns_workers_use_the_credential_that_their_master_loaded(
    stand: Stand, tmp_path: Path, kind: str, shared: bool
) -> None:
    cache = f"file:{tmp_path}/tokens" if shared else None
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port, number = listener.getsockname()[1], listener.fileno()
        command = ["gunicorn", "web:app", "--preload", f"--bind=fd://{number}", f"--workers={WORKERS}"]
        command += [f"--worker-class={kind}", "--threads=4", "--log-level=warning", "--no-control-socket"]
        # A worker that is told to end while it begins does not hear it, and is killed after this time.
        command += ["--graceful-timeout=3"]

        def get(scope: str) -> tuple[int, str]:
            with urlopen(f"http://127.0.0.1:{port}/?scope={scope}", timeout=30) as answer:
                pid, token = json.load(answer)
                return pid, token

        with running(stand, command, cache, pass_fds=[number]), ThreadPoolExecutor(16) as pool:
            inherited = set(pool.map(get, [OF_THE_PARENT] * 60))
            own = set(pool.map(get, ["api://own/.default"] * 60))
    assert len({token for _, token in inherited}) == 1
    assert asked(stand, OF_THE_PARENT) == 1, "no worker asked for what its master had"
    assert 1 < len({pid for pid, _ in inherited | own}) <= WORKERS
    # One request in each worker, whatever number of threads; one in all where they share a cache.
    assert asked(stand, "api://own/.default") == len({token for _, token in own})
    assert len(own) == len({pid for pid, _ in own})
    assert asked(stand, "api://own/.default") == (1 if shared else len(own))


def test_celerys_pool_uses_the_credential_that_its_parent_loaded(stand: Stand, tmp_path: Path) -> None:
    with started(tmp_path / "redis") as broker:
        # A new process after every third task: some are forked when the parent is not new any more.
        command = ["celery", "-A", "tasks", "worker", "--pool=prefork", "--concurrency=2"]
        command += ["--max-tasks-per-child=3", "--loglevel=ERROR", "--without-gossip", "--without-mingle"]
        client = Celery(broker=broker.url, backend=broker.url)
        with running(stand, command, None, settings={"BROKER": broker.url}), client:
            inherited = [client.send_task("ask", [OF_THE_PARENT]) for _ in range(6)]
            own = [client.send_task("ask", ["api://own/.default"]) for _ in range(6)]
            first = {tuple(one.get(timeout=60)) for one in inherited}
            second = {tuple(one.get(timeout=60)) for one in own}
    assert len({token for _, token in first}) == 1
    assert asked(stand, OF_THE_PARENT) == 1, "no process asked for what the parent had"
    processes = {pid for pid, _ in first | second}
    assert len(processes) >= 4
    assert asked(stand, "api://own/.default") == len({pid for pid, _ in second}) == len(second)
