"""A registration whose answer nobody heard is neither done twice nor forgotten."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from azcert.emulator.ready_made import CLIENT_ID
from azcert.errors import AzcertError
from azcert.rotation.plan import Step
from azcert.rotation.records.record import LocalRecord
from azcert.sources.open import open_source
from support.rotating import registered, rotation, sign_in

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

ADD_KEY = {"path": "*/addKey", "method": "POST"}


@pytest.fixture
def source(azcert_environment: AzcertEmulator, tmp_path: Path) -> str:
    path = tmp_path / "app.pem"
    shutil.copy(azcert_environment.certificate_path, path)
    path.chmod(0o600)
    return str(path)


@pytest.fixture
def blind(azcert_environment: AzcertEmulator) -> None:
    """The app may not read its own registration."""
    app = application(azcert_environment)
    azcert_environment.world.documents.put("app", CLIENT_ID, {**app, "grantedRoles": {}})


def application(emulator: AzcertEmulator) -> dict[str, Any]:
    app: dict[str, Any] | None = emulator.world.documents.get("app", CLIENT_ID)
    assert app is not None
    return app


def keys(emulator: AzcertEmulator) -> list[str]:
    """Return the thumbprints on the app, each as often as it is there."""
    return [key["customKeyIdentifier"] for key in application(emulator)["keyCredentials"]]


def thumbprint(source: str) -> str:
    return open_source(source).load().certificate.thumbprint


def added(emulator: AzcertEmulator) -> int:
    return sum(entry["path"].endswith("/addKey") for entry in emulator.requests)


@pytest.mark.usefixtures("blind")
def test_what_was_added_is_found_by_signing_in_and_not_added_again(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    first = thumbprint(source)
    azcert_environment.faults.add("truncate", **ADD_KEY)
    with pytest.raises(AzcertError):
        rotation(azcert_environment, source, tmp_path).run(force=True)
    assert len(keys(azcert_environment)) == 2, "Graph did it, and its answer was lost"
    sign_in(azcert_environment, source)
    steps: list[Step] = []
    assert rotation(azcert_environment, source, tmp_path, told=steps.append).run() is Step.DONE
    assert steps == [Step.REGISTER, Step.SWITCH, Step.RETIRE, Step.DONE]
    second = thumbprint(source)
    assert added(azcert_environment) == 1
    assert sorted(keys(azcert_environment)) == sorted([first, second])
    # Nobody knows the id of the second: when its time comes, the command that removes it is told.
    run = rotation(azcert_environment, source, tmp_path)
    assert run.run(force=True) is Step.DONE
    assert run.left_registered == second


@pytest.mark.usefixtures("blind")
def test_what_was_added_is_waited_for_while_it_spreads(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    azcert_environment.delays.propagation = 0.5
    azcert_environment.faults.add("truncate", **ADD_KEY)
    with pytest.raises(AzcertError):
        rotation(azcert_environment, source, tmp_path).run(force=True)
    assert rotation(azcert_environment, source, tmp_path).run() is Step.DONE
    assert any(entry["aadsts"] == 700027 for entry in azcert_environment.record)
    assert added(azcert_environment) == 1


@pytest.mark.usefixtures("blind")
@pytest.mark.parametrize("fault", ["close", "answer"])
def test_what_was_not_added_is_added_once_it_would_sign_in(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path, fault: str
) -> None:
    first = thumbprint(source)
    azcert_environment.faults.add(fault, **ADD_KEY, times=9)
    with pytest.raises(AzcertError):
        rotation(azcert_environment, source, tmp_path).run(force=True)
    assert added(azcert_environment) == 1, "a server's fault does not tell whether it was done"
    azcert_environment.faults.clear()
    record = LocalRecord(tmp_path / "rotation.json")
    journal = record.read()
    assert journal is not None
    assert journal.asked_at is not None
    record.write(replace(journal, asked_at=journal.asked_at - 301))
    assert rotation(azcert_environment, source, tmp_path).run() is Step.DONE
    assert added(azcert_environment) == 2
    assert sorted(keys(azcert_environment)) == sorted([first, thumbprint(source)])


@pytest.mark.usefixtures("blind")
def test_a_refusal_is_an_answer(azcert_environment: AzcertEmulator, source: str, tmp_path: Path) -> None:
    refusal = {"error": {"code": "Authentication_MissingOrMalformed", "message": "no"}}
    azcert_environment.faults.add("answer", **ADD_KEY, status=401, body=refusal)
    with pytest.raises(AzcertError):
        rotation(azcert_environment, source, tmp_path).run(force=True)
    tried = len(azcert_environment.record)
    assert rotation(azcert_environment, source, tmp_path).run() is Step.DONE
    assert all(entry["aadsts"] is None for entry in list(azcert_environment.record)[tried:]), "none was tried"


@pytest.mark.usefixtures("blind")
def test_an_undone_certificate_of_unknown_id_is_told(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    azcert_environment.faults.add("truncate", **ADD_KEY)
    with pytest.raises(AzcertError):
        rotation(azcert_environment, source, tmp_path).run(force=True)
    run = rotation(azcert_environment, source, tmp_path)
    assert run.abort() is True
    assert run.left_registered in registered(azcert_environment) - {thumbprint(source)}


def test_a_certificate_that_is_there_twice_is_taken_off_twice(
    azcert_environment: AzcertEmulator, source: str, tmp_path: Path
) -> None:
    app = application(azcert_environment)
    (key,) = app["keyCredentials"]
    twice = [key, {**key, "keyId": "0ddba11e-0000-4000-8000-000000000000"}]
    azcert_environment.world.documents.put("app", CLIENT_ID, {**app, "keyCredentials": twice})
    assert rotation(azcert_environment, source, tmp_path).run(force=True) is Step.DONE
    assert keys(azcert_environment) == [thumbprint(source)]
