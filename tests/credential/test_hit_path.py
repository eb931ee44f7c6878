"""A call that memory answers: what it calls, counted rather than timed, however many tokens there are."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from support.shells import BOTH, Face
from support.token_endpoint import SCOPE

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from support.shells import Stand


class Calls:
    """The names of everything that is called inside the block, in order."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            self.names.append(frame.f_code.co_name)
        elif event == "c_call":
            self.names.append(argument.__name__)

    def __enter__(self) -> list[str]:
        sys.setprofile(self._note)
        return self.names

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)
        # The call of setprofile itself, and of this method.
        self.names[-2:] = []


@pytest.mark.parametrize("tokens", [1, 20])
@pytest.mark.parametrize("name", ["get_token", "get_token_info"])
@pytest.mark.parametrize("run", BOTH)
def test_a_hit_is_one_look_up_and_one_reading_of_the_clock(
    stand: Stand, run: Callable[..., Any], name: str, tokens: int
) -> None:
    async def script(face: Face) -> tuple[list[str], set[str]]:
        for number in range(tokens - 1):
            await face.get_token(f"https://other-{number}/.default")
        await face.get_token(SCOPE)
        modules = set(sys.modules)
        # The credential itself: the sync one's face only makes it look awaitable.
        call = getattr(getattr(face, "credential", face), name)
        with Calls() as calls:
            waiting = call(SCOPE)
            if hasattr(waiting, "send"):
                # Not suppress(): its calls would be among those that are counted.
                try:  # noqa: SIM105
                    waiting.send(None)
                except StopIteration:
                    pass
        return calls, set(sys.modules) - modules

    calls, imported = run(stand, script)
    assert [each for each in calls if each not in {"hasattr", "send"}] == [name, "len", "get", "time"]
    assert imported == set()
    assert len(stand.endpoint.seen) == tokens
