"""Instance discovery, openid-configuration and the keys that verify tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azcert.emulator.entra import faults, tokens
from azcert.emulator.entra.clouds import CLOUDS, Cloud, cloud_of
from azcert.emulator.entra.directory import find_tenant
from azcert.emulator.entra.faults import EntraRefusal
from azcert.emulator.entra.tenants import check_tenant_name
from azcert.emulator.origin import Answer, Kind, assumed, documented, recorded

if TYPE_CHECKING:
    from azcert.emulator.world import World

__all__ = ["adfs_configuration", "configuration", "instance", "keys"]

SHARED = ("common", "organizations", "consumers")
API_VERSIONS = ("1.0", "1.1")

INSTANCE = Kind(
    "entra", "instance discovery", 200, recorded("entra-cert-x5c.json", "entra-tenant-not-found.json")
)
CONFIGURATION = Kind(
    "entra", "openid-configuration (v2)", 200, recorded("entra-assertion-key-not-found.json")
)
CONFIGURATION_V1 = Kind(
    "entra",
    "openid-configuration (v1)",
    200,
    documented("https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc"),
)
CONFIGURATION_ADFS = Kind(
    "entra", "openid-configuration of AD FS", 200, assumed("only the members that MSAL reads")
)
KEYS = Kind(
    "entra",
    "JSON Web Key Set",
    200,
    documented("https://learn.microsoft.com/entra/identity-platform/access-tokens#validate-the-signature"),
)


def instance(query: dict[str, str]) -> Answer:
    """Answer ``/common/discovery/instance``: any tenant of a known host has one.

    :raises azcert.emulator.entra.faults.EntraRefusal: a parameter is missing or the host unknown.
    """
    version = query.get("api-version")
    endpoint = query.get("authorization_endpoint")
    if not version or not endpoint:
        raise EntraRefusal(
            faults.MISSING_PARAMETER, name="authorization_endpoint" if version else "api-version"
        )
    try:
        parts = urlsplit(endpoint)
        host = parts.hostname or ""
    except ValueError:
        raise EntraRefusal(faults.UNKNOWN_INSTANCE) from None
    segments = parts.path.strip("/").split("/")
    if parts.scheme != "https" or cloud_of(host) is None or version not in API_VERSIONS:
        raise EntraRefusal(faults.UNKNOWN_INSTANCE)
    middle = "/v2.0" if "v2.0" in segments else ""
    return INSTANCE.answer(
        {
            "tenant_discovery_endpoint": (
                f"https://{host}/{segments[0]}{middle}/.well-known/openid-configuration"
            ),
            "api-version": "1.1",
            "metadata": [cloud.metadata() for cloud in CLOUDS],
        }
    )


def configuration(world: World, host: str, name: str, *, legacy: bool) -> Answer:
    """Answer a tenant's openid-configuration; *name* is its id, a verified domain or ``common`` and the like.

    :raises azcert.emulator.entra.faults.EntraRefusal: there is no such tenant.
    """
    cloud = cloud_of(host) or CLOUDS[0]
    tenant = _tenant_id(world, name)
    if legacy:
        return CONFIGURATION_V1.answer(_v1(cloud, tenant, name if name in SHARED else tenant))
    return CONFIGURATION.answer(_v2(cloud, tenant, name if name in SHARED else tenant))


def keys(world: World, host: str, name: str, *, legacy: bool) -> Answer:
    """Answer the key set.

    :raises azcert.emulator.entra.faults.EntraRefusal: there is no such tenant.
    """
    tenant = _tenant_id(world, name)
    cloud = cloud_of(host) or CLOUDS[0]
    return KEYS.answer(tokens.jwks(world, f"https://{cloud.network}/{tenant}/v2.0", legacy=legacy))


def adfs_configuration(host: str) -> Answer:
    """Answer the openid-configuration of an AD FS at *host*."""
    base = f"https://{host}/adfs"
    return CONFIGURATION_ADFS.answer(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/oauth2/authorize/",
            "token_endpoint": f"{base}/oauth2/token",
            "jwks_uri": f"{base}/discovery/keys",
            "token_endpoint_auth_methods_supported": [
                "client_secret_post",
                "client_secret_basic",
                "private_key_jwt",
            ],
            "id_token_signing_alg_values_supported": ["RS256"],
            "access_token_issuer": f"{base}/services/trust",
        }
    )


def _tenant_id(world: World, name: str) -> str:
    if name in SHARED:
        return "{tenantid}"
    check_tenant_name(name)
    tenant = find_tenant(world, name)
    if tenant is None:
        raise EntraRefusal(faults.TENANT_NOT_FOUND, tenant=name)
    return str(tenant["id"])


def _v2(cloud: Cloud, tenant: str, path: str) -> dict[str, Any]:
    base = f"https://{cloud.network}/{path}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": f"{base}/discovery/v2.0/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": f"https://{cloud.network}/{tenant}/v2.0",
        "request_uri_parameter_supported": False,
        "userinfo_endpoint": f"https://{cloud.graph}/oidc/userinfo",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
        "claims_supported": [
            "sub",
            "iss",
            "cloud_instance_name",
            "cloud_instance_host_name",
            "cloud_graph_host_name",
            "msgraph_host",
            "aud",
            "exp",
            "iat",
            "auth_time",
            "acr",
            "nonce",
            "preferred_username",
            "name",
            "tid",
            "ver",
            "at_hash",
            "c_hash",
            "email",
        ],
        "kerberos_endpoint": f"{base}/kerberos",
        **_region(cloud),
    }


def _v1(cloud: Cloud, tenant: str, path: str) -> dict[str, Any]:
    base = f"https://{cloud.network}/{path}"
    return {
        "token_endpoint": f"{base}/oauth2/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": f"https://{cloud.network}/common/discovery/keys",
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "token id_token", "token"],
        "scopes_supported": ["openid"],
        "issuer": f"https://{cloud.issuer}/{tenant}/",
        "microsoft_multi_refresh_token": True,
        "authorization_endpoint": f"{base}/oauth2/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{base}/oauth2/logout",
        "userinfo_endpoint": f"{base}/openid/userinfo",
        **_region(cloud),
    }


def _region(cloud: Cloud) -> dict[str, Any]:
    return {
        "tenant_region_scope": "WW",
        "cloud_instance_name": cloud.network.removeprefix("login."),
        "cloud_graph_host_name": "graph.windows.net",
        "msgraph_host": cloud.graph,
        "rbac_url": "https://pas.windows.net",
    }
