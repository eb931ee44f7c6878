"""Secrets that are kept beside secrets that are asked for, and settings files read beside bare parsers.

    python -m bench.settings WHAT SIDE ARGUMENTS

measures one side of a row in a process of its own and prints one line of JSON; `measure` yields the rows.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.rows import Figures, Row
from bench.setting import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.setting import Setting

__all__ = ["measure"]

OURS, THEIRS = "azcert", "raw"
_SECRET = "myTestSecret1"  # noqa: S105 - its name
_SECONDS = 0.5
_KEYS = 1_000


def secrets(setting: Setting, runs: int) -> Iterator[Row]:
    """A secret read by Microsoft's client, with the cache and without; the vault is another process."""
    del setting  # a vault is needed, no token endpoint
    for what, name in (("secret", "sync"), ("secret-aio", "aio")):
        ours, theirs = Figures(), Figures()
        for _ in range(runs):
            ours.runs.append(_probe(what, OURS, emulated=True))
            theirs.runs.append(_probe(what, THEIRS, emulated=True))
        yield Row(f"cached get_secret, {name}", "ns", ours, theirs, against="uncached, on loopback", aim=0.2)


def files(setting: Setting, runs: int) -> Iterator[Row]:
    """Settings of 1,000 keys, with all layers and the origin of each value, and one of them read."""
    path = setting.folder / "appsettings.json"
    document = {
        f"Section{n}": {f"Key{k}": f"value {k} of {n}" for k in range(10)} for n in range(_KEYS // 10)
    }
    path.write_text(json.dumps(document, indent=2))
    ours = Figures([_probe("file", OURS, str(path)) for _ in range(runs)])
    for peer, what in (("yaml", "PyYAML's safe_load, same file"), ("json", "json.load, same file")):
        theirs = Figures([_probe("file", peer, str(path)) for _ in range(runs)])
        yield Row(f"settings of {_KEYS:,} keys, loaded", "ns", ours, theirs, against=what)


def measure(setting: Setting, runs: int, only: str = "") -> Iterator[Row]:
    """Yield the rows as they are measured; *only* picks measurements by name."""
    for measurement in (secrets, files):
        if only in measurement.__name__:
            yield from measurement(setting, runs)


def _probe(*arguments: str, emulated: bool = False) -> float:
    command = [sys.executable, "-m", "bench.settings", *arguments]
    if emulated:
        command = [sys.executable, "-m", "azcert", "emulator", "run", "--", *command]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr}")
    return float(json.loads(done.stdout.splitlines()[-1]))


def _secret(side: str) -> float:
    from azure.keyvault.secrets import SecretClient

    from azcert import DefaultCredential, SecretCachePolicy

    policies = [SecretCachePolicy()] if side == OURS else []
    vault = f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net"
    with (
        DefaultCredential() as credential,
        SecretClient(vault, credential, per_call_policies=policies) as client,
    ):
        client.get_secret(_SECRET)
        return _each(lambda: client.get_secret(_SECRET))


async def _secret_aio(side: str) -> float:
    from azure.keyvault.secrets.aio import SecretClient

    from azcert.aio import DefaultCredential, SecretCachePolicy

    policies = [SecretCachePolicy()] if side == OURS else []
    vault = f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net"
    async with (
        DefaultCredential() as credential,
        SecretClient(vault, credential, per_call_policies=policies) as client,
    ):
        await client.get_secret(_SECRET)
        count, began = 0, time.perf_counter_ns()
        while time.perf_counter_ns() - began < _SECONDS * 1e9:
            await client.get_secret(_SECRET)
            count += 1
        return (time.perf_counter_ns() - began) / count


def _file(side: str, path: str) -> float:
    import yaml

    from azcert.config.reading.load import load_settings

    def ours() -> object:
        return load_settings(path, environ={}).section("Section7").text("Key3")

    def read_json() -> object:
        with Path(path).open(encoding="utf-8") as stream:
            return json.load(stream)["Section7"]["Key3"]

    def read_yaml() -> object:
        with Path(path).open(encoding="utf-8") as stream:
            return yaml.safe_load(stream)["Section7"]["Key3"]

    read = {OURS: ours, "json": read_json, "yaml": read_yaml}[side]
    assert read() == "value 3 of 7"
    return _each(read)


def _each(job: Callable[[], object]) -> float:
    """Return the nanoseconds one run of *job* takes."""
    count, began = 0, time.perf_counter_ns()
    while time.perf_counter_ns() - began < _SECONDS * 1e9:
        job()
        count += 1
    return (time.perf_counter_ns() - began) / count


_PROBES: dict[str, Callable[..., Any]] = {
    "secret": _secret,
    "secret-aio": lambda side: asyncio.run(_secret_aio(side)),
    "file": _file,
}

if __name__ == "__main__":
    print(json.dumps(_PROBES[sys.argv[1]](*sys.argv[2:])))
