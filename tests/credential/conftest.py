from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.shells import Stand
from support.token_endpoint import make_certificate, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """A token endpoint over TLS, a certificate, and credentials of both kinds for them."""
    for name in ("AZURE_AUTHORITY_HOST", "AZURE_REGIONAL_AUTHORITY_NAME", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    certificate = tmp_path / "app.pem"
    make_certificate(certificate, chain=True)
    with serve(tmp_path) as (endpoint, ca):
        yield Stand(endpoint, ca, certificate)
