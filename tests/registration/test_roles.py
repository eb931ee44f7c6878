"""Roles of an application in a vault, against the emulator: with threads and awaited, by the public names."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

import azcert.registration
import azcert.registration.aio
from azcert import CertificateCredential, RegistrationError
from azcert.aio import CertificateCredential as AsyncCredential
from azcert.emulator.arm.routes import subscription_of
from azcert.emulator.ready_made import SERVICE_PRINCIPAL_ID

if TYPE_CHECKING:
    from azcert.emulator.fixture import AzcertEmulator


def test_every_public_name_is_there_and_has_its_awaited_brother() -> None:
    for name in azcert.registration.__all__:
        assert getattr(azcert.registration, name) is not None
        assert name in dir(azcert.registration)
    for name in azcert.registration.aio.__all__:
        mine, theirs = (getattr(each, name) for each in (azcert.registration, azcert.registration.aio))
        assert {each for each in dir(mine) if not each.startswith("_")} - {"graph", "run"} == {
            each for each in dir(theirs) if not each.startswith("_")
        }
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        azcert.registration.Nothing  # noqa: B018


def arguments(emulator: AzcertEmulator) -> tuple[str, str, str]:
    return emulator.tenant_id, emulator.client_id, str(emulator.certificate_path)


def test_a_role_is_given_once_wherever_the_vault_is(azcert_environment: AzcertEmulator) -> None:
    with azcert.registration.RoleAssignments(CertificateCredential(*arguments(azcert_environment))) as roles:
        resource = roles.vault("kv-demo")
        assert resource == roles.vault("KV-Demo", subscription=subscription_of(azcert_environment.tenant_id))
        assert roles.assign(resource, "secrets-reader", SERVICE_PRINCIPAL_ID)
        assert not roles.assign(resource, "secrets-reader", SERVICE_PRINCIPAL_ID)
        with pytest.raises(RegistrationError, match="has a Key Vault 'kv-none'"):
            roles.vault("kv-none")


def test_a_role_is_given_once_awaited(azcert_environment: AzcertEmulator) -> None:
    async def main() -> list[bool]:
        async with (
            AsyncCredential(*arguments(azcert_environment)) as credential,
            azcert.registration.aio.RoleAssignments(credential) as roles,
        ):
            resource = await roles.vault("kv-demo")
            return [await roles.assign(resource, "crypto-user", SERVICE_PRINCIPAL_ID) for _ in range(2)]

    assert asyncio.run(main()) == [True, False]


def test_who_may_not_give_roles_is_told_the_permission(azcert_environment: AzcertEmulator) -> None:
    documents = azcert_environment.world.documents
    documents.put("role", f"kv-demo/{SERVICE_PRINCIPAL_ID}", ["Key Vault Secrets User"])
    with azcert.registration.RoleAssignments(CertificateCredential(*arguments(azcert_environment))) as roles:
        resource = roles.vault("kv-demo")
        with pytest.raises(RegistrationError) as denied:
            roles.assign(resource, "secrets-officer", SERVICE_PRINCIPAL_ID)
    assert denied.value.details["arm_code"] == "AuthorizationFailed"
    assert "Microsoft.Authorization/roleAssignments/write" in str(denied.value.remedy)
    assert "Key Vault Data Access Administrator" in str(denied.value.remedy)
