"""Every answer of the emulator says where it is known from, and the page repeats it."""

from __future__ import annotations

import re
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

from azcert.emulator.origin import catalogue
from support import replay
from support.emulated import Emulated

ROOT = Path(__file__).parents[2]
KINDS = catalogue()


def generated_page() -> str:
    loader = SourceFileLoader("emulator_answers", str(ROOT / "scripts" / "emulator-answers"))
    spec = spec_from_loader("emulator_answers", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return str(module.page())


def test_the_page_is_what_the_code_declares() -> None:
    written = (ROOT / "docs" / "emulator-answers.md").read_text(encoding="utf-8")
    assert written == generated_page(), "run scripts/emulator-answers"


def test_each_recorded_answer_names_a_recording_that_has_its_status() -> None:
    # Where the recordings are absent, the form of their names is all that can be checked.
    files = replay.recordings("entra", "graph", "keyvault")
    present = {path.name: path.read_text(encoding="utf-8") for path in files}
    for kind in KINDS:
        if kind.origin.kind != "recorded":
            continue
        for name in kind.origin.sources:
            assert re.fullmatch(r"(entra|graph|keyvault)-[a-z0-9-]+\.json", name)
            assert not present or f'"status": {kind.status}' in present.get(name, ""), f"{kind.name}: {name}"


def test_each_documented_answer_names_a_page_and_each_assumed_one_a_reason() -> None:
    for kind in KINDS:
        if kind.origin.kind == "documented":
            assert all(text.startswith("https://") for text in kind.origin.sources), kind.name
        if kind.origin.kind == "assumed":
            assert len(kind.origin.sources[0]) > 20, kind.name


@pytest.mark.parametrize("service", sorted({kind.service for kind in KINDS}))
def test_no_two_answers_of_a_service_have_one_name_and_status(service: str) -> None:
    names = [(kind.name, kind.status) for kind in KINDS if kind.service == service]
    assert len(set(names)) == len(names)


def test_an_answer_says_its_origin_in_a_header() -> None:
    emulated = Emulated()
    assert emulated.token_request().headers["x-azcert-origin"] == "recorded"
    assert emulated.token_request(grant_type="password").headers["x-azcert-origin"] == "documented"
    assert emulated.vault("GET", "/secrets/none").headers["x-azcert-origin"] == "recorded"
