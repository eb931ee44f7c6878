"""Names are chosen by whoever may register an app: no writer lets one out of its place."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from azcert.inventory.findings import Rules
from azcert.inventory.ledger import Ledger
from azcert.inventory.report import Report
from azcert.inventory.writers import json_lines, page, prometheus, spreadsheet, table
from azcert.registration.applications import Page
from azcert.registration.model import Application, KeyCredential, PasswordCredential
from support.browser import Reader

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
NASTY = st.text(max_size=40) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "=cmd|' /C calc'!A0",
        "@SUM(1)",
        'a"} 1\nfake_metric 2',
        "back\\slash",
        "\x1b]0;title\x07\x1b[31mred",
        "a,b;c\r\nd",
        "\u202egnp.exe",
        "]]>--></style></svg>",
    ]
)


def report(name: str, label: str, tenant: str = "contoso") -> Report:
    start, end = NOW - dt.timedelta(days=100), NOW + dt.timedelta(days=10)
    key = KeyCredential("key-1", "AB" * 20, label, start, end, "Verify", "AsymmetricX509Cert")
    password = PasswordCredential("key-2", label, label, start, end + dt.timedelta(days=400))
    ledger = Ledger(None, owner=tenant)
    ledger.keep_page(Page((Application("object", "app-id", name, (key,), (password,), ()),), None))
    return Report(ledger, tenant=tenant, rules=Rules(), now=NOW)


def written(writer: Any, given: Report) -> str:
    out = io.StringIO(newline="")
    writer.write(given, out)
    return out.getvalue()


@given(NASTY, NASTY)
def test_json_gives_names_back_unchanged_one_object_a_line(name: str, label: str) -> None:
    lines = written(json_lines, report(name, label)).split("\n")
    assert lines[-1] == ""
    first, second = (json.loads(line) for line in lines[:-1])
    assert (first["app"], first["name"], second["label"]) == (name, label, label)
    assert (first["kind"], first["daysLeft"], first["findings"][0]["code"]) == (
        "certificate",
        10,
        "expires-soon",
    )


@given(NASTY, NASTY)
def test_csv_has_no_cell_that_is_a_formula_and_no_row_too_many(name: str, label: str) -> None:
    rows = list(csv.reader(io.StringIO(written(spreadsheet, report(name, label)), newline="")))
    assert [len(row) for row in rows] == [len(spreadsheet.HEAD)] * 3
    for row in rows[1:]:
        assert all(not cell.startswith(("=", "+", "@", "\t", "\r")) for cell in row)
        assert all(not cell.startswith("-") or cell.lstrip("-").isdigit() for cell in row)
    assert all("\n" not in cell and "\x1b" not in cell for row in rows for cell in row)


@given(NASTY, NASTY)
def test_prometheus_reads_back_the_labels(name: str, label: str) -> None:
    series = [
        line for line in written(prometheus, report(name, label)).split("\n") if line and line[0] != "#"
    ]
    labels, value = read_series(series[0])
    assert (labels["app"], labels["tenant"], labels["key_id"]) == (name, "contoso", "key-1")
    assert float(value) == (NOW + dt.timedelta(days=10)).timestamp()
    assert len(series) == 2 + 9 + 3, "a name made a line of its own"


def read_series(line: str) -> tuple[dict[str, str], str]:
    """Read one sample by the grammar of the format, written down here anew."""
    _, _, rest = line.partition("{")
    labels: dict[str, str] = {}
    letters: Iterator[str] = iter(rest)
    name = ""
    for letter in letters:
        if letter == "}":
            break
        if letter == "=":
            assert next(letters) == '"'
            value = ""
            while (each := next(letters)) != '"':
                value += {"n": "\n", "\\": "\\", '"': '"'}[next(letters)] if each == "\\" else each
            labels[name] = value
            name = ""
        elif letter != ",":
            name += letter
    return labels, "".join(letters).strip()


@given(NASTY, NASTY, NASTY)
def test_the_page_has_no_tag_handler_or_address_of_a_names_making(name: str, label: str, tenant: str) -> None:
    quiet = Reader(written(page, report("quiet", "quiet", "quiet")))
    loud = Reader(written(page, report(name, label, tenant)))
    assert loud.tags == quiet.tags
    assert (loud.addresses, loud.handlers) == ([], [])


@given(NASTY, NASTY)
def test_the_table_sends_nothing_to_the_terminal_but_letters(name: str, label: str) -> None:
    text = written(table, report(name, label))
    assert len(text.split("\n")) == 4
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text), "a control character"
    assert not re.search("[\u200e\u200f\u202a-\u202e\u2066-\u2069]", text), "a turn of the direction"
