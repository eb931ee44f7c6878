"""Each promise of the README and the threat model names the test that shows it, and that one exists."""

from __future__ import annotations

import ast
import re

from support.console import ROOT

ROW = re.compile(r"^\| (?P<promise>[^|]+?) \| (?P<witnesses>[^|]+?) \|$", re.MULTILINE)
ATTACKS = re.compile(r"^\| attack \|.*\n\|[-|]+\n(?P<rows>(?:\|.*\n)+)", re.MULTILINE)
PROMISE = re.compile(r"^- (?P<text>.+(?:\n  .+)*)", re.MULTILINE)


def promises() -> set[str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## What you get\n", 1)[1].split("\n## ", 1)[0]
    return {" ".join(match["text"].split()) for match in PROMISE.finditer(section)}


def rows() -> dict[str, list[str]]:
    page = (ROOT / "docs" / "claims.md").read_text(encoding="utf-8")
    found = {m["promise"]: re.findall(r"`([^`]+)`", m["witnesses"]) for m in ROW.finditer(page)}
    return {promise: witnesses for promise, witnesses in found.items() if witnesses}


def exists(witness: str) -> bool:
    path, _, name = witness.partition("::")
    file = ROOT / path
    if not file.is_file():
        return False
    tree = ast.parse(file.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    names = {node.name for node in ast.walk(tree) if isinstance(node, kinds)}
    return not name or name in names


def test_every_promise_of_the_readme_has_a_row() -> None:
    assert promises()
    assert promises() == set(rows())


def test_every_witness_exists() -> None:
    missing = [witness for witnesses in rows().values() for witness in witnesses if not exists(witness)]
    assert not missing


def test_every_mitigation_of_the_threat_model_is_shown_by_a_test() -> None:
    page = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    rows = [row for table in ATTACKS.finditer(page) for row in table["rows"].splitlines()]
    assert len(rows) > 20
    assert [row for row in rows if "`tests/" not in row.split("|")[3]] == []
    assert not [witness for witness in re.findall(r"`(tests/[^`]+)`", page) if not exists(witness)]
