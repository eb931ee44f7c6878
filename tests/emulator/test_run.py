"""``azcert emulator``: run, start, env, status, stop and the controls, as a user types them."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from azcert.emulator.environment import exports
from azcert.emulator.ready_made import CLIENT_ID, SECRET_VALUE, TENANT_ID, client_pem
from azcert.emulator.remote import Remote, private_folder
from azcert.errors import AccessError

if TYPE_CHECKING:
    from collections.abc import Iterator

AZCERT = [sys.executable, "-m", "azcert", "emulator"]
DEFAULT_CREDENTIAL = Path(__file__).parent.parent / "sdk" / "programs" / "default_credential.py"

CLIENT = """
import os
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
vault = f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net"
client = SecretClient(vault, DefaultAzureCredential(), retry_total=0)
"""
WRITE = (
    CLIENT
    + """
number = FIRST
while True:
    client.set_secret(f"n{number}", str(number))
    print(number, flush=True)
    number += 1
"""
)
READ = (
    CLIENT
    + """
names = {each.name for each in client.list_properties_of_secrets()}
print(sorted(number for number in range(COUNT) if f"n{number}" not in names))
"""
)


def azcert(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*AZCERT, *arguments],
        env={**os.environ, **changes},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def python(code: str, *options: str, **changes: str) -> subprocess.CompletedProcess[str]:
    return azcert("run", *options, "--", sys.executable, "-c", code, **changes)


@contextmanager
def started(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [*AZCERT, "start", "--folder", str(folder), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        first = process.stdout.readline()
        assert first.startswith("http://127.0.0.1:"), process.stderr and process.stderr.read()
        yield process
    finally:
        process.kill()
        process.communicate()


# run


def test_the_command_s_exit_code_and_output_are_run_s_own() -> None:
    done = python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(41)")
    assert (done.returncode, done.stdout, done.stderr) == (41, "out\n", "err\n")


def test_a_command_that_is_killed_is_reported_as_shells_do() -> None:
    assert (
        python("import os, signal; os.kill(os.getpid(), signal.SIGKILL)").returncode == 128 + signal.SIGKILL
    )


def test_a_command_that_is_not_there_or_cannot_be_executed(tmp_path: Path) -> None:
    missing = azcert("run", "--", "no-such-command-anywhere")
    assert missing.returncode == 127
    assert "'no-such-command-anywhere' was not found" in missing.stderr
    plain = tmp_path / "plain"
    plain.write_text("")
    assert azcert("run", "--", str(plain)).returncode == 126


def test_arguments_reach_the_command_untouched() -> None:
    done = azcert(
        "run", "--", sys.executable, "-c", "import sys; print(sys.argv[1:])", "--port", "-x", "a b", "$HOME"
    )
    assert done.stdout == "['--port', '-x', 'a b', '$HOME']\n"


def test_the_command_s_environment_leads_to_the_emulator_and_nowhere_else() -> None:
    code = "import os, json; print(json.dumps(dict(os.environ)))"
    done = python(
        code,
        AZURE_CLIENT_SECRET="x",
        AZURE_AUTHORITY_HOST="example.com",
        NO_PROXY="*",
        OTHER="kept",
        ALL_PROXY="a",
    )
    found = json.loads(done.stdout)
    assert found["AZURE_TENANT_ID"] == TENANT_ID
    assert found["AZURE_CLIENT_ID"] == CLIENT_ID
    assert found["KEY_VAULT_NAME"] == "kv-demo"
    assert found["OTHER"] == "kept"
    assert found["HTTPS_PROXY"] == found["https_proxy"]
    assert found["NO_PROXY"] == "localhost,127.0.0.1,::1"
    assert not {"AZURE_CLIENT_SECRET", "AZURE_AUTHORITY_HOST", "ALL_PROXY"} & set(found)


def test_private_files_are_private_and_gone_afterwards() -> None:
    code = (
        "import os; p = os.environ['AZURE_CLIENT_CERTIFICATE_PATH'];"
        "f = os.path.dirname(p); print(p);"
        "print(*(oct(os.stat(x).st_mode)[-3:] for x in (p, f, f + '/emulator.json')))"
    )
    path, modes = python(code).stdout.splitlines()
    assert modes == "600 700 600"
    assert not Path(path).parent.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_are_passed_on_and_the_end_is_clean(number: signal.Signals, tmp_path: Path) -> None:
    code = (
        "import signal, sys, os, time\n"
        f"signal.signal({int(number)}, lambda *_: sys.exit(7))\n"
        "print(os.path.dirname(os.environ['AZURE_CLIENT_CERTIFICATE_PATH']), flush=True)\n"
        "signal.pause()\n"
    )
    process = subprocess.Popen(
        [*AZCERT, "run", "--", sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    folder = Path(process.stdout.readline().strip())
    assert folder.is_dir()
    process.send_signal(number)
    _, talk = process.communicate(timeout=20)
    assert (process.returncode, talk) == (7, "")
    assert not folder.exists()


def test_a_certificate_of_one_s_own_signs_in(tmp_path: Path) -> None:
    mine = tmp_path / "mine.pem"
    mine.write_bytes(client_pem("mine"))
    mine.chmod(0o600)
    done = azcert("run", "--certificate", str(mine), "--", sys.executable, str(DEFAULT_CREDENTIAL))
    assert done.stdout == f"value: {SECRET_VALUE}\n", done.stderr
    shown = azcert("run", "--certificate", str(mine), "--", "printenv", "AZURE_CLIENT_CERTIFICATE_PATH")
    assert shown.stdout.strip() == str(mine)


def test_wrong_options_are_usage_errors_and_wrong_files_are_told(tmp_path: Path) -> None:
    assert azcert("run").returncode == 2
    assert azcert("run", "--clock", "tomorrow", "--", "true").returncode == 2
    assert azcert("run", "--latency", "soon", "--", "true").returncode == 2
    seed = tmp_path / "seed.yaml"
    seed.write_text("tenants: []")
    done = azcert("run", "--seed", str(seed), "--", "true")
    assert done.returncode == 1
    assert "seed.yaml" in done.stderr
    assert "Traceback" not in done.stderr


def test_start_up_is_quick() -> None:
    started_at = time.monotonic()
    assert azcert("run", "--", "true").returncode == 0
    seconds = time.monotonic() - started_at
    print(f"azcert emulator run -- true: {seconds:.2f} s")  # noqa: T201 - a figure for people
    assert seconds < 10


# start, env, status, stop


def test_env_makes_a_shell_s_programs_use_the_running_one(tmp_path: Path) -> None:
    with started(tmp_path):
        printed = azcert("env", "--shell", "sh", "--folder", str(tmp_path)).stdout
        done = subprocess.run(
            ["sh", "-c", f"{printed}\n{sys.executable} {DEFAULT_CREDENTIAL}"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == f"value: {SECRET_VALUE}\n", done.stderr


@pytest.mark.parametrize("value", ["plain", "a b", "it's", 'q"q', "back\\slash", "$HOME`x`", "", "a\nb"])
def test_exports_survive_the_shell(value: str) -> None:
    text = exports({"SHOWN": value, "GONE": None}, "sh")
    done = subprocess.run(
        ["sh", "-c", f'{text}\nprintf %s "$SHOWN"; printf "|%s" "${{GONE-unset}}"'],
        env={"GONE": "x"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{value}|unset"


def test_exports_of_other_shells() -> None:
    changes = {"A": "it's", "B": None}
    assert exports(changes, "fish") == "set -gx A 'it\\'s'\nset -e B"
    assert exports(changes, "powershell") == "$Env:A = 'it''s'\nRemove-Item Env:B -ErrorAction Ignore"
    assert json.loads(exports(changes, "json")) == changes


def test_stop_ends_it_cleanly(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        assert azcert("status", AZCERT_EMULATOR=str(tmp_path)).returncode == 0
        assert azcert("stop", AZCERT_EMULATOR=str(tmp_path)).returncode == 0
        assert process.wait(timeout=10) == 0
    assert list(tmp_path.iterdir()) == []
    after = azcert("status", AZCERT_EMULATOR=str(tmp_path))
    assert after.returncode == 1
    assert "azcert emulator start" in after.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(number: signal.Signals, tmp_path: Path) -> None:
    with started(tmp_path) as process:
        process.send_signal(number)
        assert process.wait(timeout=10) == 0
        assert process.stderr
        assert "Traceback" not in process.stderr.read()
    assert list(tmp_path.iterdir()) == []


def test_a_second_one_in_the_same_folder_is_refused_but_a_dead_one_is_replaced(tmp_path: Path) -> None:
    with started(tmp_path) as process:
        second = azcert("start", "--folder", str(tmp_path))
        assert second.returncode == 1
        assert "runs already" in second.stderr
        process.kill()
        process.wait()
        with started(tmp_path):
            assert Remote(tmp_path).is_alive()


def test_controls_steer_the_running_one(tmp_path: Path) -> None:
    def steer(*arguments: str) -> str:
        done = azcert(*arguments, AZCERT_EMULATOR=str(tmp_path))
        assert done.returncode == 0, done.stderr
        return done.stdout

    with started(tmp_path, "--clock", "2030-01-31T12:00:00Z", "--delay-deletion", "2m"):
        assert steer("clock").startswith("2030-01-31T12:0")
        assert steer("clock", "+1d").startswith("2030-02-01T12:0")
        reset, unmoved = (steer("clock", *how).strip() for how in (["--reset"], ["--", "+0"]))
        passed = dt.datetime.fromisoformat(unmoved) - dt.datetime.fromisoformat(reset)
        assert dt.timedelta(0) <= passed < dt.timedelta(minutes=1)
        assert "deletion: 120 s" in steer("delay")
        assert "propagation: 30 s" in steer("delay", "propagation", "30s")
        steer("fault", "answer", "--status", "429", "--header", "Retry-After:2", "--body", '{"a": 1}')
        (waiting,) = json.loads(steer("fault", "list"))
        assert (waiting["status"], waiting["headers"], waiting["body"]) == (
            429,
            {"Retry-After": "2"},
            {"a": 1},
        )
        steer("fault", "clear")
        status: dict[str, Any] = json.loads(steer("status", "--json"))
        assert status["faults"] == []
        assert status["vaults"] == ["kv-demo"]
        assert "kv-demo" in steer("status")
        assert azcert("delay", "propagation", AZCERT_EMULATOR=str(tmp_path)).returncode == 2


def test_the_record_tells_what_was_sent_without_secrets(tmp_path: Path) -> None:
    with started(tmp_path):
        shell = f"{azcert('env', '--shell', 'sh', '--folder', str(tmp_path)).stdout}\n{sys.executable} "
        subprocess.run(["sh", "-c", shell + str(DEFAULT_CREDENTIAL)], check=True, stdout=subprocess.DEVNULL)
        text = azcert("record", "--folder", str(tmp_path)).stdout
    found = json.loads(text)
    assert [entry["status"] for entry in found["requests"]] == [401, 200, 200, 200]
    (token,) = found["record"]
    assert token["assertion"]["claims"]["iss"] == CLIENT_ID
    assert "eyJ" not in text
    assert SECRET_VALUE not in text


def test_control_without_the_secret_is_refused(tmp_path: Path) -> None:
    with started(tmp_path):
        file = tmp_path / "emulator.json"
        content = json.loads(file.read_text())
        file.write_text(json.dumps({**content, "secret": "guessed"}))
        done = azcert("stop", "--folder", str(tmp_path))
    assert done.returncode == 1
    assert "secret is missing or wrong" in done.stderr


def test_a_folder_that_others_can_write_is_refused(tmp_path: Path) -> None:
    open_folder = tmp_path / "open"
    open_folder.mkdir()
    open_folder.chmod(0o777)
    with pytest.raises(AccessError, match="this user alone"):
        private_folder(open_folder)


# state


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    count = 0
    for _ in range(3):
        with started(tmp_path / "run", "--state", str(state)) as process:
            environment = {
                name: value for name, value in Remote(tmp_path / "run").environment.items() if value
            }
            writer = subprocess.Popen(
                [sys.executable, "-c", WRITE.replace("FIRST", str(count))],
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )
            assert writer.stdout
            for _ in range(10):
                writer.stdout.readline()
            process.send_signal(signal.SIGKILL)
            process.wait()
            rest = writer.communicate(timeout=60)[0].split()
            count += 10 + len(rest)
    assert state.stat().st_mode & 0o777 == 0o600
    done = python(READ.replace("COUNT", str(count)), "--state", str(state))
    assert count >= 30
    assert done.stdout == "[]\n", done.stderr


def test_the_ca_and_the_client_s_certificate_stay_the_same_with_state(tmp_path: Path) -> None:
    names = ("SSL_CERT_FILE", "AZURE_CLIENT_CERTIFICATE_PATH")
    code = f"import os; print(*(open(os.environ[name]).read() for name in {names}))"
    state = str(tmp_path / "state.db")
    assert python(code, "--state", state).stdout == python(code, "--state", state).stdout
    assert python(code).stdout != python(code).stdout


def test_a_state_in_use_or_damaged_is_told(tmp_path: Path) -> None:
    state = tmp_path / "state.db"
    with started(tmp_path / "run", "--state", str(state)):
        busy = azcert("run", "--state", str(state), "--", "true")
        assert busy.returncode == 1
        assert "Another emulator uses it" in busy.stderr
    for side in tmp_path.glob("state.db*"):
        side.unlink()
    state.write_bytes(b"this is no database, though it is long enough to be one" * 20)
    damaged = azcert("run", "--state", str(state), "--", "true")
    assert damaged.returncode == 1
    assert str(state) in damaged.stderr
    assert shutil.which("true")
