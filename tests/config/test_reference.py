"""The page of settings is what the code says, and every variable that is read is on it."""

from __future__ import annotations

import json
import re

import jsonschema
import pytest

from azcert.config.environment import VARIABLES
from azcert.config.json_reader import read_json
from azcert.config.reference import reference_page
from azcert.config.schema import settings_schema
from support.console import ROOT


def test_the_page_is_generated_from_the_code() -> None:
    page = (ROOT / "docs" / "settings-reference.md").read_text(encoding="utf-8")
    assert page == reference_page()


def test_every_variable_of_azcert_is_described() -> None:
    source = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    found = set(re.findall(r"\bAZCERT_[A-Z0-9_]+\b", source))
    assert found <= set(VARIABLES)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(settings_schema())


@pytest.mark.parametrize("name", ["appsettings", "certificate-file", "environment", "managed-identity"])
def test_the_examples_fit_the_schema(name: str) -> None:
    from azcert.config.load import load_settings

    settings = load_settings(ROOT / "examples" / "appsettings" / f"{name}.json", environ={})
    jsonschema.Draft202012Validator(settings_schema()).validate(
        {name: settings.native(name) for name in settings.names()}
    )


def test_the_schema_refuses_what_azcert_refuses() -> None:
    schema = {**settings_schema(), "additionalProperties": {"$ref": "#/$defs/section"}}
    wrong = json.loads('{"KeyVault": {"Retry": {"Delay": "5"}}}')
    assert read_json(json.dumps(wrong)).pairs
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(schema).validate(wrong)
