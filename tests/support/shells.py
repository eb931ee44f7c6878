"""The sync and the async credential behind one face, so that one script drives both."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azcert import CertificateCredential
from azcert.aio import CertificateCredential as AsyncCredential
from support.token_endpoint import CLIENT, TENANT, TokenEndpoint

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Stand:
    endpoint: TokenEndpoint
    ca: str
    certificate: Path

    def arguments(self, **changes: Any) -> dict[str, Any]:
        defaults = {
            "authority": self.endpoint.authority,
            "connection_verify": self.ca,
            "disable_instance_discovery": True,
            "certificate_path": self.certificate,
            # Tests that want to see waits ask for them.
            "retry_backoff_factor": 0.01,
        }
        return {name: value for name, value in (defaults | changes).items() if value is not None}

    def sync(self, *, tenant: str = TENANT, **changes: Any) -> CertificateCredential:
        return CertificateCredential(tenant, CLIENT, **self.arguments(**changes))

    def aio(self, *, tenant: str = TENANT, **changes: Any) -> AsyncCredential:
        return AsyncCredential(tenant, CLIENT, **self.arguments(**changes))


class _SyncFace:
    """The sync credential with calls that can be awaited."""

    def __init__(self, credential: CertificateCredential) -> None:
        self.credential = credential

    async def get_token(self, *scopes: str, **keywords: Any) -> Any:
        return self.credential.get_token(*scopes, **keywords)

    async def get_token_info(self, *scopes: str, **keywords: Any) -> Any:
        return self.credential.get_token_info(*scopes, **keywords)


Face = _SyncFace | AsyncCredential
Script = Callable[[Face], Awaitable[Any]]


def run_sync(stand: Stand, script: Script, **arguments: Any) -> Any:
    """Run a script with the sync credential; nothing in it waits, the loop is only there for its syntax."""

    async def main() -> Any:
        return await script(_SyncFace(credential))

    with stand.sync(**arguments) as credential:
        return asyncio.run(main())


def run_async(stand: Stand, script: Script, **arguments: Any) -> Any:
    """Run a script with the async credential."""

    async def main() -> Any:
        async with stand.aio(**arguments) as credential:
            return await script(credential)

    return asyncio.run(main())


BOTH = [run_sync, run_async]
