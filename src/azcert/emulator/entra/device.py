"""The device code flow, as far as the recording shows it: a code, polling, and a person's tokens.

The emulator has no people: whoever is asked to sign in has done so after ``delays.sign_in`` seconds. Vaults
give that person no role. https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
"""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from azcert.emulator.entra import faults, tokens
from azcert.emulator.entra.faults import EntraRefusal
from azcert.emulator.entra.resources import DEFAULT, OPENID, find_resource
from azcert.emulator.origin import Answer, Kind, recorded

if TYPE_CHECKING:
    from azcert.emulator.entra.clouds import Cloud
    from azcert.emulator.world import World

__all__ = ["GRANTS", "begin", "poll"]

GRANTS = {"device_code", "urn:ietf:params:oauth:grant-type:device_code"}
LIFETIME = 900
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
PAGE = "https://microsoft.com/devicelogin"

CODE = Kind("entra", "device code", 200, recorded("entra-device-code-pending.json"))
TOKENS = Kind("entra", "tokens of a person, by device code", 200, recorded("entra-device-code-pending.json"))


def begin(world: World, form: dict[str, str]) -> Answer:
    """Answer the request for a code.

    :raises EntraRefusal: a parameter is missing.
    """
    for name in ("client_id", "scope"):
        if not form.get(name):
            raise EntraRefusal(faults.MISSING_PARAMETER, name=name)
    user_code = "".join(secrets.choice(LETTERS) for _ in range(9))
    device_code = secrets.token_urlsafe(64)
    kept = {"client": form["client_id"].lower(), "scope": form["scope"], "at": world.clock.now()}
    world.documents.put("device-code", device_code, kept)
    return CODE.answer(
        {
            "user_code": user_code,
            "device_code": device_code,
            "verification_uri": PAGE,
            "expires_in": LIFETIME,
            "interval": 5,
            "message": (
                f"To sign in, use a web browser to open the page {PAGE} and enter the code {user_code} to "
                "authenticate."
            ),
        }
    )


def poll(
    world: World, cloud: Cloud, app: dict[str, Any], tenant: dict[str, Any], form: dict[str, str]
) -> Answer:
    """Answer a client that asks whether its person has signed in.

    :raises EntraRefusal: not yet (70016), too late (70019), or no such code (70000).
    """
    code = form.get("device_code")
    if not code:
        raise EntraRefusal(faults.MISSING_PARAMETER, name="device_code")
    kept = world.documents.get("device-code", code)
    if kept is None or kept["client"] != str(app["appId"]).lower():
        raise EntraRefusal(faults.DEVICE_CODE)
    age = world.clock.now() - kept["at"]
    if age >= LIFETIME:
        raise EntraRefusal(faults.DEVICE_EXPIRED)
    if age < world.delays.sign_in:
        raise EntraRefusal(faults.DEVICE_PENDING)
    world.documents.delete("device-code", code)
    wanted = [scope for scope in kept["scope"].split() if scope.lower() not in OPENID]
    name = wanted[0].removesuffix(DEFAULT) if wanted else "https://graph.microsoft.com"
    resource = find_resource(world, name, tenant)
    person = {**app, "servicePrincipalId": _person(tenant)}
    client = tokens.Client(person, str(tenant["id"]), tokens.METHOD_PUBLIC)
    granted = {"scp": "user_impersonation", "idtyp": "user"}
    lifetime = world.token_lifetime
    access = tokens.issue(world, cloud, client, resource, lifetime=lifetime, extra=granted)
    own = find_resource(world, str(app["appId"]), tenant)
    identity = tokens.issue(world, cloud, client, own, lifetime=lifetime, extra={"idtyp": "user"})
    ids = {"uid": person["servicePrincipalId"], "utid": tenant["id"]}
    body = {
        "token_type": "Bearer",
        "scope": f"{name}/user_impersonation {name}{DEFAULT}",
        "expires_in": lifetime,
        "ext_expires_in": lifetime,
        "access_token": access,
        "refresh_token": f"1.{secrets.token_urlsafe(96)}",
        "foci": "1" if app.get("familyOfClients") else None,
        "id_token": identity,
        "client_info": base64.urlsafe_b64encode(json.dumps(ids).encode()).decode(),
    }
    return TOKENS.answer({member: value for member, value in body.items() if value is not None})


def _person(tenant: dict[str, Any]) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"person/{tenant['id']}"))
