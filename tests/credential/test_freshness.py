from __future__ import annotations

import multiprocessing

from hypothesis import given
from hypothesis import strategies as st

from azcert.credential.freshness import Freshness, freshness, process_share, refresh_pause, refresh_time

SHARES = st.floats(0, 1)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_a_token_is_used_then_refreshed_early_then_not_used(
    now: int, refresh_on: int, expires_on: int
) -> None:
    state = freshness(now, refresh_on=refresh_on, expires_on=expires_on)
    if now >= expires_on:
        assert state is Freshness.MUST_REFRESH
    elif now >= refresh_on:
        assert state is Freshness.REFRESH_EARLY
    else:
        assert state is Freshness.USE


@given(st.integers(0, 10**6), st.integers(-10, 200_000), st.none() | st.integers(-10, 300_000), SHARES)
def test_the_time_to_refresh_lies_within_the_tokens_life(
    issued_on: int, expires_in: int, refresh_in: int | None, share: float
) -> None:
    due = refresh_time(issued_on, expires_in, refresh_in, share)
    assert issued_on <= due <= max(issued_on, issued_on + expires_in)


def test_the_stated_rule() -> None:
    assert refresh_time(0, 86400, 43200, 0.0) == 43200, "what the service says"
    assert refresh_time(0, 7200, None, 0.0) == 3600, "half of a long life"
    assert refresh_time(0, 3600, None, 0.0) == 2880, "12 minutes before the end of an hour"
    assert refresh_time(0, 3600, None, 1.0) == 2700, "less a twentieth of the life"
    assert refresh_time(0, 3600, 999_999, 0.0) == 2880, "nonsense is not obeyed"


@given(st.integers(1, 10_000), SHARES)
def test_pauses_grow_to_five_minutes(failures: int, share: float) -> None:
    assert 15 <= refresh_pause(failures, share) <= 300
    assert refresh_pause(failures + 1, share) >= refresh_pause(failures, share)


def _tell(answers: multiprocessing.SimpleQueue[float]) -> None:
    answers.put(process_share())


def test_each_process_has_its_own_share_also_after_a_fork() -> None:
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    mine = process_share()
    children = [context.Process(target=_tell, args=(answers,)) for _ in range(3)]
    for child in children:
        child.start()
    shares = {mine, *(answers.get() for _ in children)}
    for child in children:
        child.join()
    assert process_share() == mine
    assert len(shares) == 4
    assert all(0 <= share <= 1 for share in shares)
