from __future__ import annotations

import email.utils

import pytest
from azure.core.pipeline.policies import RetryMode
from hypothesis import given
from hypothesis import strategies as st

from azcert.credential.backoff import Backoff, retry_after_seconds
from azcert.credential.retry_rule import RetryRule

RULE = RetryRule()


@given(st.integers(0, 10**5), st.floats(0, 1))
def test_waits_grow_and_are_bounded(failures: int, share: float) -> None:
    wait = RULE.wait(failures, share)
    assert 0 <= wait <= RULE.longest
    assert wait <= RULE.wait(failures + 1, share)


def test_azure_cores_keywords_are_read() -> None:
    rule = RetryRule.from_keywords(
        {"retry_total": 1, "retry_backoff_factor": 2, "retry_mode": RetryMode.Fixed, "timeout": 5}
    )
    assert (rule.total, rule.factor, rule.fixed, rule.timeout) == (1, 2, True, 5)
    assert not RetryRule.from_keywords({"retry_mode": "exponential"}).fixed
    assert RetryRule.from_keywords({"retry_mode": "Fixed"}).fixed


def test_one_probe_at_a_time_until_one_is_answered() -> None:
    backoff = Backoff(RULE)
    backoff.failed(0.0, "down", retry_after=10)
    assert backoff.wait_until_allowed(1.0) == 9.0
    assert backoff.wait_until_allowed(10.0) == 0.0
    assert backoff.wait_until_allowed(10.0) > 0.0
    backoff.given_up()
    assert backoff.wait_until_allowed(10.0) == 0.0
    backoff.answered()
    assert backoff.wait_until_allowed(10.0) == backoff.wait_until_allowed(10.0) == 0.0


@given(st.floats(0.01, 59.0))
def test_those_who_wait_for_a_probe_look_rarely_and_are_not_late(took: float) -> None:
    backoff = Backoff(RULE)
    backoff.failed(0.0, "down", retry_after=0)
    assert backoff.wait_until_allowed(1.0) == 0.0
    now, looks = 1.0, 0
    while now < 1.0 + took:
        now += backoff.wait_until_allowed(now)
        looks += 1
    assert looks <= 32
    assert now - 1.0 - took <= max(0.05, took / 4)


def test_a_lost_probe_does_not_block_for_ever() -> None:
    backoff = Backoff(RULE)
    backoff.failed(0.0, "down", retry_after=0)
    assert backoff.wait_until_allowed(1.0) == 0.0
    assert backoff.wait_until_allowed(60.0) > 0.0
    assert backoff.wait_until_allowed(61.0) == 0.0


def test_a_later_failure_does_not_shorten_what_the_service_asked_for() -> None:
    backoff = Backoff(RULE)
    backoff.failed(0.0, "429", retry_after=600)
    backoff.failed(1.0, "reset", at_once=True)
    assert backoff.closed_for(1.0) == 599.0


@given(st.none() | st.text(max_size=20) | st.floats().map(str) | st.integers().map(str))
def test_any_retry_after_is_a_wait_or_nothing(value: str | None) -> None:
    seconds = retry_after_seconds(value, 1000.0)
    assert seconds is None or 0 <= seconds < float("inf")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        ("-1", 0.0),
        (email.utils.formatdate(1060, usegmt=True), 60.0),
        (email.utils.formatdate(900, usegmt=True), 0.0),
        ("soon", None),
        ("", None),
        (None, None),
        ("inf", None),
        ("nan", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, 1000.0) == seconds
