"""The async credential on trio, with azure-core's own transport for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio
from azure.core.pipeline.transport import TrioRequestsTransport

from azcert.credential.caches.memory import MemoryCache
from azcert.errors import AuthenticationError
from support.token_endpoint import SCOPE, Answer, error

if TYPE_CHECKING:
    from azcert.aio import CertificateCredential
    from support.shells import Stand


def credential(stand: Stand, **arguments: Any) -> CertificateCredential:
    return stand.aio(transport=TrioRequestsTransport(connection_verify=stand.ca), **arguments)


def test_a_herd_of_trio_tasks_makes_one_request(stand: Stand) -> None:
    tokens: list[str] = []

    async def main() -> None:
        async with credential(stand, cache=MemoryCache()) as one:

            async def ask() -> None:
                tokens.append((await one.get_token(SCOPE)).token)

            async with trio.open_nursery() as nursery:
                for _ in range(30):
                    nursery.start_soon(ask)

    trio.run(main)
    assert len(tokens) == 30
    assert len(set(tokens)) == 1
    assert len(stand.endpoint.seen) == 1


def test_a_cancelled_trio_task_harms_nobody(stand: Stand) -> None:
    async def main() -> None:
        async with credential(stand) as one:
            stand.endpoint.gate.clear()
            with trio.move_on_after(0.05) as scope:
                await one.get_token(SCOPE)
            assert scope.cancelled_caught
            stand.endpoint.gate.set()
            assert (await one.get_token(SCOPE)).token.startswith("token-1")

    trio.run(main)
    assert len(stand.endpoint.seen) == 1


def test_faults_are_waited_out_and_errors_arrive_on_trio(stand: Stand) -> None:
    async def main() -> None:
        async with credential(stand) as one:
            stand.endpoint.script.extend([Answer(503), Answer(broken="reset")])
            assert (await one.get_token(SCOPE)).token
            stand.endpoint.script.append(error(700016, "no"))
            with pytest.raises(AuthenticationError):
                await one.get_token("api://other/.default")

    trio.run(main)


def test_a_server_that_trickles_holds_up_nobody_on_trio(stand: Stand) -> None:
    stand.endpoint.always = Answer(200, b"x" * 1000, broken="trickle")

    async def main() -> None:
        async with credential(stand) as one:
            # azure-core's transport for trio works in a thread that cannot be interrupted.
            with pytest.raises(AuthenticationError, match="still under way"):
                await one.get_token(SCOPE, timeout=0.2)
            stand.endpoint.always = None
            await trio.sleep(0.6)
            assert (await one.get_token(SCOPE)).token.startswith("token-1")
            stand.endpoint.trickles.set()

    trio.run(main)
