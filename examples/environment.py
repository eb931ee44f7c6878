"""Environment: the official DefaultAzureCredential, told by AZURE_CLIENT_CERTIFICATE_PATH and its friends."""

import os

from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

vault = f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net"
with DefaultAzureCredential() as credential, SecretClient(vault, credential) as client:
    print(f"Secret value is: {client.get_secret('myTestSecret1').value}")
