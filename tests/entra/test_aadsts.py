from __future__ import annotations

from pathlib import Path

import pytest

from azcert.entra.aadsts import (
    CERTIFICATE_REJECTED,
    CODES,
    THROTTLED,
    UNKNOWN_KEY_REASONS,
    Explanation,
    explain,
)

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
ENTRIES = [
    *((str(code), entry) for code, entry in CODES.items()),
    *((reason, entry) for reason, entry in UNKNOWN_KEY_REASONS),
]


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=[name for name, _ in ENTRIES])
def test_each_code_has_meaning_cause_and_remedy(name: str, entry: Explanation) -> None:
    for sentence in (entry.meaning, entry.cause, entry.remedy):
        assert sentence.endswith("."), sentence
        assert sentence[0].isupper() or sentence.startswith("azcert"), sentence
        assert "  " not in sentence


def test_what_the_engine_reacts_to_is_explained() -> None:
    assert set(CODES) >= CERTIFICATE_REJECTED | THROTTLED


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("The key was not found.", "Upload"),
        ("The provided signature value did not match the expected signature value.", "belong together"),
        ("Key was found, but use of the key to verify the signature failed.", "RSA"),
        ("The key used is expired.", "azcert new"),
        ("Something new.", "thumbprint"),
    ],
)
def test_the_reason_tells_the_cases_of_700027_apart(reason: str, word: str) -> None:
    text = f"AADSTS700027: The certificate ... is not registered on application. [Reason - {reason}]"
    found = explain(700027, text)
    assert found is not None
    assert word in found.remedy


def test_an_unknown_code_is_not_explained() -> None:
    assert explain(1) is None


def test_the_page_on_errors_has_every_code_with_its_remedy() -> None:
    page = PAGE.read_text()
    for code, entry in CODES.items():
        assert f"| {code} | {entry.meaning} | {entry.cause} | {entry.remedy} |" in page
    for reason, entry in UNKNOWN_KEY_REASONS:
        assert f"| 700027, *{reason}* | {entry.meaning} | {entry.cause} | {entry.remedy} |" in page
