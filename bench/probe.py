"""One measurement in a process of its own; prints one line of JSON.

    python -m bench.probe AUTHORITY FOLDER NAME [ARGUMENTS]

``azcert`` and ``official`` (azure-identity) are measured by the same code: the two credentials take the same
arguments. Nothing but the standard library is imported before the clock runs.
"""

from __future__ import annotations

import gc
import importlib
import json
import random
import sys
import threading
import time
from pathlib import Path
from typing import Any

__all__ = ["main"]

TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
CLIENT = "11111111-2222-3333-4444-555555555555"
SCOPE = "https://vault.azure.net/.default"
_MODULES = {"azcert": "azcert", "official": "azure.identity"}
_CALLING = 700_000_000
_ENOUGH = 2_000_000
"""Nanoseconds that calls are repeated for, and that a batch must take to count."""


class Place:
    """The endpoint and the certificate, for making credentials."""

    def __init__(self, authority: str, folder: str) -> None:
        self.authority = authority
        self.folder = Path(folder)

    def options(self) -> dict[str, Any]:
        return {
            "authority": self.authority,
            "disable_instance_discovery": True,
            "connection_verify": str(self.folder / "ca.pem"),
        }

    def make(self, library: str, *, aio: bool = False, **more: Any) -> Any:
        """Import a library's credential and make one."""
        module = importlib.import_module(_MODULES[library] + (".aio" if aio else ""))
        certificate = str(self.folder / "app.pem")
        return module.CertificateCredential(TENANT, CLIENT, certificate, **self.options(), **more)


def imports(_: Place, library: str) -> object:
    """Seconds until the credential's class is there."""
    began = time.perf_counter()
    assert importlib.import_module(_MODULES[library]).CertificateCredential
    return time.perf_counter() - began


def first_token(place: Place, library: str, client: str) -> object:
    """Seconds from the first import to the first token."""
    began = time.perf_counter()
    if client == "with-client":
        from azure.keyvault.secrets import SecretClient  # noqa: F401 - as programs do that use the token
    place.make(library).get_token(SCOPE)
    return time.perf_counter() - began


def kept_token(place: Place, library: str) -> object:
    """The same with a persistent cache, which another process may have filled."""
    began = time.perf_counter()
    if library == "azcert":
        place.make(library, cache=f"file:{place.folder / 'tokens'}").get_token(SCOPE)
    else:
        from azure.identity import TokenCachePersistenceOptions

        options = TokenCachePersistenceOptions(name="bench.cache", allow_unencrypted_storage=True)
        place.make(library, cache_persistence_options=options).get_token(SCOPE)
    return time.perf_counter() - began


def _scopes(count: int) -> list[str]:
    return [f"https://vault-{number:06d}.example/.default" for number in range(count)]


def _text(number: int) -> str:
    return f"{number:09d}.".ljust(1600, "x")


class _Ready:
    """A token cache that has every token, to fill a credential's memory without asking for each."""

    shared = False

    def __init__(self) -> None:
        self._count = 0

    def get(self, _: object) -> object:
        from azcert._redact import Secret
        from azcert.credential.caches.entry import StoredToken

        self._count += 1
        now = int(time.time())
        return StoredToken(Secret(_text(self._count)), now + 3600, now + 3000)

    def put(self, _: object, __: object) -> None:
        raise AssertionError("nothing is asked for")

    remove = lease = put

    def close(self) -> None:
        """Nothing is open."""


def _filled(place: Place, library: str, count: int, *, aio: bool = False) -> Any:
    """Return a credential that can have *count* tokens in memory without asking for each."""
    if count == 1:
        return place.make(library, aio=aio)
    if library == "azcert":
        return place.make(library, aio=aio, cache=_Ready())
    cache = importlib.import_module("msal").TokenCache()
    for number, scope in enumerate(_scopes(count)):
        cache.add(
            {
                "client_id": CLIENT,
                "scope": [scope],
                "token_endpoint": f"{place.authority}/{TENANT}/oauth2/v2.0/token",
                "environment": "localhost",
                "response": {"access_token": _text(number), "expires_in": 3600, "token_type": "Bearer"},
            }
        )
    return place.make(library, aio=aio, **{"cache" if aio else "_cache": cache})


def _order(count: int) -> list[str]:
    """Return the scopes to ask for, in an order that no processor cache foresees."""
    scopes = _scopes(count)
    choose = random.Random(1)  # noqa: S311 - the same order every time, no secret
    return [scopes[choose.randrange(count)] for _ in range(20_000)]


def cached(place: Place, library: str, count: str) -> object:
    """Nanoseconds of one ``get_token`` that memory answers."""
    get_token = _filled(place, library, int(count)).get_token
    for scope in _scopes(int(count)) if library == "azcert" else _scopes(1):
        get_token(scope)
    meter = _Meter(int(count))
    while batch := meter.next():
        for scope in batch:
            get_token(scope)
    return meter.nanoseconds


def cached_aio(place: Place, library: str, count: str) -> object:
    """The same with the asynchronous credential, awaited."""

    async def run() -> float:
        async with _filled(place, library, int(count), aio=True) as credential:
            get_token = credential.get_token
            for scope in _scopes(int(count)) if library == "azcert" else _scopes(1):
                await get_token(scope)
            meter = _Meter(int(count))
            while batch := meter.next():
                for scope in batch:
                    await get_token(scope)
            return meter.nanoseconds

    import asyncio

    return asyncio.run(run())


class _Meter:
    """Gives batches that grow until one takes long enough to be measured; remembers the best batch."""

    def __init__(self, count: int) -> None:
        self._order = _order(count)
        self._size = 1
        self._began = 0
        self._stop = time.perf_counter_ns() + _CALLING
        self.nanoseconds = float("inf")
        gc.collect()

    def next(self) -> list[str]:
        now = time.perf_counter_ns()
        if self._began:
            spent = now - self._began
            if spent > _ENOUGH:
                self.nanoseconds = min(self.nanoseconds, spent / self._size)
            elif self._size < len(self._order):
                self._size = min(self._size * 4, len(self._order))
        if now > self._stop and self.nanoseconds < float("inf"):
            return []
        self._began = time.perf_counter_ns()
        return self._order[: self._size]


def memory(place: Place, library: str, count: str) -> object:
    """Bytes per token beyond the token's own text."""
    number = int(count)
    place.make(library).get_token(SCOPE)
    before = _resident()
    credential = _filled(place, library, number)
    for scope in _scopes(number) if library == "azcert" else _scopes(1):
        credential.get_token(scope)
    return (_resident() - before) / number - len(_text(0))


def _resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


def herd_threads(place: Place, library: str, threads: str) -> object:
    """Seconds until all of *threads*, started together, have the one token they want."""
    credential = place.make(library)
    return _herd(credential, int(threads))


def _herd(credential: Any, threads: int) -> float:
    start = threading.Barrier(threads + 1)
    errors: list[BaseException] = []

    def ask() -> None:
        start.wait()
        try:
            credential.get_token(SCOPE)
        except BaseException as error:
            errors.append(error)
            raise

    crowd = [threading.Thread(target=ask) for _ in range(threads)]
    for one in crowd:
        one.start()
    start.wait()
    began = time.perf_counter()
    for one in crowd:
        one.join()
    assert not errors
    return time.perf_counter() - began


def herd_tasks(place: Place, library: str, tasks: str) -> object:
    """The same with tasks of one event loop."""
    import asyncio

    async def run() -> float:
        async with place.make(library, aio=True) as credential:
            began = time.perf_counter()
            await asyncio.gather(*(credential.get_token(SCOPE) for _ in range(int(tasks))))
            return time.perf_counter() - began

    return asyncio.run(run())


def fleet(place: Place, library: str, threads: str, cache: str) -> object:
    """One process of a fleet: says it is ready, waits for a line, then asks with all its threads."""
    more: dict[str, Any] = {"cache": cache} if library == "azcert" else {}
    credential = place.make(library, **more)
    print("ready", flush=True)
    sys.stdin.readline()
    return _herd(credential, int(threads))


def uncached(place: Place, library: str, threads: str, seconds: str) -> object:
    """Tokens per second when each call wants another one."""
    credential = place.make(library)
    credential.get_token(SCOPE)
    return _rate(lambda number: credential.get_token(f"https://uncached-{number}/.default"), threads, seconds)


def raw_https(place: Place, threads: str, seconds: str) -> object:
    """Requests per second of the same endpoint with one requests.Session and a body of the same size."""
    import requests

    session = requests.Session()
    ca = str(place.folder / "ca.pem")
    session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=int(threads)))
    body = {"client_assertion": "x" * 900, "scope": SCOPE}
    url = f"{place.authority}/{TENANT}/oauth2/v2.0/token"
    return _rate(lambda _: session.post(url, data=body, timeout=10, verify=ca).json(), threads, seconds)


def _rate(work: Any, threads: str, seconds: str) -> float:
    stop = time.perf_counter() + float(seconds)
    done = [0] * int(threads)

    def run(place: int) -> None:
        while time.perf_counter() < stop:
            work(f"{place}-{done[place]}")
            done[place] += 1

    began = time.perf_counter()
    crowd = [threading.Thread(target=run, args=(number,)) for number in range(int(threads))]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    return sum(done) / (time.perf_counter() - began)


def signatures(place: Place, algorithm: str, seconds: str) -> object:
    """Signatures per second of the software signer, one thread."""
    from azcert.certificate.signer import Algorithm
    from azcert.sources.open import open_source

    signer = open_source(str(place.folder / "app.pem")).load().signer
    kind, data = Algorithm(algorithm), b"x" * 600
    return _rate(lambda _: signer.sign(data, kind), "1", seconds)


PROBES: dict[str, Any] = {
    "cached": cached,
    "cached-aio": cached_aio,
    "first-token": first_token,
    "fleet": fleet,
    "herd-tasks": herd_tasks,
    "herd-threads": herd_threads,
    "imports": imports,
    "kept-token": kept_token,
    "memory": memory,
    "raw-https": raw_https,
    "signatures": signatures,
    "uncached": uncached,
}


def main() -> None:
    """Run the probe that is named."""
    authority, folder, name, *arguments = sys.argv[1:]
    print(json.dumps(PROBES[name](Place(authority, folder), *arguments)), flush=True)


if __name__ == "__main__":
    main()
