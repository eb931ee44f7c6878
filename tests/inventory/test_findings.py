"""The rules, over values."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest

from azcert.inventory.findings import Rules, Severity, findings, is_due
from azcert.inventory.model import Credential, Kind

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
RULES = Rules()


def days(number: float) -> dt.datetime:
    return NOW + dt.timedelta(days=number)


def credential(kind: Kind = Kind.CERTIFICATE, **changes: Any) -> Credential:
    healthy = Credential("app", "object", "billing", kind, "key", "AB" * 20, "", days(-60), days(100))
    return replace(healthy, **changes)


def found(given: Credential) -> dict[str, Severity]:
    return {each.code: each.severity for each in findings(given, RULES, NOW)}


def test_a_strong_certificate_with_time_left_has_none() -> None:
    assert found(credential(key_type="RSA", key_size=2048, signature_hash="sha256")) == {}


@pytest.mark.parametrize(
    ("end", "successor", "expected"),
    [
        (30.5, None, {}),
        (29, None, {"expires-soon": Severity.WARNING}),
        (6, None, {"expires-soon": Severity.CRITICAL}),
        (6, 200, {"expires-soon": Severity.WARNING}),
        (29, 200, {"expires-soon": Severity.NOTE}),
        (-1, None, {"expired": Severity.CRITICAL}),
        (-1, -0.5, {"expired": Severity.CRITICAL}),
        (-1, 200, {"expired": Severity.NOTE}),
        (-40, None, {"expired": Severity.NOTE}),
    ],
)
def test_an_end_matters_by_how_near_it_is_and_what_follows(
    end: float, successor: float | None, expected: dict[str, Severity]
) -> None:
    follows = None if successor is None else days(successor)
    assert found(credential(end=days(end), successor=follows)) == expected


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key_type": "RSA", "key_size": 1024}, "weak-key"),
        ({"key_type": "RSA", "key_size": 2048, "signature_hash": "sha1"}, "weak-signature"),
        ({"key_type": "EC", "key_size": 256}, "not-rsa"),
        ({"start": days(-1), "end": days(398)}, "too-long-lived"),
        ({"start": days(1)}, "not-yet-valid"),
    ],
)
def test_a_weak_or_strange_certificate_is_named(changes: dict[str, Any], code: str) -> None:
    assert list(found(credential(**changes))) == [code]


def test_what_has_ended_is_not_called_weak() -> None:
    ended = credential(start=days(-4000), end=days(-1), key_type="RSA", key_size=512, signature_hash="md5")
    assert list(found(ended)) == ["expired"]


def test_a_secret_should_be_a_certificate_and_lives_shorter() -> None:
    assert found(credential(Kind.SECRET)) == {"secret": Severity.NOTE}
    long = credential(Kind.SECRET, start=days(-100), end=days(100))
    assert found(long) == {"too-long-lived": Severity.WARNING, "secret": Severity.NOTE}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"activity_known": False}, []),
        ({"last_used": days(-89)}, []),
        ({"last_used": days(-91)}, ["unused"]),
        ({"last_used": None}, ["unused"]),
        ({"last_used": None, "start": days(-10)}, []),
    ],
)
def test_unused_is_said_only_where_it_is_known(changes: dict[str, Any], expected: list[str]) -> None:
    old = {"start": days(-200), "end": days(100), "activity_known": True}
    assert list(found(credential(**{**old, **changes}))) == expected


def test_due_is_what_still_works_and_ends_soon() -> None:
    moments = {-0.1: False, 0.1: True, 29.9: True, 30.1: False}
    assert {end: is_due(credential(end=days(end)), RULES, NOW) for end in moments} == moments
