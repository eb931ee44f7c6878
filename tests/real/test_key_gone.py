"""A key that is destroyed in its token while a request is about to sign with it."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from azcert import CertificateCredential
from azcert.aio import CertificateCredential as AsyncCertificateCredential
from azcert.credential.caches.memory import MemoryCache
from azcert.emulator.seed import register
from azcert.errors import SigningError
from support.command import azcert

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azcert.credential.caches.entry import TokenKey
    from azcert.emulator.fixture import AzcertEmulator
    from support.softhsm import SoftHsm

SCOPE = "https://vault.azure.net/.default"


class Queue(MemoryCache):
    """A cache at which a request, its certificate chosen, waits for its turn."""

    shared = True

    def __init__(self) -> None:
        super().__init__()
        self.arrived = threading.Event()
        self.turn = threading.Event()

    @contextlib.contextmanager
    def lease(self, key: TokenKey, seconds: float) -> Iterator[bool]:
        self.arrived.set()
        assert self.turn.wait(30)
        with super().lease(key, seconds) as leads:
            yield leads


def ask(kind: str, emulator: AzcertEmulator, source: str, cache: MemoryCache) -> str:
    who = (emulator.tenant_id, emulator.client_id)
    if kind == "sync":
        with CertificateCredential(*who, certificate=source, cache=cache) as credential:
            return credential.get_token(SCOPE).token

    async def main() -> str:
        async with AsyncCertificateCredential(*who, certificate=source, cache=cache) as credential:
            return (await credential.get_token(SCOPE)).token

    return asyncio.run(main())


@pytest.mark.parametrize("renewed", [True, False])
@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_the_key_that_took_its_place_signs(
    azcert_environment: AzcertEmulator,
    softhsm: SoftHsm,
    pin_file: Path,
    tmp_path: Path,
    kind: str,
    renewed: bool,
) -> None:
    uri = softhsm.uri("prod", tmp_path.name, pin_file=pin_file)

    def make() -> None:
        made = azcert("new", "app", "--key", uri, "--force", folder=tmp_path)
        assert made.returncode == 0, made.stderr
        register(azcert_environment.world, azcert_environment.client_id, tmp_path / "app.cer")

    make()
    cache = Queue()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, kind, azcert_environment, uri, cache)
        assert cache.arrived.wait(30)
        for what in ("privkey", "pubkey", "cert"):
            softhsm.run_tool(
                "--token-label", "prod", "--delete-object", "--type", what, "--label", tmp_path.name
            )
        if renewed:
            make()
        cache.turn.set()
        if renewed:
            assert waiting.result().count(".") == 2
        else:
            assert isinstance(waiting.exception(), SigningError)
