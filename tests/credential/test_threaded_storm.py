"""The threaded credential in a storm of real threads, with tokens that live for a few seconds.

What is checked holds at every moment, however slowly the threads run: no call fails while its token is
valid, one request per token at a time, nobody gets another one's token, a failing service is asked at the
pace of the backoff, and when the storm is over everybody is served.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import parse_qs

from azure.core.pipeline.transport import HttpTransport

from azcert import CertificateCredential
from azcert.credential.backoff import Backoff
from azcert.credential.events import Counters, EventKind
from azcert.errors import AuthenticationError
from support.shelf import Shelf
from support.token_endpoint import CLIENT, TENANT
from support.virtual import Reply, Service

if TYPE_CHECKING:
    import pytest

SECONDS = float(os.environ.get("AZCERT_TEST_STORM_SECONDS", "5"))
THREADS = 16
SCOPES = ("https://vault.azure.net/.default", "https://graph.microsoft.com/.default", "api://orders/.default")
TENANTS = (None, "contoso.onmicrosoft.com")
FAULTS = ("reset", "dns", "half", "429", "500", "503", "tls")
LONGEST_WAIT = 0.1

Key = tuple[str, str, bool]


class _Uptime:
    def time(self) -> float:
        return time.monotonic()


class _Transport(HttpTransport[Any, Any]):
    """azure-core's transport interface over `Service`, for threads."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._lock = threading.Lock()

    def send(self, request: Any, **kwargs: Any) -> Reply:
        del kwargs
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        with self._lock:
            self._service.arrive(request.url, form)
        time.sleep(self._service.latency)
        with self._lock:
            self._service.leave(request.url, form)
            return self._service.decide(request.url, form)

    def open(self) -> None:
        """Nothing to open."""

    def close(self) -> None:
        """Nothing to close."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        """Nothing to close."""


class _Storm:
    def __init__(self) -> None:
        self.service = Service(_Uptime(), lifetime=3, refresh_in=1, latency=0.01)
        # The tokens' times are real, and Service dates its answers from a start of its own.
        self.service.skew = time.time() - self.service.now()
        self.shelf = Shelf()
        self.counters = Counters()
        self.credential = CertificateCredential(
            TENANT,
            CLIENT,
            certificate=self.shelf,
            authority="login.microsoftonline.com",
            additionally_allowed_tenants=["*"],
            transport=_Transport(self.service),
            on_event=self.counters,
            retry_backoff_factor=0.02,
            retry_backoff_max=LONGEST_WAIT,
        )
        self.valid: dict[Key, int] = {}
        self.wrong: list[str] = []
        self.calls = 0
        self.answered: list[float] = []
        self.over = threading.Event()
        self.all_back = False

    def call(self, key: Key) -> None:
        tenant, scope, cae = key
        until = self.valid.get(key, 0)
        self.calls += 1
        try:
            token = self.credential.get_token(
                scope, tenant_id=None if tenant == TENANT else tenant, enable_cae=cae
            )
        except AuthenticationError as error:
            if time.time() < until:
                self.wrong.append(f"{key} failed while its token was valid: {error}")
            if self.all_back:
                self.wrong.append(f"{key} failed after the storm: {error}")
            return
        got_tenant, client, got_scope, got_cae, _ = json.loads(token.token)
        if (got_tenant, client, got_scope, got_cae) != (tenant, CLIENT, scope, cae):
            self.wrong.append(f"{key} got {token.token}")
        self.valid[key] = max(self.valid.get(key, 0), token.expires_on)

    def caller(self, seed: int) -> None:
        choose = random.Random(seed)  # noqa: S311 - the same in every run, no secret
        while not self.over.is_set():
            self.call((choose.choice(TENANTS) or TENANT, choose.choice(SCOPES), choose.random() < 0.2))
            time.sleep(choose.choice([0.0, 0.0, 0.001, 0.01]))

    def was_worth_it(self) -> bool:
        seen = [self.counters.count(kind) for kind in (EventKind.REFRESH, EventKind.WAITER)]
        return all(seen) and self.calls > 10 * len(self.service.asked)

    def weather(self, seed: int) -> list[tuple[float, int, int]]:
        """Let outages and calms follow each other; give each outage's length, requests and late good news."""
        choose = random.Random(seed)  # noqa: S311 - the same in every run, no secret
        outages = []
        end = time.monotonic() + SECONDS
        # On a busy machine it goes on until there was something to see.
        while time.monotonic() < end or not self.was_worth_it():
            self.service.mode, began = choose.choice(FAULTS), time.monotonic()
            time.sleep(choose.choice([0.05, 0.3, 1.0]))
            self.shelf.put(choose.randrange(3))
            ended, self.service.mode = time.monotonic(), "ok"
            asked = [moment for moment, _, _ in list(self.service.asked) if began < moment < ended]
            late = [moment for moment in list(self.answered) if began < moment < ended]
            outages.append((ended - began, len(asked), len(late)))
            time.sleep(choose.choice([0.1, 0.5]))
        return outages


def test_threads_survive_a_storm(monkeypatch: pytest.MonkeyPatch) -> None:
    storm = _Storm()
    answered = Backoff.answered

    def noted(backoff: Backoff) -> None:
        storm.answered.append(time.monotonic())
        answered(backoff)

    monkeypatch.setattr(Backoff, "answered", noted)
    keys = [(tenant or TENANT, scope, cae) for tenant in TENANTS for scope in SCOPES for cae in (False, True)]
    with storm.credential, ThreadPoolExecutor(THREADS) as pool:
        for key in keys:
            storm.call(key)
        assert len(storm.valid) == len(keys)
        callers = [pool.submit(storm.caller, seed) for seed in range(THREADS)]
        outages = storm.weather(seed=1)
        storm.over.set()
        for one in callers:
            one.result()
        # Everybody is back, whatever they met: from here on nobody fails.
        storm.all_back = True
        for one in [pool.submit(storm.call, key) for key in keys * 4]:
            one.result()
    assert not storm.wrong, storm.wrong[:5]
    assert storm.service.worst_in_flight == 1
    for seconds, asked, late in outages:
        # Those on their way, and as many again each time a thread gets round to an answer from before the
        # outage; then for each tenant eight while the waits grow, then the backoff's pace.
        most = len(keys) * (1 + late) + len(TENANTS) * (8 + seconds / (LONGEST_WAIT / 2))
        assert asked <= most, (seconds, asked, late)
