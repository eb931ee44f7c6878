"""What the hook is told, by both credentials: each kind, how often, how long, and why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from azcert.credential.events import Counters, Event, EventKind
from azcert.errors import AuthenticationError
from support.shells import BOTH, Face
from support.token_endpoint import SCOPE, TENANT, Answer, error

if TYPE_CHECKING:
    from support.shells import Stand

Runner = Callable[..., Any]


@pytest.mark.parametrize("run", BOTH)
def test_requests_hits_refreshes_failures_and_signatures_are_counted(stand: Stand, run: Runner) -> None:
    events: list[Event] = []
    counters = Counters()

    def note(event: Event) -> None:
        events.append(event)
        counters(event)

    async def script(credential: Any) -> int:
        first = (await credential.get_token(SCOPE)).token
        for _ in range(9):
            await credential.get_token(SCOPE)
        stand.endpoint.script.extend([Answer(503), error(700016, "No such application.")])
        with pytest.raises(AuthenticationError):
            await credential.get_token("api://none/.default")
        real = getattr(credential, "credential", credential)
        real._hits[SCOPE].fresh_until = 0.0
        # The refresh goes on in a thread of one shell, in a task of the other.
        while (await credential.get_token(SCOPE)).token == first:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        return int(real.hit_count)

    hits = run(stand, script, on_event=note)
    assert hits >= 10
    assert {kind: counters.count(kind) for kind in EventKind} == {
        EventKind.REQUEST: 4,
        EventKind.REFRESH: 1,
        EventKind.FAILURE: 1,
        EventKind.WAITER: 0,
        EventKind.SIGNED: 2,
        EventKind.CACHE_HIT: 0,
    }
    for kind in (EventKind.REQUEST, EventKind.REFRESH, EventKind.SIGNED, EventKind.FAILURE):
        assert counters.seconds(kind) > 0
    (failure,) = [event for event in events if event.kind is EventKind.FAILURE]
    assert failure.code == "AADSTS700016"
    assert failure.scopes == ("api://none/.default",)
    assert failure.tenant_id == TENANT
    text = counters.prometheus(hits=hits)
    assert 'azcert_events_total{kind="request"} 4\n' in text
    assert f"azcert_hits_total {hits}\n" in text


@pytest.mark.parametrize("run", BOTH)
def test_waiters_are_counted(stand: Stand, run: Runner) -> None:
    counters = Counters()
    stand.endpoint.delay = 0.2

    async def script(credential: Face) -> None:
        if hasattr(credential, "credential"):
            one = credential.credential
            await asyncio.gather(*[asyncio.to_thread(one.get_token, SCOPE) for _ in range(4)])
        else:
            await asyncio.gather(*[credential.get_token(SCOPE) for _ in range(4)])

    run(stand, script, on_event=counters)
    assert counters.count(EventKind.REQUEST) == 1
    assert counters.count(EventKind.WAITER) == 3
