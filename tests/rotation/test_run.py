"""A rotation replaces the certificate, can be stopped anywhere, and can always sign in."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from azcert.certificate import writers
from azcert.certificate.model import Certificate
from azcert.errors import SelectionError
from azcert.rotation.plan import Step
from azcert.rotation.records.record import LocalRecord
from azcert.sources.open import open_source
from support.emulated import certificate, rsa_key
from support.rotating import register, registered, rotation, sign_in

if TYPE_CHECKING:
    from azcert.emulator.fixture import AzcertEmulator


@pytest.fixture
def source(azcert_environment: AzcertEmulator, tmp_path: Path) -> str:
    path = tmp_path / "app.pem"
    shutil.copy(azcert_environment.certificate_path, path)
    path.chmod(0o600)
    return str(path)


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


def thumbprint(source: str) -> str:
    return open_source(source).load().certificate.thumbprint


def test_a_rotation_replaces_the_certificate_and_leaves_one(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    before = thumbprint(source)
    steps: list[Step] = []
    assert rotation(azcert_environment, source, tmp_path, told=steps.append).run(force=True) is Step.DONE
    assert steps == [Step.MAKE, Step.REGISTER, Step.PROVE, Step.SWITCH, Step.RETIRE, Step.DONE]
    after = thumbprint(source)
    assert after != before
    assert registered(azcert_environment) == {after}
    sign_in(azcert_environment, source)


def test_a_certificate_that_is_not_due_is_left_alone(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    before = thumbprint(source)
    assert rotation(azcert_environment, source, tmp_path).run() is None
    assert thumbprint(source) == before


def test_the_old_certificate_stays_registered_for_the_overlap(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    before = thumbprint(source)
    assert rotation(azcert_environment, source, tmp_path, overlap=3600).run(force=True) is Step.WAIT
    assert registered(azcert_environment) == {before, thumbprint(source)}
    record = LocalRecord(tmp_path / "rotation.json")
    journal = record.read()
    assert journal is not None
    assert journal.switched_at is not None
    record.write(replace(journal, switched_at=journal.switched_at - 3601))
    assert rotation(azcert_environment, source, tmp_path, overlap=3600).run() is Step.DONE
    assert registered(azcert_environment) == {thumbprint(source)}


@pytest.mark.parametrize(
    "stop_at", [Step.MAKE, Step.REGISTER, Step.PROVE, Step.SWITCH, Step.RETIRE, Step.DONE]
)
def test_stopped_before_any_step_it_signs_in_and_the_next_run_ends_well(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path, stop_at: Step
) -> None:
    def told(step: Step) -> None:
        if step is stop_at:
            raise Killed

    with pytest.raises(Killed):
        rotation(azcert_environment, source, tmp_path, told=told).run(force=True)
    sign_in(azcert_environment, source)
    assert rotation(azcert_environment, source, tmp_path).run() is Step.DONE
    assert registered(azcert_environment) == {thumbprint(source)}
    sign_in(azcert_environment, source)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "app.pem",
        "rotation.lock",
        "rotation.registered",
    ]


def test_a_new_certificate_is_used_only_once_entra_knows_it(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    azcert_environment.delays.propagation = 0.5
    steps: list[tuple[Step, str]] = []
    run = rotation(
        azcert_environment, source, tmp_path, told=lambda step: steps.append((step, thumbprint(source)))
    )
    old = thumbprint(source)
    assert run.run(force=True) is Step.DONE
    assert {used for step, used in steps if step in {Step.MAKE, Step.REGISTER, Step.PROVE, Step.SWITCH}} == {
        old
    }
    refused = [entry for entry in azcert_environment.record if entry["aadsts"] == 700027]
    assert refused, "the delay was felt by the proof"
    sign_in(azcert_environment, source)


def test_no_cache_that_others_share_answers_a_proof(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZCERT_TOKEN_CACHE", f"file:{tmp_path / 'cache'}")
    steps: dict[Step, int] = {}
    run = rotation(
        azcert_environment,
        source,
        tmp_path,
        told=lambda step: steps.update({step: len(azcert_environment.record)}),
    )
    assert run.run(force=True) is Step.DONE
    assert steps[Step.SWITCH] - steps[Step.PROVE] == 2, "each of them asked Entra ID"


def test_abort_undoes_what_is_not_in_use_yet(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    def told(step: Step) -> None:
        if step is Step.SWITCH:
            raise Killed

    before = thumbprint(source)
    with pytest.raises(Killed):
        rotation(azcert_environment, source, tmp_path, told=told).run(force=True)
    assert len(registered(azcert_environment)) == 2
    assert rotation(azcert_environment, source, tmp_path).abort() is True
    assert rotation(azcert_environment, source, tmp_path).abort() is False
    assert thumbprint(source) == before
    assert registered(azcert_environment) == {before}
    assert not (tmp_path / "app.pem.next").exists()


def test_another_certificate_that_was_put_in_use_meanwhile_is_left_alone(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    def told(step: Step) -> None:
        if step is Step.SWITCH:
            raise Killed

    with pytest.raises(Killed):
        rotation(azcert_environment, source, tmp_path, told=told).run(force=True)
    by_hand = Certificate(certificate(rsa_key(0), days=90))
    register(azcert_environment, by_hand, beside=True)
    assert len(registered(azcert_environment)) == 3
    Path(source).write_bytes(writers.pem(rsa_key(0), by_hand))
    steps: list[Step] = []
    assert rotation(azcert_environment, source, tmp_path, told=steps.append).run() is None
    assert steps == [Step.UNDO]
    assert thumbprint(source) == by_hand.thumbprint
    assert len(registered(azcert_environment)) == 2, "the successor that nobody will use is gone"
    assert not (tmp_path / "app.pem.next").exists()
    sign_in(azcert_environment, source)


def test_a_certificate_that_is_in_use_again_is_not_taken_off(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    before, backup = thumbprint(source), Path(source).read_bytes()
    assert rotation(azcert_environment, source, tmp_path, overlap=3600).run(force=True) is Step.WAIT
    Path(source).write_bytes(backup)
    with pytest.raises(SelectionError, match="still gives") as caught:
        rotation(azcert_environment, source, tmp_path).run()
    assert caught.value.code == "successor-elsewhere"
    sign_in(azcert_environment, source)
    assert rotation(azcert_environment, source, tmp_path).abort() is True
    assert registered(azcert_environment) == {before}
    sign_in(azcert_environment, source)
