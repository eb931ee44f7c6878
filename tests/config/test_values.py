"""Booleans, time spans and names, read strictly."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azcert._values import parse_boolean, parse_integer, parse_timespan, words
from azcert.config.reading.load import load_settings
from azcert.errors import ConfigurationError


@pytest.mark.parametrize("text", ["true", "True", "TRUE", " true ", "1", "yes"])
def test_these_mean_true(text: str) -> None:
    assert parse_boolean(text) is True


@pytest.mark.parametrize("text", ["false", "False", "0", "no", "FALSE\n"])
def test_these_mean_false(text: str) -> None:
    assert parse_boolean(text) is False


@given(st.text())
def test_anything_else_is_no_boolean(text: str) -> None:
    known = {"true", "1", "yes", "false", "0", "no"}
    assert (parse_boolean(text) is None) == (text.strip().lower() not in known)


def written(span: dt.timedelta) -> str:
    """The constant format of .NET's TimeSpan: [d.]hh:mm:ss[.fffffff]."""
    minutes, seconds = divmod(span.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = f"{span.days}." if span.days else ""
    fraction = f".{span.microseconds:06}0" if span.microseconds else ""
    return f"{days}{hours:02}:{minutes:02}:{seconds:02}{fraction}"


@given(st.timedeltas(dt.timedelta(0), dt.timedelta(days=9999)))
def test_time_spans_read_back_as_dotnet_writes_them(span: dt.timedelta) -> None:
    assert parse_timespan(written(span)) == span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("00:00:00.8", 0.8),
        ("00:01:40", 100),
        ("00:01", 60),
        ("1.00:00:00", 86400),
        ("6:12:14:45", 6 * 86400 + 12 * 3600 + 14 * 60 + 45),
    ],
)
def test_documented_time_spans(text: str, seconds: float) -> None:
    span = parse_timespan(text)
    assert span is not None
    assert span.total_seconds() == seconds


@pytest.mark.parametrize(
    "text", ["5", "30s", "24:00:00", "00:60:00", "00:00:60", "-00:00:01", "", "1:2:3:4:5"]
)
def test_no_time_spans(text: str) -> None:
    assert parse_timespan(text) is None


def test_a_bare_number_is_refused_because_dotnet_reads_days() -> None:
    section = load_settings({"Retry": {"Delay": "5"}}, environ={}).section("Retry")
    with pytest.raises(ConfigurationError, match="not a time span") as caught:
        section.duration("Delay")
    assert caught.value.details["key"] == "Retry:Delay"


@given(st.integers(-(10**17), 10**17))
def test_whole_numbers_read_back(number: int) -> None:
    assert parse_integer(str(number)) == number


@pytest.mark.parametrize("text", ["1.0", "0x10", "", "1e3", "\u0661"])
def test_no_whole_numbers(text: str) -> None:
    assert parse_integer(text) is None


@pytest.mark.parametrize("name", ["vaultUri", "vault_uri", "Vault-URI", "VaultUri", "VAULT_URI", "vault uri"])
def test_words_do_not_depend_on_spelling(name: str) -> None:
    assert words(name) == ("vault", "uri")
