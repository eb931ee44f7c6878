"""What settings say about the default chain: the tenant and the identities of its links."""

from __future__ import annotations

from typing import TYPE_CHECKING

from azcert.config.credentials.authority import tenant_id
from azcert.config.credentials.kinds import common_arguments
from azcert.config.credentials.spec import CredentialSpec
from azcert.config.reading.origin import wrong

if TYPE_CHECKING:
    from azcert.config.reading.settings import Settings

__all__ = ["DEFAULT_KEYS", "default_spec"]

EXCLUSIONS = {
    "ExcludeAzureCliCredential": "exclude_cli_credential",
    "ExcludeAzureDeveloperCliCredential": "exclude_developer_cli_credential",
    "ExcludeAzurePowerShellCredential": "exclude_powershell_credential",
    "ExcludeBrokerCredential": "exclude_broker_credential",
    "ExcludeEnvironmentCredential": "exclude_environment_credential",
    "ExcludeInteractiveBrowserCredential": "exclude_interactive_browser_credential",
    "ExcludeManagedIdentityCredential": "exclude_managed_identity_credential",
    "ExcludeSharedTokenCacheCredential": "exclude_shared_token_cache_credential",
    "ExcludeVisualStudioCodeCredential": "exclude_visual_studio_code_credential",
    "ExcludeVisualStudioCredential": "",
    "ExcludeWorkloadIdentityCredential": "exclude_workload_identity_credential",
}
"""Options of .NET's ``DefaultAzureCredential`` and azure-identity's; empty for a link that Python lacks."""

DEFAULT_KEYS = ("tenantId", "clientId", "managedIdentityClientId", "managedIdentityResourceId")
"""Keys that say something about the default chain."""


def default_spec(section: Settings, origin: str) -> CredentialSpec:
    """Return the default chain, with what the section says of tenants and managed identities."""
    arguments = common_arguments(section)
    for name, keyword in EXCLUSIONS.items():
        excluded = section.boolean(name)
        if keyword and excluded is not None:
            arguments[keyword] = excluded
    tenant = tenant_id(section)
    if tenant is not None:
        # DefaultAzureCredentialOptions.TenantId sets the tenant of each link; Python has a name for each.
        for link in (
            "broker",
            "interactive_browser",
            "shared_cache",
            "visual_studio_code",
            "workload_identity",
        ):
            arguments[f"{link}_tenant_id"] = tenant
    identity, client = section.text("managedIdentityClientId"), section.text("clientId")
    resource, entry = section.text("managedIdentityResourceId"), section.entry("managedIdentityResourceId")
    if client is not None:
        arguments["workload_identity_client_id"] = client
    if resource is not None and entry is not None:
        if identity is not None:
            raise wrong(entry, "is given, and so is managedIdentityClientId; keep one", code="two-identities")
        arguments.update(managed_identity_client_id=None, identity_config={"resource_id": resource})
    elif identity is not None or client is not None:
        arguments["managed_identity_client_id"] = identity or client
    return CredentialSpec("DefaultCredential", arguments, origin=origin)
