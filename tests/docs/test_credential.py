"""The page on the credential: its commands are typed, its programs are run."""

from __future__ import annotations

import asyncio
import re
import shutil
from typing import TYPE_CHECKING, Any

from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families

from azcert.emulator.ready_made import SECRET_VALUE
from support.console import ROOT, run_page

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from azcert.emulator.fixture import AzcertEmulator

PAGE = ROOT / "docs" / "credential.md"


def test_the_commands_print_what_the_page_shows(tmp_path: Path) -> None:
    assert run_page(PAGE, tmp_path) == 2


def test_the_programs_run(
    azcert_environment: AzcertEmulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copy(azcert_environment.certificate_path, tmp_path / "app.pem")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {
        "TENANT_ID": azcert_environment.tenant_id,
        "CLIENT_ID": azcert_environment.client_id,
    }
    programs = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    for program in programs:
        exec(program, names)  # noqa: S102  (the page's own words)
    assert asyncio.run(names["read"]()) == SECRET_VALUE
    names["client"].close()
    said = capsys.readouterr().out
    assert said.splitlines()[0] == SECRET_VALUE
    assert 'azcert_events_total{kind="request"} 1' in said
    # Prometheus' own library reads what azcert writes, and has counted by the page's hook.
    families = {one.name: one for one in text_string_to_metric_families(said.split("\n", 1)[1])}
    assert [sample.value for sample in families["azcert_hits"].samples] == [999]
    assert REGISTRY.get_sample_value("azcert_events_total", {"kind": "request", "code": ""}) == 1
