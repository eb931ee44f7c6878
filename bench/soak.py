"""Mixed load for minutes, with faults, outages, renewed certificates and a Redis that is killed.

    python -m bench.soak [SECONDS]

Threads, tasks and three kinds of caches ask one endpoint for many tokens that live 60 seconds. The endpoint
breaks connections, throttles, answers 503 and halves, and fails altogether for 20 seconds in every 60; the
certificate's file is replaced every 15 seconds, Redis is killed every 30. The exit code is 1 if any call
failed whose token was still good.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from azcert import AzcertError, CertificateCredential
from azcert.aio import CertificateCredential as AsyncCertificateCredential
from azcert.credential.caches.redis import RedisCache
from azcert.credential.caches.sealed import SealedFileCache
from azcert.credential.sealing.configured import ConfiguredKeys
from bench.redis_server import redis_server
from bench.setting import CLIENT, TENANT, make_certificate, setting

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.setting import Setting

__all__ = ["main"]

_SCOPES = [f"https://soak-{number}.example/.default" for number in range(40)]
_THREADS = 8
_TASKS = 8
_LIFETIME = 60
_MARGIN = 1.0
"""Seconds before its end from which a token need not be handed out."""


@dataclass
class Tally:
    """What the callers saw."""

    calls: int = 0
    without_token: int = 0
    broken: list[str] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    def add(self, other: Tally) -> None:
        self.calls += other.calls
        self.without_token += other.without_token
        self.broken += other.broken
        self.kinds += other.kinds
        self.slowest = max(self.slowest, other.slowest)


class Caller:
    """One thread's or task's view: what it was given last for each scope."""

    def __init__(self, number: int) -> None:
        self.tally = Tally()
        self._choose = random.Random(number)  # noqa: S311 - the same load every time, no secret
        self._ends: dict[str, float] = {}
        self._began = 0.0

    def begin(self) -> str:
        self._began = time.time()
        return self._choose.choice(_SCOPES)

    def got(self, scope: str, token: Any) -> None:
        self._note()
        self._ends[scope] = token.expires_on
        if token.expires_on <= time.time():
            self.tally.broken.append(f"{scope}: a token that had ended was handed out")

    def failed(self, scope: str, error: Exception) -> None:
        self._note()
        self.tally.kinds[getattr(error, "code", type(error).__name__)] += 1
        self.tally.without_token += 1
        left = self._ends.get(scope, 0.0) - time.time()
        if left > _MARGIN:
            self.tally.broken.append(f"{scope}: failed with {left:.1f} s left of its token: {error}")

    def pause(self) -> float:
        return self._choose.uniform(0.0, 0.01)

    def _note(self) -> None:
        self.tally.calls += 1
        self.tally.slowest = max(self.tally.slowest, time.time() - self._began)


def _options(place: Setting) -> dict[str, Any]:
    return {
        "authority": place.authority,
        "disable_instance_discovery": True,
        "connection_verify": place.ca,
        "timeout": 5,
    }


def _threads(place: Setting, caches: list[Any], stop: threading.Event, callers: list[Caller]) -> None:
    def work(caller: Caller, credential: CertificateCredential) -> None:
        while not stop.is_set():
            scope = caller.begin()
            try:
                caller.got(scope, credential.get_token(scope))
            except AzcertError as error:
                caller.failed(scope, error)
            time.sleep(caller.pause())

    with contextlib.ExitStack() as stack:
        credentials = [
            stack.enter_context(
                CertificateCredential(TENANT, CLIENT, place.certificate, cache=cache, **_options(place))
            )
            for cache in caches
        ]
        crowd = [
            threading.Thread(target=work, args=(caller, credentials[number % len(credentials)]))
            for number, caller in enumerate(callers)
        ]
        for one in crowd:
            one.start()
        for one in crowd:
            one.join()


async def _tasks(place: Setting, stop: threading.Event, callers: list[Caller]) -> None:
    async with AsyncCertificateCredential(TENANT, CLIENT, place.certificate, **_options(place)) as credential:

        async def work(caller: Caller) -> None:
            while not stop.is_set():
                scope = caller.begin()
                try:
                    caller.got(scope, await credential.get_token(scope))
                except AzcertError as error:
                    caller.failed(scope, error)
                await asyncio.sleep(caller.pause())

        await asyncio.gather(*(work(caller) for caller in callers))


def _every(seconds: float, action: Callable[[], object], stop: threading.Event) -> threading.Thread:
    def run() -> None:
        while not stop.wait(seconds):
            action()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def _weather(place: Setting, stop: threading.Event) -> None:
    """Twenty seconds of fair weather, twenty of faults, twenty of outage; for ever."""
    while True:
        for share in (0.0, 0.4, 1.0):
            place.control(faults=share)
            if stop.wait(20):
                place.control(faults=0)
                return


def main() -> int:
    """Run and print the figures."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0
    stop = threading.Event()
    callers = [Caller(number) for number in range(_THREADS + _TASKS)]
    renewals = 0

    def renew() -> None:
        nonlocal renewals
        make_certificate(place.folder, "app.pem")
        renewals += 1

    with setting() as place, contextlib.ExitStack() as stack:
        place.control(lifetime=_LIFETIME)
        redis = stack.enter_context(_Flickering(place.folder / "redis"))
        keys = ConfiguredKeys.from_file(place.folder / "cache.key")
        caches = [
            None,
            RedisCache(redis.url, keys),
            SealedFileCache(keys, folder=place.folder / "tokens"),
        ]
        helpers = [
            threading.Thread(target=_weather, args=(place, stop)),
            threading.Thread(target=_threads, args=(place, caches, stop, callers[:_THREADS])),
            threading.Thread(target=lambda: asyncio.run(_tasks(place, stop, callers[_THREADS:]))),
        ]
        for one in helpers:
            one.start()
        helpers += [_every(15, renew, stop), _every(30, redis.flicker, stop)]
        time.sleep(min(10.0, seconds / 10))
        before = _resident()
        began = time.monotonic()
        while (left := seconds - (time.monotonic() - began)) > 0:
            time.sleep(min(left, 30))
            print(
                f"{time.monotonic() - began:5.0f} s  {sum(one.tally.calls for one in callers):,} calls",
                flush=True,
            )
        after = _resident()
        stop.set()
        for one in helpers:
            one.join()
        seen = place.control()
    total = Tally()
    for caller in callers:
        total.add(caller.tally)
    figures = {
        "calls": f"{total.calls:,}",
        "failed while their token was good": str(len(total.broken)),
        "failed without a good token": f"{total.without_token - len(total.broken):,} {dict(total.kinds)}",
        "slowest call": f"{total.slowest:.2f} s",
        "requests at the endpoint": f"{seen['asked']:,}, of which {seen['faulted']:,} were made to fail",
        "certificates renewed / used": f"{renewals} / {seen['certificates']}",
        "Redis killed and started again": str(redis.flickers),
        "memory at start / end": f"{before:.0f} MB / {after:.0f} MB",
    }
    for name, value in figures.items():
        print(f"{name:36}{value}")
    for line in total.broken[:10]:
        print(line)
    return 1 if total.broken else 0


class _Flickering:
    """A Redis that is killed and comes back a moment later."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = contextlib.ExitStack()
        self.url = ""
        self.flickers = 0

    def __enter__(self) -> Self:
        self.url = self._stack.enter_context(redis_server(self._folder))
        return self

    def flicker(self) -> None:
        self._stack.close()
        time.sleep(3)
        self.__enter__()
        self.flickers += 1

    def __exit__(self, *_: object) -> None:
        self._stack.close()


if __name__ == "__main__":
    sys.exit(main())
