"""App registrations through Graph, against the emulator: with threads and awaited, by one script."""

from __future__ import annotations

import asyncio
import inspect
import threading
from typing import TYPE_CHECKING, Any

import pytest

from azcert import CertificateCredential
from azcert.aio import CertificateCredential as AsyncCredential
from azcert.certificate.model import Certificate
from azcert.emulator.ready_made import CLIENT_ID, OBJECT_ID
from azcert.errors import RegistrationError
from azcert.registration.async_ import Registrations as AsyncRegistrations
from azcert.registration.proof import proof_of_possession
from azcert.registration.sync import Registrations
from azcert.sources.open import open_source
from support.emulated import certificate as issue
from support.emulated import rsa_key
from support.rotating import make_certificate, registered

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

    Script = Callable[["Face"], Awaitable[Any]]

SETTLE = 0.05


class Face:
    """Either shell: every method can be awaited."""

    def __init__(self, registrations: Registrations | AsyncRegistrations) -> None:
        self._registrations = registrations

    async def call(self, name: str, *arguments: Any) -> Any:
        answer = getattr(self._registrations, name)(*arguments)
        if hasattr(answer, "__aiter__"):
            return [each async for each in answer]
        if inspect.isgenerator(answer):
            return list(answer)
        return await answer if inspect.isawaitable(answer) else answer


def run_sync(emulator: AzcertEmulator, script: Script, **options: Any) -> Any:
    credential = CertificateCredential(
        emulator.tenant_id, emulator.client_id, certificate=emulator.certificate_path
    )
    with credential, Registrations(credential, settle=SETTLE, **options) as registrations:
        return asyncio.run(_awaited(script(Face(registrations))))


def run_async(emulator: AzcertEmulator, script: Script, **options: Any) -> Any:
    async def main() -> Any:
        credential = AsyncCredential(
            emulator.tenant_id, emulator.client_id, certificate=emulator.certificate_path
        )
        async with credential, AsyncRegistrations(credential, settle=SETTLE, **options) as registrations:
            return await script(Face(registrations))

    return asyncio.run(main())


async def _awaited(job: Awaitable[Any]) -> Any:
    return await job


both = pytest.mark.parametrize("run", [run_sync, run_async], ids=["sync", "aio"])


def fresh(number: int = 0) -> Certificate:
    return Certificate(issue(rsa_key(number), name=f"app-{number}"))


@both
def test_a_certificate_joins_those_that_are_there_and_leaves_them_alone(
    azcert_environment: AzcertEmulator, run: Callable[..., Any]
) -> None:
    new = fresh()
    (before,) = registered(azcert_environment)

    async def script(face: Face) -> None:
        key = await face.call("add_certificate", OBJECT_ID, new)
        assert (key.thumbprint, key.display_name) == (new.thumbprint, new.subject)
        assert (key.start, key.end) == (new.not_before, new.not_after)
        assert registered(azcert_environment) == {before, new.thumbprint}
        again = await face.call("add_certificate", OBJECT_ID, new)
        assert again.key_id == key.key_id
        await face.call("remove_certificate", OBJECT_ID, key.key_id)
        await face.call("remove_certificate", OBJECT_ID, key.key_id)

    run(azcert_environment, script)
    assert registered(azcert_environment) == {before}
    patches = [each for each in azcert_environment.requests if each["method"] == "PATCH"]
    assert len(patches) == 2, "what is there already, or gone already, is not written again"


@both
def test_an_app_is_found_by_either_id_and_by_its_name(
    azcert_environment: AzcertEmulator, run: Callable[..., Any]
) -> None:
    async def script(face: Face) -> None:
        for name in (CLIENT_ID, OBJECT_ID, "azcert-demo", CLIENT_ID.upper()):
            assert (await face.call("find", name)).id == OBJECT_ID
        with pytest.raises(RegistrationError) as unknown:
            await face.call("find", "it's nobody")
        assert unknown.value.code == "not-found"
        made = [await face.call("create", "twin") for _ in range(2)]
        with pytest.raises(RegistrationError) as several:
            await face.call("find", "twin")
        assert several.value.code == "ambiguous"
        assert all(each.application.app_id in several.value.message for each in made)

    run(azcert_environment, script)


@both
def test_an_app_is_made_though_it_is_not_known_everywhere_at_once(
    azcert_environment: AzcertEmulator, run: Callable[..., Any]
) -> None:
    missing = {"error": {"code": "Request_ResourceNotFound", "message": "Resource does not exist."}}
    azcert_environment.faults.add("answer", path="*/servicePrincipals", status=404, body=missing, times=1)

    async def script(face: Face) -> None:
        application, principal, tenant = await face.call("create", "new", fresh())
        assert await face.call("principal_id", application.app_id) == principal
        assert tenant == azcert_environment.tenant_id
        assert [key.thumbprint for key in application.keys] == [fresh_thumbprint(application)]

    def fresh_thumbprint(application: Any) -> str:
        app = azcert_environment.world.documents.get("app", application.app_id)
        assert app is not None
        return str(app["keyCredentials"][0]["customKeyIdentifier"])

    run(azcert_environment, script)


@both
def test_throttling_is_obeyed(azcert_environment: AzcertEmulator, run: Callable[..., Any]) -> None:
    azcert_environment.faults.add(
        "answer", path="*/applications*", status=429, headers={"Retry-After": "1"}, times=1
    )

    async def script(face: Face) -> None:
        assert (await face.call("get", OBJECT_ID)).app_id == CLIENT_ID

    run(azcert_environment, script)
    asked = [each for each in azcert_environment.requests if "/applications" in each["path"]]
    assert [each["status"] for each in asked] == [429, 200]
    assert asked[1]["at"] - asked[0]["at"] >= 1


@both
def test_a_refusal_names_the_missing_permission(
    azcert_environment: AzcertEmulator, run: Callable[..., Any]
) -> None:
    forbid(azcert_environment)

    async def script(face: Face) -> None:
        with pytest.raises(RegistrationError) as refused:
            await face.call("list")
        assert refused.value.details["graph_code"] == "Authorization_RequestDenied"
        assert "Application.Read.All" in str(refused.value.remedy)
        with pytest.raises(RegistrationError) as refused:
            await face.call("create", "new")
        assert "Application.ReadWrite.OwnedBy" in str(refused.value.remedy)

    run(azcert_environment, script)


@both
def test_all_apps_come_page_by_page(azcert_environment: AzcertEmulator, run: Callable[..., Any]) -> None:
    app = azcert_environment.world.documents.get("app", CLIENT_ID)
    assert app is not None
    for number in range(1100):
        client_id = f"{number:08d}-aaaa-2222-bbbb-3333cccc4444"
        changes = {"id": f"{number:08d}-0000-1111-2222-bbbbbbbbbbbb", "appId": client_id}
        azcert_environment.world.documents.put("app", client_id, {**app, **changes})

    async def script(face: Face) -> None:
        found = await face.call("list")
        assert len({each.app_id for each in found}) == 1101

    run(azcert_environment, script)
    pages = [each for each in azcert_environment.requests if each["path"].endswith("/applications")]
    assert len(pages) == 2


def test_four_admins_at_once_lose_no_certificate(azcert_environment: AzcertEmulator) -> None:
    azcert_environment.delays.latency = 0.05
    (before,) = registered(azcert_environment)
    news = [fresh(number) for number in range(4)]
    together = threading.Barrier(len(news))
    failures: list[BaseException] = []

    def add(certificate: Certificate) -> None:
        async def script(face: Face) -> None:
            await face.call("get", OBJECT_ID)
            together.wait()
            await face.call("add_certificate", OBJECT_ID, certificate)

        try:
            run_sync(azcert_environment, script)
        except BaseException as error:  # noqa: BLE001 - told by the test's own thread
            failures.append(error)

    admins = [threading.Thread(target=add, args=[each]) for each in news]
    for admin in admins:
        admin.start()
    for admin in admins:
        admin.join()
    assert failures == []
    assert registered(azcert_environment) == {before, *(each.thumbprint for each in news)}


def forbid(emulator: AzcertEmulator) -> None:
    """Take the app's Graph permissions away."""
    app = emulator.world.documents.get("app", CLIENT_ID)
    assert app is not None
    emulator.world.documents.put("app", CLIENT_ID, {**app, "grantedRoles": {}})


def test_an_app_without_permissions_changes_its_own_certificates_by_proof(
    azcert_environment: AzcertEmulator,
) -> None:
    forbid(azcert_environment)
    current = open_source(azcert_environment.certificate_path).load()
    new = fresh()

    async def script(face: Face) -> None:
        now = int(azcert_environment.clock.now())
        proof = proof_of_possession(current, OBJECT_ID, now=now)
        assert "=" not in proof
        added = await face.call("add_key", OBJECT_ID, new, proof)
        assert registered(azcert_environment) == {current.certificate.thumbprint, new.thumbprint}
        await face.call("remove_key", OBJECT_ID, added.key_id, proof)
        assert registered(azcert_environment) == {current.certificate.thumbprint}

    run_sync(azcert_environment, script)


def test_a_proof_that_is_old_or_by_another_or_for_another_is_refused(
    azcert_environment: AzcertEmulator, tmp_path: Path
) -> None:
    current = open_source(azcert_environment.certificate_path).load()
    make_certificate(str(tmp_path / "other.key.pem"))
    foreign = open_source(str(tmp_path / "other.pem")).load()
    now = int(azcert_environment.clock.now())
    wrong = [
        proof_of_possession(current, OBJECT_ID, now=now - 3600),
        proof_of_possession(foreign, OBJECT_ID, now=now),
        proof_of_possession(current, CLIENT_ID, now=now),
    ]

    async def script(face: Face) -> None:
        for proof in wrong:
            with pytest.raises(RegistrationError) as refused:
                await face.call("add_key", OBJECT_ID, fresh(), proof)
            assert refused.value.details["graph_code"] == "Authentication_MissingOrMalformed"

    run_sync(azcert_environment, script)
    assert registered(azcert_environment) == {current.certificate.thumbprint}
