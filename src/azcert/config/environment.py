"""Every environment variable that azcert reads, with what it means; the settings page is made from it."""

from __future__ import annotations

__all__ = ["VARIABLES"]

VARIABLES: dict[str, str] = {
    "AZURE_TENANT_ID": "Tenant of the application.",
    "AZURE_CLIENT_ID": "Application (client) ID; of a user-assigned identity in the default chain.",
    "AZURE_CLIENT_SECRET": "The application's secret; beside a certificate, it wins.",
    "AZURE_CLIENT_CERTIFICATE_PATH": "The application's certificate: a file, or any azcert source.",
    "AZURE_CLIENT_CERTIFICATE_PASSWORD": "Opens the certificate's private key.",
    "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN": "`true` sends the issuers with the certificate.",
    "AZURE_AUTHORITY_HOST": "Authority of another cloud, such as `https://login.microsoftonline.us`.",
    "AZURE_REGIONAL_AUTHORITY_NAME": "Region of Entra's regional endpoint, or `tryautodetect`.",
    "AZURE_IDENTITY_DISABLE_MULTITENANTAUTH": "Set: tenants that challenges name are ignored.",
    "AZURE_TOKEN_CREDENTIALS": "Narrows the default chain: `prod`, `dev`, or one credential's name.",
    "AZURE_FEDERATED_TOKEN_FILE": "The token file of workload identity.",
    "AZCERT_SETTINGS": "The settings file, where the program names none.",
    "AZCERT_ENVIRONMENT": "Name of the environment; goes before the two names that .NET has for it.",
    "DOTNET_ENVIRONMENT": "Name of the environment, as for .NET programs.",
    "ASPNETCORE_ENVIRONMENT": "Name of the environment, as for ASP.NET Core.",
    "AZCERT_USER_SECRETS_ID": "Id of the user secrets, which count in `Development`.",
    "AZCERT_STORE_ROOT": "Folder of azcert's store on Linux.",
    "AZCERT_ALLOW_OPEN_KEY_FILES": "`true` allows key files that others can read.",
    "AZCERT_EMULATOR": "Address of a running emulator's control endpoint.",
    "CREDENTIALS_DIRECTORY": "systemd's credentials, for passwords named `credential:NAME`.",
    "KEY_VAULT_NAME": "Name of the vault for `azcert secret`.",
    "AZCERT_PKCS11_MODULE": "Library of the PKCS#11 token.",
    "AZCERT_PKCS11_PIN": "PIN of the PKCS#11 token.",
    "AZCERT_TOKEN_CACHE": "Where tokens are shared between processes, for `azcert token`.",
    "AZCERT_TPM_TCTI": "How the TPM is reached.",
    "AZCERT_LEASE": "Redis in which hosts agree on who runs `azcert rotate`; else that of the token cache.",
    "AZCERT_STATE": "Folder of the records that `azcert rotate` goes on from.",
}
