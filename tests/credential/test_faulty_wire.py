"""Both credentials on a real, faulty wire: sockets, TLS and names fail in any order, and the invariants hold.

No caller fails while its token is valid, nor while all is well; never two requests for one token at once; no
token of another tenant or scope; a bounded number of requests for each call.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from azcert.credential.wanted import Clock
from azcert.errors import AuthenticationError
from support.token_endpoint import TENANT, Answer, make_certificate

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.shells import Stand

EXAMPLES = int(os.environ.get("AZCERT_TEST_WIRES", "15"))
SCOPES = ("https://vault.azure.net/.default", "api://orders/.default")
TENANTS = (TENANT, "contoso.onmicrosoft.com")
TRIES = 7
"""Three repetitions after broken connections and three after refusals."""
LONG = 7200.0
FAULTS: dict[str, Callable[[], Answer]] = {
    "reset": lambda: Answer(broken="reset"),
    "half": lambda: Answer(200, {"access_token": "x" * 1000, "expires_in": 3600}, broken="half"),
    "429": lambda: Answer(429, headers={"Retry-After": "0"}),
    "500": lambda: Answer(500, b"oops"),
    "503": lambda: Answer(503),
    "html": lambda: Answer(502, b"<html>", {"Content-Type": "text/html"}),
}

Key = tuple[str, str]
_LOOK_UP = socket.getaddrinfo


class Wire(RuleBasedStateMachine):
    """:param use: sets an attribute for the length of the test."""

    def __init__(self, stand: Stand, kind: str, use: Callable[[object, str, object], None]) -> None:
        super().__init__()
        self.endpoint, self.certificate = stand.endpoint, stand.certificate
        self.passed = 0.0
        self.resolved = True
        self.closed_until = 0.0
        self.valid: dict[Key, int] = {}
        self.endpoint.seen.clear()
        self.all_is_well()
        self.loop = asyncio.new_event_loop() if kind == "aio" else None
        self.credential: Any = getattr(stand, kind)(
            additionally_allowed_tenants=["*"],
            clock=Clock(lambda: time.time() + self.passed, lambda: time.monotonic() + self.passed),
            retry_backoff_max=0.02,
        )

        def sometimes(*arguments: Any, **keywords: Any) -> Any:
            if not self.resolved:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return _LOOK_UP(*arguments, **keywords)

        use(socket, "getaddrinfo", sometimes)

    @rule(keys=st.lists(st.tuples(st.sampled_from(TENANTS), st.sampled_from(SCOPES)), min_size=1, max_size=6))
    def callers_come(self, keys: list[Key]) -> None:
        before, well = len(self.endpoint.seen), self.is_well()
        if self.loop is None:
            with ThreadPoolExecutor(len(keys)) as pool:
                ends = list(pool.map(self._call, keys))
        else:
            ends = self.loop.run_until_complete(self._wait_for_all(keys))
        now = time.time() + self.passed
        for (tenant, scope), end in zip(keys, ends, strict=True):
            if isinstance(end, AuthenticationError):
                assert not well, f"failed though all was well: {end}"
                assert now >= self.valid.get((tenant, scope), 0), f"failed while its token was valid: {end}"
            else:
                assert end.token.split(".", 1)[1] == f"{tenant}.{scope}"
                assert end.expires_on > now - 60
                self.valid[tenant, scope] = max(self.valid.get((tenant, scope), 0), end.expires_on)
        # The tries of each token, and one each for a refresh that an earlier call began.
        assert len(self.endpoint.seen) - before <= TRIES * len(set(keys)) + 4

    @rule(faults=st.lists(st.sampled_from(sorted(FAULTS)), min_size=1, max_size=3))
    def some_answers_go_wrong(self, faults: list[str]) -> None:
        self.endpoint.script.extend(FAULTS[name]() for name in faults)

    @rule(fault=st.sampled_from(sorted(FAULTS)))
    def the_service_fails(self, fault: str) -> None:
        self.endpoint.always = FAULTS[fault]()

    @rule()
    def the_service_throttles_for_long(self) -> None:
        self.endpoint.script.append(Answer(429, headers={"Retry-After": str(int(LONG))}))
        self.closed_until = time.monotonic() + self.passed + LONG + 5

    @rule()
    def the_name_is_not_resolved(self) -> None:
        self.resolved = False
        self._hang_up()

    @rule()
    def all_is_well(self) -> None:
        self.resolved = True
        self.endpoint.always = None
        self.endpoint.script.clear()
        self.endpoint.skew = 0.0

    @rule(skew=st.sampled_from([-7200.0, -300.0, 90.0, 86400.0]))
    def the_clocks_differ(self, skew: float) -> None:
        self.endpoint.skew = skew

    @rule(seconds=st.sampled_from([60.0, 700.0, 3000.0, 3700.0, LONG]))
    def time_passes(self, seconds: float) -> None:
        self.passed += seconds

    @rule(number=st.integers(0, 2))
    def the_certificate_is_renewed(self, number: int) -> None:
        make_certificate(self.certificate, name=f"app-{number}")

    @rule()
    def connections_break(self) -> None:
        self._hang_up()

    @invariant()
    def one_request_per_token(self) -> None:
        assert self.endpoint.most_in_flight <= 1

    def is_well(self) -> bool:
        throttled = time.monotonic() + self.passed < self.closed_until
        faults = self.endpoint.always is not None or bool(self.endpoint.script)
        return self.resolved and not throttled and not faults

    def teardown(self) -> None:
        self.all_is_well()
        if self.loop is None:
            self.credential.close()
            return
        self.loop.run_until_complete(self.credential.close())
        # asyncio lets go of a broken TLS connection in the next rounds of its loop.
        self.loop.run_until_complete(asyncio.sleep(0.05))
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()

    def _call(self, key: Key) -> Any:
        try:
            return self.credential.get_token(key[1], tenant_id=key[0])
        except AuthenticationError as error:
            return error

    async def _wait_for_all(self, keys: list[Key]) -> list[Any]:
        return await asyncio.gather(*map(self._wait, keys))

    async def _wait(self, key: Key) -> Any:
        try:
            return await self.credential.get_token(key[1], tenant_id=key[0])
        except AuthenticationError as error:
            return error

    def _hang_up(self) -> None:
        if self.loop is None:
            self.credential._channel.close()
        else:
            for channel in self.credential._channels.values():
                self.loop.run_until_complete(channel.close())


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_the_invariants_hold_on_a_faulty_wire(
    stand: Stand, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine: Any = lambda: Wire(stand, kind, monkeypatch.setattr)  # noqa: E731 - made anew for each example
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=15,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
