"""A program that never stops reading a secret does not notice that its certificate is rotated under it."""

from __future__ import annotations

import os
import shutil
import threading
import time
from itertools import count
from typing import TYPE_CHECKING, Any, Self

import pytest
from azure.core.credentials import AccessToken
from azure.keyvault.secrets import SecretClient
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from azcert.certificate import formats
from azcert.credential.sync import CertificateCredential
from azcert.emulator.ready_made import SECRET, SECRET_VALUE
from azcert.rotation.plan import Step
from azcert.sources.open import open_source
from azcert.stores.directory.store import DirectoryStore
from azcert.stores.names import Location, StoreName
from support.rotating import make_certificate, register, registered, rotation

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator
    from support.softhsm import SoftHsm
    from support.swtpm import Swtpm

pytestmark = pytest.mark.timeout(900)
"""Seconds for a busy machine: it takes twenty on an idle one."""

STRESS = bool(os.environ.get("AZCERT_STRESS"))
THREADS = 50
ROTATIONS = 100 if STRESS else 10
PROPAGATION = 0.2
OVERLAP = 1.0
"""Seconds: more than a request takes that had begun with the old key, which a token's retirement destroys."""
PACE = 0.0 if STRESS else 2.0
"""Seconds between two reads of one thread: fifty threads are twenty-five sign-ins a second."""


class Program:
    """Fifty threads that read a secret, each time with a new token of one shared credential."""

    def __init__(self, emulator: AzcertEmulator, source: str) -> None:
        self._emulator = emulator
        self._credential = CertificateCredential(emulator.tenant_id, emulator.client_id, certificate=source)
        self._number = count()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._read_on) for _ in range(THREADS)]
        self.failures: list[BaseException] = []
        self.reads = count()

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._credential.close()

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        """Get a token past every cache: claims that nobody asked for before, and the client keeps none."""
        claims = f'{{"access_token":{{"nbf":{{"value":"{next(self._number)}"}}}}}}'
        token = self._credential.get_token(*scopes, **{**options, "claims": claims})
        return AccessToken(token.token, int(time.time()))

    def _read_on(self) -> None:
        with SecretClient(self._emulator.vault_url, self, retry_total=0) as client:
            while not self._stop.wait(PACE):
                try:
                    assert client.get_secret(SECRET).value == SECRET_VALUE
                except Exception as error:  # noqa: BLE001 - every failure is counted, whatever it is
                    self.failures.append(error)
                next(self.reads)


def rotate_once(emulator: AzcertEmulator, source: str, folder: Path) -> None:
    """Rotate, and come back until the overlap has passed, as a timer does."""
    step = rotation(emulator, source, folder, overlap=OVERLAP).run(force=True)
    while step is Step.WAIT:
        time.sleep(OVERLAP / 4)
        step = rotation(emulator, source, folder, overlap=OVERLAP).run()
    assert step is Step.DONE


def rotate_under_load(emulator: AzcertEmulator, source: str, folder: Path) -> None:
    """Rotate ten times while the program reads, and expect that nothing failed and nothing is left over."""
    emulator.delays.propagation = PROPAGATION
    seen = {open_source(source).load().certificate.thumbprint}
    with Program(emulator, source) as program:
        for _ in range(ROTATIONS):
            rotate_once(emulator, source, folder)
            seen.add(open_source(source).load().certificate.thumbprint)
    assert program.failures == []
    assert next(program.reads) > THREADS
    assert len(seen) == ROTATIONS + 1
    assert registered(emulator) == {open_source(source).load().certificate.thumbprint}


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def test_no_read_fails_with_the_key_in_a_file(
    azcert_environment: AzcertEmulator, tmp_path: Path, work: Path
) -> None:
    source = tmp_path / "app.pem"
    shutil.copy(azcert_environment.certificate_path, source)
    source.chmod(0o600)
    rotate_under_load(azcert_environment, str(source), work)
    assert [path.name for path in tmp_path.iterdir() if path != work] == ["app.pem"]


def test_no_read_fails_with_the_key_in_a_store(
    azcert_environment: AzcertEmulator, tmp_path: Path, work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZCERT_STORE_ROOT", str(tmp_path / "stores"))
    store = DirectoryStore(StoreName(Location.CURRENT_USER, "My"))
    make_certificate(str(tmp_path / "app.key.pem"))
    certificate = open_source(str(tmp_path / "app.pem")).load().certificate
    register(azcert_environment, certificate)
    key = formats.load((tmp_path / "app.pem").read_bytes(), name="app.pem").key
    assert isinstance(key, RSAPrivateKey)
    store.add(certificate, key)
    rotate_under_load(azcert_environment, "store:CurrentUser/My?subject=app", work)
    assert len(store.entries()) == 1


def test_no_read_fails_with_the_key_in_a_token(
    azcert_environment: AzcertEmulator, softhsm: SoftHsm, pin_file: Path, work: Path
) -> None:
    source = softhsm.uri("prod", "rotated", pin_file=pin_file)
    register(azcert_environment, make_certificate(source))
    rotate_under_load(azcert_environment, source, work)


def test_no_read_fails_with_the_key_in_a_tpm(
    azcert_environment: AzcertEmulator, swtpm: Swtpm, tmp_path: Path, work: Path
) -> None:
    source = f"tpm:{tmp_path / 'app.pem'}?tcti={swtpm.tcti}"
    register(azcert_environment, make_certificate(source))
    rotate_under_load(azcert_environment, source, work)
