"""What the pytest fixture gives to a test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import deque
    from pathlib import Path
    from typing import Any

    from azcert.emulator.faults import Faults
    from azcert.emulator.session import Session
    from azcert.emulator.world import Clock, Delays, World

__all__ = ["AzcertEmulator"]


class AzcertEmulator:
    """A running emulator, as fresh for each test as if it had just been started.

    Starting one takes a tenth of a second, so there is one for the whole run; between tests it is put back to
    its beginning.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._beginning = session.emulator.world.documents.snapshot()

    def renew(self) -> None:
        """Forget all that happened."""
        self.world.begin_again(self._beginning)

    @property
    def world(self) -> World:
        """All that the emulated services know."""
        return self._session.emulator.world

    @property
    def tenant_id(self) -> str:
        """The tenant."""
        return self._session.identity.tenant_id

    @property
    def client_id(self) -> str:
        """The app that may use the vault."""
        return self._session.identity.client_id

    @property
    def certificate_path(self) -> Path:
        """PEM file with the app's private key and certificate."""
        if self._session.certificate is None:
            raise ValueError("the seed's first app has no certificate with a key")
        return self._session.certificate

    @property
    def vault_name(self) -> str:
        """The vault's name: ``kv-demo``."""
        return str(self._session.identity.vault)

    @property
    def vault_url(self) -> str:
        """The vault's address: ``https://kv-demo.vault.azure.net``."""
        return str(self._session.identity.vault_url)

    @property
    def proxy_url(self) -> str:
        """The HTTPS proxy through which Azure's names lead here."""
        return self._session.emulator.proxy_url

    @property
    def ca_path(self) -> Path:
        """PEM file with the CA that clients must trust."""
        return self._session.bundle

    @property
    def environment(self) -> dict[str, str | None]:
        """The environment a client needs; None means that a variable must not be set."""
        return dict(self._session.environment)

    @property
    def clock(self) -> Clock:
        """The services' time."""
        return self.world.clock

    @property
    def delays(self) -> Delays:
        """How slow the services are."""
        return self.world.delays

    @property
    def faults(self) -> Faults:
        """What shall go wrong: ``faults.add("answer", path="*/token", status=429)``."""
        return self.world.faults

    @property
    def requests(self) -> deque[dict[str, Any]]:
        """Every request since the test began: ``method``, ``host``, ``path``, ``status``."""
        return self.world.requests

    @property
    def record(self) -> deque[dict[str, Any]]:
        """Every token request since the test began, its assertion decoded."""
        return self.world.record
