"""A transport for azure-core's pipelines that answers by a script, waits for nothing and notes everything."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from azure.core.credentials import AccessToken, AccessTokenInfo
from azure.core.pipeline.transport import AsyncHttpTransport, HttpTransport

from azcert.vault.response import AsyncKeptResponse, KeptResponse
from azcert.vault.table import Answer

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

__all__ = ["AsyncScripted", "AsyncToken", "Scripted", "Token", "failed", "secret_answer"]


def secret_answer(value: str, *, url: str = "https://kv.vault.azure.net/secrets/s/1") -> Answer:
    """Key Vault's answer with a secret."""
    body = json.dumps({"value": value, "id": url, "attributes": {"enabled": True}}).encode()
    return Answer(200, "OK", {"content-type": "application/json"}, body)


def failed(status: int, **headers: str) -> Answer:
    body = json.dumps({"error": {"code": f"Status{status}", "message": "scripted"}}).encode()
    return Answer(status, "scripted", {"content-type": "application/json", **headers}, body)


class _Script:
    """:param answer: called with each request; returns an answer or raises."""

    def __init__(self, answer: Callable[[Any], Answer]) -> None:
        self.answer = answer
        self.requests: list[Any] = []
        self.sleeps: list[float] = []
        self.closed = 0
        self._lock = threading.Lock()

    def _note(self, request: Any) -> None:
        with self._lock:
            self.requests.append(request)


class Scripted(_Script, HttpTransport[Any, Any]):
    def send(self, request: Any, **kwargs: Any) -> Any:
        del kwargs
        self._note(request)
        return KeptResponse(request, self.answer(request))

    def sleep(self, duration: float) -> None:
        self.sleeps.append(duration)

    def open(self) -> None:
        pass

    def close(self) -> None:
        self.closed += 1

    def __exit__(self, *args: object) -> None:
        self.close()


class AsyncScripted(_Script, AsyncHttpTransport[Any, Any]):
    async def send(self, request: Any, **kwargs: Any) -> Any:
        del kwargs
        self._note(request)
        answer = self.answer(request)
        if hasattr(answer, "__await__"):
            answer = await answer
        return AsyncKeptResponse(request, answer)

    async def sleep(self, duration: float) -> None:
        self.sleeps.append(duration)

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        self.closed += 1

    async def __aexit__(self, *args: object) -> None:
        await self.close()


class Token:
    """A credential that gives a token, and notes what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.closed = 0

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        del kwargs
        self.asked.append(scopes)
        return AccessToken("scripted-token", 2**31)

    def get_token_info(self, *scopes: str, **kwargs: Any) -> AccessTokenInfo:
        del kwargs
        self.asked.append(scopes)
        return AccessTokenInfo("scripted-token", 2**31)

    def close(self) -> None:
        self.closed += 1


class AsyncToken:
    """`Token`, awaited."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.closed = 0

    async def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        del kwargs
        self.asked.append(scopes)
        return AccessToken("scripted-token", 2**31)

    async def get_token_info(self, *scopes: str, **kwargs: Any) -> AccessTokenInfo:
        del kwargs
        self.asked.append(scopes)
        return AccessTokenInfo("scripted-token", 2**31)

    async def close(self) -> None:
        self.closed += 1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.close()
