"""Which vault a request is for, and who may ask it: challenge, token, tenant."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azcert.emulator.entra import tokens
from azcert.emulator.entra.clouds import CLOUDS, Cloud, authority_host
from azcert.emulator.entra.resources import KEY_VAULT
from azcert.emulator.keyvault import faults
from azcert.emulator.keyvault.faults import VaultRefusal

if TYPE_CHECKING:
    from azcert.emulator.world import World

__all__ = ["Caller", "Vault", "authenticate", "find_vault"]

SUFFIX = "vault.azure.net"
RETENTION = 90


@dataclass(frozen=True)
class Vault:
    """One vault."""

    name: str
    suffix: str
    tenant: str
    retention: int
    region: str

    @property
    def host(self) -> str:
        """The vault's host name."""
        return f"{self.name}.{self.suffix}"

    @property
    def url(self) -> str:
        """``https://`` and the host, as every id begins."""
        return f"https://{self.host}"

    @property
    def cloud(self) -> Cloud:
        """The cloud the vault is in, by its suffix."""
        return next((cloud for cloud in CLOUDS if cloud.vault_suffix == self.suffix), CLOUDS[0])

    @property
    def recovery_level(self) -> str:
        """What can be done after a deletion; shorter retention than 90 days is called customized."""
        return "Recoverable+Purgeable" if self.retention == RETENTION else "CustomizedRecoverable+Purgeable"


@dataclass(frozen=True)
class Caller:
    """Who a token says is asking."""

    principal: str
    app_id: str
    issuer: str


def find_vault(world: World, host_header: str) -> Vault:
    """Return the vault of a Host header.

    :raises VaultRefusal: the emulator has no such vault.
    """
    host = authority_host(host_header)
    name, _, suffix = host.partition(".")
    found = world.documents.get("vault", name)
    if not isinstance(found, dict) or found.get("suffix", SUFFIX) != suffix:
        known = [f"{key}.{entry.get('suffix', SUFFIX)}" for key, entry in world.documents.items("vault")]
        raise VaultRefusal(faults.NO_VAULT, host=host, known=", ".join(known) or "none")
    return Vault(
        name,
        suffix,
        str(found["tenant"]),
        int(found.get("retentionDays", RETENTION)),
        str(found.get("location", "eastus")),
    )


def authenticate(world: World, vault: Vault, authorization: str) -> Caller:
    """Check the Authorization header and return the caller.

    :raises VaultRefusal: 401 with the challenge that names the vault's tenant and resource.
    """
    resource = f"https://{vault.suffix}"
    authority = f"https://{vault.cloud.network}/{vault.tenant}"
    challenge = {"WWW-Authenticate": f'Bearer authorization="{authority}", resource="{resource}"'}
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise VaultRefusal(faults.NO_TOKEN, challenge)
    try:
        claims = tokens.check(world, token.strip())
    except tokens.InvalidTokenError as error:
        raise VaultRefusal(faults.BAD_TOKEN, challenge, reason=str(error)) from None
    if claims["aud"] not in {resource, KEY_VAULT}:
        raise VaultRefusal(faults.AUDIENCE, challenge, expected=resource, found=str(claims["aud"]))
    issuer = f"https://{vault.cloud.issuer}/{vault.tenant}/"
    if claims["iss"] != issuer:
        raise VaultRefusal(faults.ISSUER, challenge, expected=issuer, found=str(claims["iss"]))
    if claims["iat"] + tokens.BACKDATED < world.tokens_revoked_before:
        raise VaultRefusal(faults.CLAIMS, {"WWW-Authenticate": _claims_challenge(world, authority)})
    return Caller(str(claims["oid"]), str(claims.get("appid", "")), issuer)


def _claims_challenge(world: World, authority: str) -> str:
    """https://learn.microsoft.com/entra/identity-platform/claims-challenge: ask for a token issued since."""
    since = int(-(-world.tokens_revoked_before // 1))
    wanted: dict[str, Any] = {"access_token": {"nbf": {"essential": True, "value": str(since)}}}
    text = base64.b64encode(json.dumps(wanted, separators=(",", ":")).encode()).decode()
    return (
        f'Bearer realm="", authorization_uri="{authority}/oauth2/authorize", error="insufficient_claims", '
        f'claims="{text}"'
    )
