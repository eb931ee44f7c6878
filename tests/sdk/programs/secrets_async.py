"""The same in asyncio."""

import asyncio
import os

from azure.identity.aio import CertificateCredential
from azure.keyvault.secrets.aio import SecretClient


async def main() -> None:
    credential = CertificateCredential(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        os.environ["AZURE_CLIENT_CERTIFICATE_PATH"],
    )
    vault = f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net"
    async with credential, SecretClient(vault, credential) as client:
        print("value:", (await client.get_secret("myTestSecret1")).value)
        await asyncio.gather(*(client.set_secret(f"n{number}", str(number)) for number in range(40)))
        names = [each.name async for each in client.list_properties_of_secrets()]
        print("listed:", len(names))
        await client.delete_secret("n1")
        print("deleted:", [each.name async for each in client.list_deleted_secrets()])


asyncio.run(main())
