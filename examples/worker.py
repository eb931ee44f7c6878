"""Worker: an asyncio service that reads a secret every second until it is stopped (SIGTERM or Ctrl+C)."""

import asyncio
import os
import signal

from azure.keyvault.secrets.aio import SecretClient

from azcert.aio import CertificateCredential


async def main() -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    credential = CertificateCredential(
        os.environ["AZURE_TENANT_ID"],
        os.environ["AZURE_CLIENT_ID"],
        certificate=os.environ["AZURE_CLIENT_CERTIFICATE_PATH"],
    )
    vault = f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net"
    async with credential, SecretClient(vault, credential) as client:
        while not stop.is_set():
            secret = await client.get_secret("myTestSecret1")
            print(f"Secret value is: {secret.value}", flush=True)
            try:
                await asyncio.wait_for(stop.wait(), timeout=1)
            except TimeoutError:
                continue
    print("Stopped.", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
