"""The examples for systemd and Kubernetes are valid, and azcert takes their command lines."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import yaml

from azcert.cli.rotate import rotate
from support.console import ROOT

UNITS = ROOT / "examples" / "systemd"


def test_systemd_finds_no_fault_in_the_units(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("azcert")
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("/usr/local/bin/azcert", str(command))
        (tmp_path / unit.name.replace("@", "@billing")).write_text(text)
    units = sorted(str(path) for path in tmp_path.iterdir())
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path) not in done.stderr


def test_the_service_s_command_line_is_one_of_azcert() -> None:
    text = (UNITS / "azcert-rotate@.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", text, re.MULTILINE)
    program, command, *arguments = shlex.split(line)
    assert (Path(program).name, command) == ("azcert", "rotate")
    given = {"${SOURCE}": "/etc/billing/app.pem", "${OBJECT_ID}": "19287dbc-37c4-4d74-8da3-84ab7114e76f"}
    parsed = rotate.make_context("rotate", [given.get(each, each) for each in arguments]).params
    assert (parsed["source"], parsed["object_id"], parsed["overlap"]) == (*given.values(), 86400)


def test_the_cron_job_s_command_line_is_one_of_azcert() -> None:
    job = yaml.safe_load((ROOT / "examples" / "kubernetes" / "rotate.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("batch/v1", "CronJob")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (container["command"], container["args"][0]) == (["azcert"], "rotate")
    parsed = rotate.make_context("rotate", container["args"][1:]).params
    mounted = {Path(mount["mountPath"]) for mount in container["volumeMounts"]}
    assert Path(parsed["source"]).parent in mounted
    assert parsed["state_folder"].parent in mounted, "the record outlives the pod"
