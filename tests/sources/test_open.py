"""One table from kind to opener: what a name opens, and what is said where a library is missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from azcert._redact import Secret
from azcert.errors import ConfigurationError, SourceError
from azcert.sources.open import open_source
from azcert.sources.uris.uri import parse_source

WITHOUT = """
import sys
sys.modules[sys.argv[1]] = None
from azcert.errors import ConfigurationError
from azcert.sources.open import open_source
try:
    open_source(sys.argv[2])
except ConfigurationError as error:
    print(error.code, error.remedy)
"""


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("app.pem", "FileSource"),
        (Path("env:app"), "FileSource"),
        ("env:APP", "EnvironmentSource"),
        ("fd:3", "DescriptorSource"),
        ("store:CurrentUser/My?subject=a", "StoreSource"),
        ("cert:/LocalMachine/My/" + "A" * 40, "StoreSource"),
        ("dotnet:CurrentUser/My?subject=a", "StoreSource"),
        ("pkcs11:token=a", "Pkcs11Source"),
        ("tpm:handle=0x81000001", "TpmSource"),
    ],
)
def test_every_kind_has_its_opener_and_opens_nothing_yet(name: str | Path, kind: str) -> None:
    assert type(open_source(name)).__name__ == kind


def test_a_parsed_source_opens_like_its_text() -> None:
    uri = parse_source("store:CurrentUser/My?subject=a")
    assert open_source(uri).name == str(uri)


@pytest.mark.parametrize(
    ("module", "source", "extra"),
    [("pkcs11", "pkcs11:token=a", "pkcs11"), ("tpm2_pytss", "tpm:handle=0x81000001", "tpm")],
)
def test_a_missing_library_names_the_extra(module: str, source: str, extra: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT, module, source], capture_output=True, text=True, check=True
    )
    assert f'pip install "azcert[{extra}]"' in done.stdout


def test_the_callers_password_wins_over_the_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_THERE", raising=False)
    with pytest.raises(ConfigurationError, match="NOT_THERE"):
        open_source("file:app.pfx?password-env=NOT_THERE")
    assert open_source("file:app.pfx?password-env=NOT_THERE", password=Secret("x")).name


def test_what_is_no_source_is_refused() -> None:
    with pytest.raises(SourceError):
        open_source("")
