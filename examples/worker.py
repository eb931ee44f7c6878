"""Worker: an asyncio service that reads a secret every second until it is stopped (SIGTERM or Ctrl+C).

    python worker.py [SETTINGS]

Settings decide where it signs in, with what, and how long secrets are kept: the file named, else that of
AZCERT_SETTINGS, else appsettings.json of the working directory, and environment variables over them. The
folder appsettings has four: a certificate from the store, from a file, from the environment, and a managed
identity.
"""

import asyncio
import signal
import sys

from azure.keyvault.secrets.aio import SecretClient

from azcert.aio import AzureClients


async def main(settings: str | None = None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)

    async with AzureClients.from_settings(settings) as clients:
        secrets = clients.get(SecretClient, "KeyVault")
        while not stop.is_set():
            secret = await secrets.get_secret("myTestSecret1")
            print(f"Secret value is: {secret.value}", flush=True)
            try:
                await asyncio.wait_for(stop.wait(), timeout=1)
            except TimeoutError:
                continue
    print("Stopped.", flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2]))
