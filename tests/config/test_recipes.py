"""The recipes of docs/recipes.md run as they are written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from azure.keyvault.secrets import SecretClient

from support.console import ROOT

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://contoso.vault.azure.net"


@pytest.fixture(autouse=True)
def settings_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "appsettings.json").write_text(f'{{"KeyVault": {{"vaultUri": "{URL}"}}}}')
    monkeypatch.chdir(tmp_path)


def recipe(title: str) -> dict[str, Any]:
    page = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    section = page.split(f"## {title}\n", 1)[1]
    code = re.search(r"```python\n(.*?)```", section, re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {"__name__": f"recipe_{title}"}
    exec(compile(code[1], f"docs/recipes.md, {title}", "exec"), names)  # noqa: S102 - the page is the subject
    return names


def test_fastapi() -> None:
    from fastapi.testclient import TestClient

    with TestClient(recipe("FastAPI")["app"]) as client:
        assert client.get("/greeting").json() == URL


def test_django() -> None:
    from django.conf import settings

    if not settings.configured:
        settings.configure(AZURE="appsettings.json")
    names = recipe("Django")
    assert names["greeting"]() == URL
    names["azure"]().close()


def test_svcs() -> None:
    import svcs

    registry = recipe("svcs")["registry"]
    with svcs.Container(registry) as container:
        assert container.get(SecretClient).vault_url == URL
    registry.close()
