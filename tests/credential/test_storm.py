"""The engine in an hour of trouble: random faults, renewals, cancellations, in virtual time.

The invariants: no caller fails while a valid token for it exists, nor while the service is well and knows any
certificate that was ever used; never more than one request per token at once; nobody ever gets a token of
another tenant, scope or capability; requests during an outage stay under a bound.
"""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from azcert.aio import CertificateCredential
from azcert.errors import AuthenticationError
from support.shelf import Shelf, certificates, digest_of
from support.token_endpoint import CLIENT, TENANT
from support.virtual import START, Service, ServiceTransport, VirtualLoop

EXAMPLES = int(os.environ.get("AZCERT_TEST_STORMS", "40"))
SCOPES = ("https://vault.azure.net/.default", "https://graph.microsoft.com/.default", "api://orders/.default")
TENANTS = (None, None, "contoso.onmicrosoft.com")
FAULTS = ("reset", "dns", "half", "429", "500", "503", "tls")


class Storm(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.loop = VirtualLoop()
        self.service = Service(self.loop, registered=self.is_registered)
        self.shelf = Shelf()
        self.known = {0}
        self.tasks: set[asyncio.Task[None]] = set()
        self.failures: list[str] = []
        self.valid: dict[Any, float] = {}
        self.outage_since: float | None = None
        self.calm_since = -1000.0
        self.credential = CertificateCredential(
            TENANT,
            CLIENT,
            certificate=self.shelf,
            authority="login.microsoftonline.com",
            additionally_allowed_tenants=["*"],
            transport=ServiceTransport(self.service),
            clock=self.loop.clock(),
        )
        # Every storm breaks over a program that has been running well.
        for scope in SCOPES:
            self.callers_come(scope=scope, tenant=None, cae=False, callers=1, then=1.0)

    def is_registered(self, thumbprint: str) -> bool:
        names = {digest_of(certificates()[number]) for number in self.known}
        return thumbprint in names

    @rule(
        scope=st.sampled_from(SCOPES),
        tenant=st.sampled_from(TENANTS),
        cae=st.sampled_from([False, False, True]),
        callers=st.integers(1, 5),
        then=st.sampled_from([0.0, 0.05, 1.0, 30.0, 900.0]),
    )
    def callers_come(self, scope: str, tenant: str | None, cae: bool, callers: int, then: float) -> None:
        for _ in range(callers):
            task = self.loop.create_task(self._call(scope, tenant, cae))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)
        self._pass(then)

    @rule(seconds=st.sampled_from([0.05, 0.3, 2.0, 20.0, 120.0, 600.0, 1500.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self._pass(seconds)

    @rule(mode=st.sampled_from(FAULTS), retry_after=st.sampled_from([None, "1", "45", "nonsense"]))
    def the_service_fails(self, mode: str, retry_after: str | None) -> None:
        self.service.mode = mode
        self.service.retry_after = retry_after
        if self.outage_since is None:
            self.outage_since = self.loop.time()
            self.service.asked.clear()

    @rule(latency=st.sampled_from([0.01, 0.5, 8.0]))
    def the_service_recovers(self, latency: float) -> None:
        self.service.mode = "ok"
        self.service.latency = latency
        if self.outage_since is not None:
            self.calm_since = self.loop.time()
        self.outage_since = None

    @rule(skew=st.sampled_from([-7200.0, -400.0, 0.0, 90.0, 86400.0]))
    def the_clock_is_wrong(self, skew: float) -> None:
        self.service.skew = skew
        # Requests under way come to a service that lives in another time than when they left.
        self.calm_since = self.loop.time()

    @rule(number=st.integers(0, 2), registered=st.booleans())
    def a_certificate_is_renewed(self, number: int, registered: bool) -> None:
        # The old one stays registered: that is what an overlap is. The new one may not have arrived yet.
        self.shelf.order = [number]
        self.shelf.changes += 1
        if registered:
            self.known.add(number)

    @rule()
    def a_caller_is_cancelled(self) -> None:
        for task in list(self.tasks)[:1]:
            task.cancel()
        self._pass(0.0)

    @invariant()
    def nobody_failed_without_need(self) -> None:
        assert not getattr(self, "failures", []), self.failures

    @invariant()
    def one_request_per_token(self) -> None:
        if hasattr(self, "service"):
            assert self.service.worst_in_flight <= 1

    @invariant()
    def an_outage_is_not_hammered(self) -> None:
        if getattr(self, "outage_since", None) is None:
            return
        tenants = {url for _, url, _ in self.service.asked}
        for url in tenants:
            times = [moment for moment, asked, _ in self.service.asked if asked == url]
            lasted = self.loop.time() - (self.outage_since or 0.0)
            # Requests already under way, eight while the waits grow, then one in fifteen seconds at most.
            assert len(times) <= 12 + 8 + lasted / 15, (url, lasted, times)

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        self.service.mode = "ok"
        self._pass(200.0)
        assert not self.tasks, "somebody waits for ever"
        self.loop.run(self.credential.close())
        self.loop.close()

    def _pass(self, seconds: float) -> None:
        self.loop.run(asyncio.sleep(seconds))

    async def _call(self, scope: str, tenant: str | None, cae: bool) -> None:
        key = (tenant or TENANT, scope, cae)
        # A while after the last fault every wait that the service asked for is over.
        calm_since = self.calm_since
        calm = self.outage_since is None and self.loop.time() > calm_since + 100
        try:
            token = await self.credential.get_token(scope, tenant_id=tenant, enable_cae=cae)
        except AuthenticationError as error:
            if calm and self.outage_since is None and self.calm_since == calm_since:
                self.failures.append(f"{key} failed though the service was well: {error}")
            if self.valid.get(key, 0.0) > START + self.loop.time():
                self.failures.append(f"{key} failed while its token was valid: {error}")
            return
        got_tenant, client, got_scope, got_cae, _ = json.loads(token.token)
        if (got_tenant, client, got_scope, got_cae) != (key[0], CLIENT, scope, cae):
            self.failures.append(f"{key} got the token of {token.token}")
        if token.expires_on < START + self.loop.time():
            self.failures.append(f"{key} got a token that had ended")
        self.valid[key] = max(self.valid.get(key, 0.0), token.expires_on)


Storm.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestStorm = Storm.TestCase
