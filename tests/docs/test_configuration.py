"""The page on settings: its files are read, its program runs, its commands print what it shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from azcert.config.check import unresolved
from azcert.config.reading.load import load_settings
from azcert.config.schema import settings_schema
from azcert.config.sections import Sections
from azcert.emulator.ready_made import SECRET_VALUE
from support.command import azcert
from support.console import ROOT, run_page

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

PAGE = ROOT / "docs" / "configuration.md"
TEXT = PAGE.read_text(encoding="utf-8")
FIRST, SECOND = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)

# Sections of the second file: the class of their credential.
CREDENTIALS = {
    "Archive": "ManagedIdentityCredential",
    "Search": "ChainedTokenCredential",
    "Reports": "ChainedTokenCredential",
    "Images": "AzureNamedKeyCredential",
}


def test_every_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "appsettings.json").write_text(FIRST)
    assert run_page(PAGE, tmp_path) == 4


@pytest.mark.parametrize("text", [FIRST, SECOND])
def test_the_files_fit_the_schema(tmp_path: Path, text: str) -> None:
    (tmp_path / "appsettings.json").write_text(text)
    settings = unresolved(load_settings(tmp_path / "appsettings.json", environ={}))
    schema = {**settings_schema(), "additionalProperties": {"$ref": "#/$defs/section"}}
    jsonschema.Draft202012Validator(schema).validate(
        {each: settings.native(each) for each in settings.names()}
    )


@pytest.mark.parametrize(("section", "kind"), CREDENTIALS.items())
def test_each_section_asks_for_the_credential_that_the_page_tells(
    tmp_path: Path, section: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TENANT_ID", "t")
    monkeypatch.setenv("AZURE_CLIENT_ID", "c")
    (tmp_path / "appsettings.json").write_text(SECOND)
    settings = load_settings(tmp_path / "appsettings.json", environ={})
    assert Sections(unresolved(settings)).credential(section).kind == kind


def test_the_two_lines_read_a_secret(
    azcert_environment: AzcertEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = x509.load_pem_x509_certificate(azcert_environment.certificate_path.read_bytes())
    monkeypatch.setenv("AZCERT_STORE_ROOT", str(tmp_path / "stores"))
    monkeypatch.setenv("KeyVault__ClientCertificate", certificate.fingerprint(hashes.SHA1()).hex())  # noqa: S303 - as portals show
    monkeypatch.setenv("KeyVault__TenantId", azcert_environment.tenant_id)
    monkeypatch.setenv("KeyVault__ClientId", azcert_environment.client_id)
    assert azcert("import", azcert_environment.certificate_path).returncode == 0
    (tmp_path / "appsettings.json").write_text(FIRST)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    (program,) = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
    exec(compile(program, str(PAGE), "exec"), names)  # noqa: S102 - the page is the subject
    with names["clients"]:
        assert names["secrets"].get_secret("myTestSecret1").value == SECRET_VALUE
