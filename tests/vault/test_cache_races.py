"""Threads and tasks that read and write at once: no read answers what a finished write has replaced."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from azure.core.exceptions import HttpResponseError
from azure.keyvault.secrets import SecretClient
from azure.keyvault.secrets.aio import SecretClient as AsyncSecretClient

import azcert
import azcert.aio
from support.cached import VAULT
from support.scripted import AsyncScripted, AsyncToken, Scripted, Token, failed, secret_answer

# So short that values are fresh, due, stale and gone within one test.
RULES = azcert.CacheRules(ttl=0.01, refresh_ahead=0.004, stale=0.02, patience=0.002)
WORKERS, STEPS = 12, 80


class Counting:
    """A vault that holds a number, which each write makes one more; a tenth of its answers is a 503."""

    def __init__(self, seed: int) -> None:
        self.number = 0
        self.done = 0  # as its writers know
        self.random = random.Random(seed)  # noqa: S311 - a test's own dice
        self.lock = threading.Lock()

    def answer(self, request: Any) -> tuple[Any, float]:
        """Return the answer, and how long it is on its way after it was true."""
        with self.lock:
            if self.random.random() < 0.1:
                return failed(503), 0.001
            if request.method == "PUT":
                self.number += 1
            return secret_answer(str(self.number)), self.random.random() * 0.01

    def wrote(self, number: int) -> None:
        with self.lock:
            self.done = max(self.done, number)


def test_threads_read_nothing_older_than_a_write_that_was_done() -> None:
    vault = Counting(seed=1)

    def script(request: Any) -> Any:
        answer, late = vault.answer(request)
        time.sleep(late)
        return answer

    cache = azcert.SecretCachePolicy(RULES)
    client = SecretClient(
        VAULT, Token(), transport=Scripted(script), per_call_policies=[cache], retry_total=0
    )

    def work(_: int) -> int:
        found = 0
        for step in range(STEPS):
            try:
                if step % 8 == 7:
                    vault.wrote(int(client.set_secret("s", "the next number").value or ""))
                else:
                    before = vault.done
                    assert int(client.get_secret("s").value or "") >= before
                    found += 1
            except HttpResponseError:
                continue
        return found

    with ThreadPoolExecutor(WORKERS) as pool:
        reads = sum(pool.map(work, range(WORKERS)))
    assert reads > WORKERS * STEPS / 2


async def test_tasks_read_nothing_older_than_a_write_that_was_done() -> None:
    vault = Counting(seed=2)

    async def later(answer: Any, late: float) -> Any:
        await asyncio.sleep(late)
        return answer

    cache = azcert.aio.SecretCachePolicy(RULES)
    transport = AsyncScripted(lambda request: later(*vault.answer(request)))  # type: ignore[arg-type, return-value]
    client = AsyncSecretClient(
        VAULT, AsyncToken(), transport=transport, per_call_policies=[cache], retry_total=0
    )

    async def work() -> int:
        found = 0
        for step in range(STEPS):
            try:
                if step % 8 == 7:
                    vault.wrote(int((await client.set_secret("s", "the next number")).value or ""))
                else:
                    before = vault.done
                    assert int((await client.get_secret("s")).value or "") >= before
                    found += 1
            except HttpResponseError:
                continue
            await asyncio.sleep(0)
        return found

    async with client:
        reads = sum(await asyncio.gather(*(work() for _ in range(WORKERS))))
    assert reads > WORKERS * STEPS / 2
