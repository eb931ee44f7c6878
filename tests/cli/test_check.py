"""``azcert check``: what a monitoring system reads, by exit code and first line."""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import TYPE_CHECKING

import pytest

from azcert.certificate.issue import self_signed
from azcert.certificate.writers import pem
from support.command import azcert
from support.emulated import rsa_key

if TYPE_CHECKING:
    from pathlib import Path


def key_file(folder: Path, days: int, *, ago: float = 0) -> Path:
    key = rsa_key()
    made = dt.datetime.now(dt.UTC) - dt.timedelta(days=ago)
    certificate = self_signed(key, subject="CN=app|x", alternative_names=(), days=days, now=made)
    path = folder / "app.pem"
    path.write_bytes(pem(key, certificate, password=None))
    path.chmod(0o600)
    return path


@pytest.mark.parametrize(("days", "code", "state"), [(60, 0, "OK"), (20, 1, "WARNING"), (5, 2, "CRITICAL")])
def test_the_days_left_decide(tmp_path: Path, days: int, code: int, state: str) -> None:
    done = azcert("check", key_file(tmp_path, days))
    assert (done.returncode, done.stderr) == (code, "")
    assert re.fullmatch(
        rf"AZCERT {state} - [^|]+ in {days - 1} days \| days_left={days - 1};30:;7:\n", done.stdout
    )


def test_the_lines_are_the_users(tmp_path: Path) -> None:
    file = key_file(tmp_path, 20)
    assert azcert("check", file, "--warn-days", "10").returncode == 0
    assert azcert("check", file, "--warn-days", "30", "--critical-days", "20").returncode == 2


def test_what_has_ended_is_critical(tmp_path: Path) -> None:
    done = azcert("check", key_file(tmp_path, 10, ago=13), "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["state"], told["daysLeft"]) == (2, "CRITICAL", -4)
    assert re.fullmatch("[0-9A-F]{40}", told["thumbprint"])


def test_what_cannot_be_read_is_unknown_in_one_line(tmp_path: Path) -> None:
    open_file = key_file(tmp_path, 60)
    open_file.chmod(0o644)
    for source, word in ((open_file, "chmod 600"), (tmp_path / "none.pem", "no file"), ("store:Nowhere", "")):
        done = azcert("check", source)
        assert done.returncode == 3
        assert done.stdout.startswith("AZCERT UNKNOWN - ")
        assert done.stdout.count("\n") == 1
        assert word in done.stdout


@pytest.mark.parametrize(
    "arguments", [(), ("app.pem", "--warn-days", "soon"), ("app.pem", "--warn-days", "3"), ("--no-such",)]
)
def test_wrong_usage_is_unknown_not_critical(arguments: tuple[str, ...]) -> None:
    assert azcert("check", *arguments).returncode == 3
