from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from support.shells import Stand
from support.token_endpoint import make_certificate, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module", autouse=True)
def _garbage_is_told_where_it_was_made() -> Iterator[None]:
    """What a module leaves open fails here, not in whichever test the collector happens to run."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _no_settings_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZCERT_TOKEN_CACHE", "AZURE_AUTHORITY_HOST", "AZURE_REGIONAL_AUTHORITY_NAME"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """A token endpoint over TLS, a certificate, and credentials of both kinds for them."""
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    certificate = tmp_path / "app.pem"
    make_certificate(certificate, chain=True)
    with serve(tmp_path) as (endpoint, ca):
        yield Stand(endpoint, ca, certificate)
