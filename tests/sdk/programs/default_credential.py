"""DefaultAzureCredential, from the environment alone."""

import os

from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient

with DefaultAzureCredential() as credential:
    client = SecretClient(f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net", credential)
    print("value:", client.get_secret("myTestSecret1").value)
