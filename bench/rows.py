"""The rows of the table: what is measured, how often, and what it is compared with."""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench import node
from bench.redis_server import redis_server
from bench.setting import finish

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.setting import Setting

__all__ = ["Figures", "Row", "measure"]

OURS, THEIRS = "azcert", "official"
_FEW = 3
"""Runs of what takes seconds each."""


@dataclass
class Figures:
    """The runs of one side of a row."""

    runs: list[float] = field(default_factory=list)

    @property
    def least(self) -> float:
        return min(self.runs)

    @property
    def middle(self) -> float:
        return statistics.median(self.runs)


@dataclass
class Row:
    """One line: two sides, what their numbers are, and the aim for their ratio (azcert / the other)."""

    name: str
    unit: str
    ours: Figures
    theirs: Figures
    against: str = "azure-identity"
    aim: float | None = None
    more_is_better: bool = False

    @property
    def ratio(self) -> float:
        return self.ours.middle / self.theirs.middle

    @property
    def met(self) -> bool | None:
        if self.aim is None:
            return None
        return self.ratio >= self.aim if self.more_is_better else self.ratio <= self.aim


def _both(setting: Setting, runs: int, name: str, *arguments: str) -> tuple[Figures, Figures]:
    """Measure both sides in turn, so that whatever else the machine does falls on both."""
    sides = {OURS: Figures(), THEIRS: Figures()}
    for _ in range(runs):
        for library, figures in sides.items():
            figures.runs.append(setting.probe(name, library, *arguments))
    return sides[OURS], sides[THEIRS]


def importing(setting: Setting, runs: int) -> Iterator[Row]:
    """Import, and the first token of a fresh process."""
    _both(setting, 1, "first-token", "with-client")  # compiles, and fills the system's file cache
    yield Row("import of the credential", "s", *_both(setting, runs, "imports"))
    yield Row("first token, fresh process", "s", *_both(setting, runs, "first-token", "alone"), aim=0.6)
    yield Row(
        "first token, SecretClient imported too", "s", *_both(setting, runs, "first-token", "with-client")
    )


def second_process(setting: Setting, runs: int) -> Iterator[Row]:
    """A process that finds the token in the persistent cache, beside the one that asked for it."""
    _both(setting, 1, "kept-token")
    sides = {}
    for library, folder in ((OURS, "tokens"), (THEIRS, ".IdentityService")):
        first, second = Figures(), Figures()
        for _ in range(runs):
            shutil.rmtree(setting.folder / folder, ignore_errors=True)
            first.runs.append(setting.probe("kept-token", library))
            second.runs.append(setting.probe("kept-token", library))
        sides[library] = (first, second)
    (first, second), (_, other) = sides[OURS], sides[THEIRS]
    yield Row("second process, persistent cache", "s", second, other)
    yield Row(
        "second process beside the first", "s", second, first, against="azcert's first process", aim=0.5
    )
    first, second = Figures(), Figures()
    for _ in range(runs):
        shutil.rmtree(setting.folder / "tokens", ignore_errors=True)
        first.runs.append(setting.command())
        second.runs.append(setting.command())
    yield Row("second `azcert token` beside the first", "s", second, first, against="the first one", aim=0.5)


def calling(setting: Setting, runs: int) -> Iterator[Row]:
    """A call that memory answers."""
    for kind, name in (("cached", "sync"), ("cached-aio", "aio")):
        for count in (1, 100, 100_000):
            times = min(runs, _FEW) if count < 1000 else 1
            sides = _both(setting, times, kind, str(count))
            yield Row(f"cached get_token, {name}, {count:,} tokens", "ns", *sides, aim=1 / 20)


def remembering(setting: Setting, _: int) -> Iterator[Row]:
    """Memory per token, the token's own text not counted."""
    yield Row("memory per cached token, beyond its text", "bytes", *_both(setting, 1, "memory", "20000"))


def herds(setting: Setting, runs: int) -> Iterator[Row]:
    """Many callers that start together and want one token."""
    for name, probe in (("100 threads", "herd-threads"), ("100 tasks", "herd-tasks")):
        times, asked = {}, {}
        for library in (OURS, THEIRS):
            times[library], asked[library] = Figures(), Figures()
            for _ in range(runs):
                setting.control(reset=1)
                times[library].runs.append(setting.probe(probe, library, "100"))
                asked[library].runs.append(setting.control()["asked"])
        yield Row(f"herd of {name}: requests", "", asked[OURS], asked[THEIRS])
        yield Row(f"herd of {name}: until all have it", "s", times[OURS], times[THEIRS])


def fleets(setting: Setting, _: int) -> Iterator[Row]:
    """20 processes of 50 threads; azcert's share Redis, azure-identity's have nothing to share."""
    times, asked = {}, {}
    for library in (OURS, THEIRS):
        setting.control(reset=1)
        with redis_server(setting.folder / "redis") as url:
            crowd = [setting.start_probe("fleet", library, "50", url) for _ in range(20)]
            for one in crowd:
                assert one.stdout is not None
                one.stdout.readline()
            began = time.perf_counter()
            for one in crowd:
                assert one.stdin is not None
                one.stdin.write("go\n")
                one.stdin.flush()
            for one in crowd:
                finish(one)
            times[library] = Figures([time.perf_counter() - began])
        asked[library] = Figures([setting.control()["asked"]])
    yield Row("20 processes x 50 threads, Redis: requests", "", asked[OURS], asked[THEIRS])
    yield Row("20 processes x 50 threads, Redis: until all end", "s", times[OURS], times[THEIRS])


def asking(setting: Setting, runs: int) -> Iterator[Row]:
    """Tokens per second when nothing is cached, and what bounds them."""
    setting.control(latency=0)
    runs = min(runs, _FEW)
    try:
        for threads in ("1", "16"):
            many = "1 thread" if threads == "1" else f"{threads} threads"
            ours, theirs, raw = Figures(), Figures(), Figures()
            for _ in range(runs):
                ours.runs.append(setting.probe("uncached", OURS, threads, "1"))
                raw.runs.append(setting.probe("raw-https", threads, "1"))
                theirs.runs.append(setting.probe("uncached", THEIRS, threads, "1"))
            yield Row(f"tokens asked for, {many}", "/s", ours, theirs, more_is_better=True)
            yield Row(
                f"tokens asked for, {many}",
                "/s",
                ours,
                raw,
                against="bare HTTPS requests",
                more_is_better=True,
            )
    finally:
        setting.control(latency=0.02)


def signing(setting: Setting, runs: int) -> Iterator[Row]:
    """The software signer beside OpenSSL's own measure."""
    raw, signed = Figures(), {"RS256": Figures(), "PS256": Figures()}
    for _ in range(min(runs, _FEW)):
        raw.runs.append(_openssl())
        for algorithm, figures in signed.items():
            figures.runs.append(setting.probe("signatures", algorithm, "1"))
    for algorithm, figures in signed.items():
        yield Row(
            f"signatures, software, {algorithm}",
            "/s",
            figures,
            raw,
            against="openssl speed rsa2048",
            aim=0.85,
            more_is_better=True,
        )


def javascript(setting: Setting, runs: int) -> Iterator[Row]:
    """The same jobs done by @azure/identity, where Node is present."""
    if not node.ready():
        return
    runs = min(runs, _FEW)
    jobs = (
        ("first token, fresh process", "s", "first-token", ("first-token", OURS, "alone")),
        ("cached get_token, aio, 1 token", "ns", "cached", ("cached-aio", OURS, "1")),
        ("herd of 100 tasks: until all have it", "s", "herd", ("herd-tasks", OURS, "100")),
    )
    for name, unit, what, ours in jobs:
        theirs, mine, asked = Figures(), Figures(), (Figures(), Figures())
        for _ in range(runs):
            setting.control(reset=1)
            mine.runs.append(setting.probe(*ours))
            asked[0].runs.append(setting.control(reset=1)["asked"])
            theirs.runs.append(node.probe(setting, what))
            asked[1].runs.append(setting.control(reset=1)["asked"])
        if what == "herd":
            yield Row("herd of 100 tasks: requests", "", *asked, against="@azure/identity")
        yield Row(name, unit, mine, theirs, against="@azure/identity")


def _openssl() -> float:
    output = subprocess.run(
        ["openssl", "speed", "-elapsed", "-seconds", "1", "rsa2048"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    found = re.search(r"rsa 2048 bits\s+\S+s\s+\S+s\s+([\d.]+)", output)
    assert found is not None, output
    return float(found[1])


_ALL = (importing, second_process, calling, remembering, herds, fleets, asking, signing, javascript)


def measure(setting: Setting, runs: int, only: str = "") -> Iterator[Row]:
    """Yield the rows as they are measured; *only* picks measurements by name."""
    for measurement in _ALL:
        if only in measurement.__name__:
            yield from measurement(setting, runs)
