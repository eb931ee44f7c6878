"""Several hosts and one certificate: one of them rotates, another takes over, none is left with nothing."""

from __future__ import annotations

import datetime as dt
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from azcert.certificate import writers
from azcert.certificate.model import Certificate
from azcert.credential.sync import CertificateCredential
from azcert.emulator.ready_made import CLIENT_ID, OBJECT_ID
from azcert.errors import AzcertError
from azcert.registration.sync import Registrations
from azcert.rotation.place import open_place
from azcert.rotation.plan import Step
from azcert.rotation.records.lease import Lease
from azcert.rotation.records.record import LocalRecord
from azcert.rotation.records.shared_record import SharedRecord
from azcert.rotation.registrar import DirectoryRegistrar
from azcert.sources.open import open_source
from support.command import azcert
from support.emulated import certificate, key_credential, rsa_key
from support.redis_server import RedisServer, started
from support.rotating import make_certificate, register, registered, rotation, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator
    from azcert.rotation.run import Rotation
    from support.softhsm import SoftHsm


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it, and no lease is given back."""


# What docs/token-caches.md gives to a fleet: a lease needs no more.
ACL = "user default on nopass ~* +@all", "user fleet on >word ~azcert:* +get +pttl +set +del +eval +ping"


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with started(tmp_path_factory.mktemp("redis"), *ACL) as server:
        yield server


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    redis_server.flush()
    return redis_server


def due(name: str = "app", number: int = 0) -> tuple[Certificate, bytes]:
    """Return a certificate whose time has come, while its successor's has not; and the file with its key."""
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=80)
    made = Certificate(certificate(rsa_key(number), name=name, start=start, days=90))
    return made, writers.pem(rsa_key(number), made)


def private(path: Path, content: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(content)
    return path


@pytest.fixture
def source(azcert_environment: AzcertEmulator, tmp_path: Path) -> Path:
    """The file that all hosts share, in a folder of its own."""
    (tmp_path / "shared").mkdir()
    made, content = due()
    register(azcert_environment, made)
    return private(tmp_path / "shared" / "app.pem", content)


class Host:
    """One of several: with a folder of its own for records."""

    def __init__(self, emulator: AzcertEmulator, redis: RedisServer, folder: Path, source: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self._emulator = emulator
        self._redis = redis
        self._source = source

    def rotation(self, told: Callable[[Step], None] | None = None, *, overlap: float = 0.0) -> Rotation:
        """Return a run of this host, which has not begun."""
        place = open_place(self._source, work=self.folder)
        url = self._redis.url.replace("//", "//fleet:word@")
        lease = Lease(url, self._emulator.tenant_id, self._emulator.client_id)
        record = SharedRecord(LocalRecord(self.folder / "rotation.json"), lease, place)
        return rotation(self._emulator, self._source, self.folder, record=record, told=told, overlap=overlap)

    def run(self, *, overlap: float = 0.0) -> Step | None:
        """Do one run."""
        return self.rotation(overlap=overlap).run()

    def die_at(self, stop: Step) -> None:
        """Die before a step, with the lease; then let its time pass."""

        def told(step: Step) -> None:
            if step is stop:
                raise Killed

        dying = self.rotation(told)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Lease, "release", lambda _: None)
            with pytest.raises(Killed):
                dying.run()
        if stop is not Step.DONE:
            assert refusal(self.run) == "lease-held", "nobody knows yet that it died"
        let_time_pass(self._redis)


def let_time_pass(redis: RedisServer) -> None:
    """Bring every lease to its end."""
    with redis.client() as client:
        leases = list(client.scan_iter("azcert:rotation:*:lease:*"))
        assert leases
        for name in leases:
            assert 0 < client.pttl(name) <= 120_000
            client.pexpire(name, 0)


def refusal(run: Callable[[], object]) -> str:
    with pytest.raises(AzcertError) as caught:
        run()
    return caught.value.code


def in_use(source: str | Path) -> Certificate:
    found = open_source(source).load()
    found.signer.close()
    return found.certificate


def start(source: Path, state: Path, redis: RedisServer) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "azcert", "rotate", str(source), "--object-id", OBJECT_ID]
    return subprocess.Popen(
        [*command, "--overlap", "0s", "--state", str(state), "--lease", redis.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_of_two_hosts_that_start_at_once_one_rotates(
    azcert_environment: AzcertEmulator, redis: RedisServer, source: Path, tmp_path: Path
) -> None:
    before = in_use(source)
    azcert_environment.delays.propagation = 1.0
    both = [start(source, tmp_path / name, redis) for name in ("one", "two")]
    said = [running.communicate(timeout=120)[1] for running in both]
    codes = sorted(running.returncode for running in both)
    assert codes in ([0, 0], [0, 3]), "\n----\n".join(said)
    if codes == [0, 3]:
        assert any("Another run rotates the certificate" in text for text in said)
    assert sum("switch:" in text for text in said) == 1, said
    after = in_use(source)
    assert after.thumbprint != before.thumbprint
    assert registered(azcert_environment) == {after.thumbprint}
    sign_in(azcert_environment, str(source))
    assert [path.name for path in source.parent.iterdir()] == ["app.pem"]


def test_a_host_that_is_killed_is_waited_for_no_longer_than_its_lease_lasts(
    azcert_environment: AzcertEmulator, redis: RedisServer, source: Path, tmp_path: Path
) -> None:
    before = in_use(source)
    azcert_environment.delays.propagation = 3600.0
    first = start(source, tmp_path / "one", redis)
    assert first.stderr is not None
    for line in first.stderr:
        if line.startswith("prove:"):
            break
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    azcert_environment.delays.propagation = 0.0
    second = start(source, tmp_path / "two", redis)
    said = second.communicate(timeout=120)[1]
    assert second.returncode == 3, said
    assert f"process {first.pid} on {socket.gethostname()}" in said
    sign_in(azcert_environment, str(source))
    let_time_pass(redis)
    second = start(source, tmp_path / "two", redis)
    said = second.communicate(timeout=120)[1]
    assert second.returncode == 0, said
    assert "make:" not in said, "it went on where the first one had come to"
    assert registered(azcert_environment) == {in_use(source).thumbprint} != {before.thumbprint}
    back = start(source, tmp_path / "one", redis)
    said = back.communicate(timeout=120)[1]
    assert back.returncode == 0, said
    assert "Not due until" in said
    assert {path.suffix for path in (tmp_path / "one").iterdir()} == {".lock"}


@pytest.mark.parametrize(
    ("stop", "forgets"),
    [
        *(
            (step, False)
            for step in (Step.MAKE, Step.REGISTER, Step.PROVE, Step.SWITCH, Step.RETIRE, Step.DONE)
        ),
        *((step, True) for step in (Step.PROVE, Step.SWITCH, Step.RETIRE)),
    ],
)
def test_another_host_takes_over_and_leaves_nothing_over(
    azcert_environment: AzcertEmulator,
    redis: RedisServer,
    source: Path,
    tmp_path: Path,
    stop: Step,
    forgets: bool,
) -> None:
    one, two = (Host(azcert_environment, redis, tmp_path / name, str(source)) for name in ("one", "two"))
    before = in_use(source).thumbprint
    one.die_at(stop)
    sign_in(azcert_environment, str(source))
    if forgets:
        redis.flush()
    two.run()
    assert in_use(source).thumbprint != before
    sign_in(azcert_environment, str(source))
    one.run()
    assert registered(azcert_environment) == {in_use(source).thumbprint}
    assert [path.name for path in source.parent.iterdir()] == ["app.pem"]
    sign_in(azcert_environment, str(source))


def test_another_host_takes_over_in_a_token(
    azcert_environment: AzcertEmulator, redis: RedisServer, softhsm: SoftHsm, pin_file: Path, tmp_path: Path
) -> None:
    name = softhsm.uri("spare", "hosts", pin_file=pin_file)
    register(azcert_environment, make_certificate(name))
    one, two = (Host(azcert_environment, redis, tmp_path / host, name) for host in ("one", "two"))
    with pytest.raises(Killed):
        one.rotation(_killed_at_prove).run(force=True)
    assert two.run() is Step.DONE
    assert registered(azcert_environment) == {in_use(name).thumbprint}
    assert one.run() is None
    assert softhsm.run_tool("--token-label", "spare", "--list-objects").count("hosts") == 3


def _killed_at_prove(step: Step) -> None:
    if step is Step.PROVE:
        raise Killed


def test_a_host_that_stood_still_too_long_changes_nothing_any_more(
    azcert_environment: AzcertEmulator, redis: RedisServer, source: Path, tmp_path: Path
) -> None:
    before = source.read_bytes()
    one, two = (Host(azcert_environment, redis, tmp_path / name, str(source)) for name in ("one", "two"))

    def told(step: Step) -> None:
        if step is Step.SWITCH:
            let_time_pass(redis)
            assert two.run() is Step.DONE

    assert refusal(one.rotation(told).run) == "lease-lost"
    assert source.read_bytes() != before
    assert one.run() is None
    assert registered(azcert_environment) == {in_use(source).thumbprint}
    sign_in(azcert_environment, str(source))


def test_hosts_with_a_certificate_each_rotate_at_once(
    azcert_environment: AzcertEmulator, redis: RedisServer, tmp_path: Path
) -> None:
    files, keys = [], []
    for number in range(2):
        (tmp_path / f"host{number}").mkdir()
        made, content = due(f"host{number}", number)
        keys.append(key_credential(made.leaf))
        files.append(private(tmp_path / f"host{number}" / "app.pem", content))
    app = azcert_environment.world.documents.get("app", CLIENT_ID)
    assert app is not None
    azcert_environment.world.documents.put("app", CLIENT_ID, {**app, "keyCredentials": keys})
    both = [start(path, path.parent / "state", redis) for path in files]
    said = [running.communicate(timeout=120)[1] for running in both]
    assert [running.returncode for running in both] == [0, 0], said
    assert registered(azcert_environment) == {in_use(path).thumbprint for path in files}
    assert len(registered(azcert_environment)) == 2
    assert not registered(azcert_environment) & {key["customKeyIdentifier"] for key in keys}
    for path in files:
        sign_in(azcert_environment, str(path))


def test_rotators_that_rewrite_the_whole_list_lose_none_of_each_other_s(
    azcert_environment: AzcertEmulator, tmp_path: Path
) -> None:
    """A PATCH of keyCredentials replaces the list: whoever has the directory's rights rotates so."""
    files = []
    for number in range(3):
        (tmp_path / f"host{number}").mkdir()
        made, content = due(f"host{number}", number)
        register(azcert_environment, made, beside=True)
        files.append(private(tmp_path / f"host{number}" / "app.pem", content))
    administrator = CertificateCredential(
        azcert_environment.tenant_id, CLIENT_ID, certificate=azcert_environment.certificate_path
    )

    def rotate(path: Path) -> Step | None:
        registrations = Registrations(administrator, settle=1.0)
        registrar = DirectoryRegistrar(registrations, CLIENT_ID)
        return rotation(azcert_environment, str(path), path.parent, registrar=registrar).run()

    with ThreadPoolExecutor() as pool:
        assert list(pool.map(rotate, files)) == [Step.DONE] * len(files)
    used = {in_use(path).thumbprint for path in [*files, azcert_environment.certificate_path]}
    assert registered(azcert_environment) == used
    assert len(used) == 4


def test_a_host_with_a_copy_waits_until_the_successor_is_brought_there(
    azcert_environment: AzcertEmulator, redis: RedisServer, source: Path, tmp_path: Path
) -> None:
    copy = private(tmp_path / "copy.pem", source.read_bytes())
    one = Host(azcert_environment, redis, tmp_path / "one", str(source))
    two = Host(azcert_environment, redis, tmp_path / "two", str(copy))
    before = in_use(source).thumbprint
    assert one.run(overlap=3600) is Step.WAIT
    assert refusal(two.run) == "successor-elsewhere"
    assert in_use(copy).thumbprint == before
    sign_in(azcert_environment, str(copy))
    copy.write_bytes(source.read_bytes())
    assert two.run(overlap=3600) is Step.WAIT
    assert registered(azcert_environment) == {before, in_use(source).thumbprint}
    assert two.run() is Step.DONE
    assert one.run() is None
    assert registered(azcert_environment) == {in_use(source).thumbprint}


def test_a_host_knows_the_id_under_which_another_one_registered(
    azcert_environment: AzcertEmulator, redis: RedisServer, source: Path, tmp_path: Path
) -> None:
    app = azcert_environment.world.documents.get("app", CLIENT_ID)
    assert app is not None
    azcert_environment.world.documents.put("app", CLIENT_ID, {**app, "grantedRoles": {}})
    first = in_use(source).thumbprint
    one, two = (Host(azcert_environment, redis, tmp_path / name, str(source)) for name in ("one", "two"))
    run = one.rotation()
    assert run.run() is Step.DONE
    assert run.left_registered == first
    run = two.rotation()
    assert run.run(force=True) is Step.DONE
    assert run.left_registered is None
    assert registered(azcert_environment) == {first, in_use(source).thumbprint}
    with redis.client() as client:
        notes = sorted(name.decode().rpartition("}:")[2][:4] for name in client.keys("azcert:rotation:*"))
        assert notes == ["from", "to:" + in_use(source).thumbprint[:1]], (
            "those on the rotation before have gone"
        )


def test_without_redis_nothing_is_rotated_unless_told_so(
    azcert_environment: AzcertEmulator, redis: RedisServer, source: Path, tmp_path: Path
) -> None:
    before = source.read_bytes()
    rotate = ("rotate", source, "--object-id", OBJECT_ID, "--overlap", "0s", "--state", tmp_path / "state")
    cache = {"AZCERT_TOKEN_CACHE": "redis://127.0.0.1:1/0#key=keyring"}
    done = azcert(*rotate, environment=cache)
    assert done.returncode == 1
    assert "The lease between hosts at redis://127.0.0.1:1 cannot be had" in done.stderr
    assert "--lease none" in done.stderr
    assert source.read_bytes() == before
    done = azcert(*rotate, "--lease", "none", environment=cache)
    assert done.returncode == 0, done.stderr
    assert registered(azcert_environment) == {in_use(source).thumbprint}


def test_a_redis_that_was_set_back_does_not_make_a_host_forget(
    azcert_environment: AzcertEmulator, redis: RedisServer, source: Path, tmp_path: Path
) -> None:
    one = Host(azcert_environment, redis, tmp_path / "one", str(source))
    assert one.run() is Step.DONE
    with redis.client() as client:
        earlier = {name: client.get(name) for name in client.keys("azcert:rotation:*")}
        with pytest.raises(Killed):
            one.rotation(_killed_at_prove).run(force=True)
        begun = registered(azcert_environment) - {in_use(source).thumbprint}
        client.flushall()
        client.mset(earlier)
    assert one.run() is Step.DONE
    assert {in_use(source).thumbprint} == registered(azcert_environment) == begun
