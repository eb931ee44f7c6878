"""The devices as fixtures: one SoftHSM, one fault module and one TPM for each test process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support.p11_faults import Faults, build_faults
from support.softhsm import PIN, SoftHsm, start_softhsm
from support.swtpm import Swtpm, running_swtpm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["faults", "pin_file", "softhsm", "swtpm"]

_made: dict[str, SoftHsm | Faults] = {}


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> SoftHsm:
    """SoftHSM, which reads its configuration once per process, with the tokens ``prod`` and ``spare``."""
    if "softhsm" not in _made:
        made = start_softhsm(tmp_path_factory.mktemp("softhsm"))
        made.make_token("prod")
        made.make_token("spare")
        _made["softhsm"] = made
    found = _made["softhsm"]
    assert isinstance(found, SoftHsm)
    return found


@pytest.fixture(scope="session")
def _faults(softhsm: SoftHsm, tmp_path_factory: pytest.TempPathFactory) -> Faults:
    if "faults" not in _made:
        _made["faults"] = build_faults(tmp_path_factory.mktemp("faults"))
    found = _made["faults"]
    assert isinstance(found, Faults)
    return found


@pytest.fixture
def faults(_faults: Faults) -> Iterator[Faults]:
    """The fault module, without faults before and after each test."""
    _faults.ask()
    yield _faults
    _faults.ask()


@pytest.fixture(scope="session")
def pin_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the user PIN of every token."""
    path = tmp_path_factory.mktemp("pin") / "pin"
    path.write_text(f"{PIN}\n")
    return path


@pytest.fixture(scope="session")
def swtpm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Swtpm]:
    """A TPM 2.0."""
    with running_swtpm(tmp_path_factory.mktemp("swtpm")) as running:
        yield running
