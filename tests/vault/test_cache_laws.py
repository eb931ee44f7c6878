"""Laws of the cache, whatever happens in whatever order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from azure.core.exceptions import ResourceNotFoundError, ServiceRequestError
from hypothesis import given, settings
from hypothesis import strategies as st

from support.cached import RULES, Reader, gone, settled
from support.scripted import failed

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.integers(1, 600)),
        st.sampled_from(
            [("read", 0), ("set by us", 0), ("set by others", 0), ("down", 0), ("up", 0), ("newest", 0)]
        ),
        st.sampled_from([("read", 0), ("deleted by others", 0), ("clear", 0)]),
    ),
    max_size=40,
)


class World:
    """A client with a cache, and all that its vault ever held."""

    def __init__(self) -> None:
        self.reader = Reader(replace(RULES, patience=10))
        self.clock = self.reader.clock
        self.truth: list[tuple[float, str | None]] = [(0.0, "one")]  # since when the vault holds which value
        self.down, self.last_down, self.written = False, 0.0, 0.0

    def become(self, value: str | None) -> None:
        self.truth.append((self.clock(), value))
        self.reader.vault.value = value or ""

    def another(self) -> str:
        return f"value {len(self.truth)}"

    def allowed(self) -> set[str | None]:
        """Every value that a read may answer now."""
        # After an outage nobody asks until the pause is over.
        age = RULES.ttl + (RULES.stale if self.clock() - self.last_down <= 60 else 0)
        since = max(self.clock() - age, self.written)
        before = [value for at, value in self.truth if at <= since]
        return {before[-1], *(value for at, value in self.truth if at > since)}

    def write(self) -> None:
        if not self.down:
            self.reader.vault.fault = None
            self.reader.client.set_secret("s", "written")
            self.become(self.another())
            self.written = self.clock()

    def read(self, allowed: set[str | None], headers: dict[str, str]) -> None:
        try:
            assert self.reader.client.get_secret("s", headers=headers).value in allowed
        except ResourceNotFoundError:
            assert None in allowed
        except ServiceRequestError:
            assert self.down

    def step(self, name: str, seconds: int) -> None:
        self.clock.now += seconds + 0.001
        self.last_down = self.clock() if self.down else self.last_down
        self.down = name == "down" or (self.down and name != "up")
        actions: dict[str, Callable[[], None]] = {
            "set by us": self.write,
            "set by others": lambda: self.become(self.another()),
            "deleted by others": lambda: self.become(None),
            "clear": self.reader.cache.clear,
            "read": lambda: self.read(self.allowed(), {}),
            "newest": lambda: self.read({self.truth[-1][1]}, {"Cache-Control": "no-cache"}),
        }
        actions.get(name, bool)()
        settled(self.reader.cache)
        missing = self.truth[-1][1] is None
        self.reader.vault.fault = gone if self.down else (lambda: failed(404)) if missing else None


@settings(max_examples=150, deadline=None)
@given(steps=STEPS)
def test_what_is_read_was_true_within_the_allowed_age_and_writes_are_seen(
    steps: list[tuple[str, int]],
) -> None:
    world = World()
    for name, seconds in steps:
        world.step(name, seconds)


@settings(max_examples=60, deadline=None)
@given(ages=st.lists(st.integers(1, 1500), max_size=12))
def test_in_an_outage_a_read_fails_exactly_when_the_last_value_is_too_old(ages: list[int]) -> None:
    reader = Reader()
    reader.get()
    reader.vault.fault = gone
    age = 0
    for step in ages:
        age += step
        reader.clock.now += step
        try:
            assert reader.get() == "one"
            assert age < RULES.ttl + RULES.stale
        except ServiceRequestError:
            assert age >= RULES.ttl + RULES.stale
        settled(reader.cache)
