"""pytest fixtures: the emulator, and an environment in which every Azure client meets it.

This module is imported by every pytest run where azcert is installed, so it imports nothing of azcert itself
before a test asks for a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azcert.emulator.fixture import AzcertEmulator

__all__ = ["azcert_emulator", "azcert_environment"]


@pytest.fixture(scope="session")
def _azcert_emulator_of_the_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzcertEmulator]:
    from azcert.emulator.fixture import AzcertEmulator  # only when it is used
    from azcert.emulator.session import session

    with session(tmp_path_factory.mktemp("azcert-emulator")) as running:
        yield AzcertEmulator(running)


@pytest.fixture
def azcert_emulator(_azcert_emulator_of_the_run: AzcertEmulator) -> AzcertEmulator:
    """Entra ID and Key Vault on loopback, fresh for each test; clients must be pointed at it themselves."""
    _azcert_emulator_of_the_run.renew()
    return _azcert_emulator_of_the_run


@pytest.fixture
def azcert_environment(azcert_emulator: AzcertEmulator, monkeypatch: pytest.MonkeyPatch) -> AzcertEmulator:
    """The same, with the environment set for the test: clients, and programs it starts, need no change."""
    import ssl  # only when it is used

    # aiohttp makes its default TLS context when it is imported: here, before the environment is set, so that
    # it does not keep the emulator's CA for ever; and then a new one for the test.
    import aiohttp.connector

    for name, value in azcert_emulator.environment.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    monkeypatch.setattr(
        aiohttp.connector, "_SSL_CONTEXT_VERIFIED", ssl.create_default_context(), raising=False
    )
    return azcert_emulator
