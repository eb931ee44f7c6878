"""``azcert emulator``: Entra ID and Key Vault on this machine, under their real names."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from azcert.cli.emulator_control import CONTROLS, folder_option, running_emulator
from azcert.cli.output import data, talk
from azcert.cli.values import DURATION, MOMENT, Moment

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from azcert.emulator.remote import Remote
    from azcert.emulator.session import Options

__all__ = ["emulator"]

NOT_FOUND = 127
NOT_EXECUTABLE = 126
BY_SIGNAL = 128

_file = click.Path(dir_okay=False, path_type=Path)
_existing = click.Path(exists=True, dir_okay=False, path_type=Path)

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--seed", type=_existing, help="Tenants, apps and vaults from a JSON or YAML file."),
    click.option("--state", type=_file, help="Keep what happens in this file; only a new one is seeded."),
    click.option(
        "--certificate",
        type=_existing,
        help="Register this certificate, with its key, on the first app, instead of a fresh one; its "
        "password, if any, is in AZURE_CLIENT_CERTIFICATE_PASSWORD.",
    ),
    click.option(
        "--port", type=click.IntRange(0, 65535), default=0, help="The proxy's port; a free one by default."
    ),
    click.option("--clock", type=MOMENT, help="What time it shall be: 2030-01-31T12:00:00Z, +30d, -1h."),
    click.option(
        "--delay-propagation", type=DURATION, default=0.0, help="A new certificate or role works after this."
    ),
    click.option(
        "--delay-deletion", type=DURATION, default=0.0, help="Deleted objects appear as such after this."
    ),
    click.option(
        "--delay-recovery", type=DURATION, default=0.0, help="Recovered objects are live after this."
    ),
    click.option(
        "--delay-issuance", type=DURATION, default=0.0, help="A vault's new certificate is ready after this."
    ),
    click.option("--latency", type=DURATION, default=0.0, help="Every answer takes this long."),
    click.option(
        "--managed-identity",
        type=click.Choice(["imds", "app-service"]),
        help="Put clients on a virtual machine or in App Service, with the first app's identity, no key.",
    ),
    click.option(
        "--passthrough", is_flag=True, help="Tunnel other hosts to the real network, do not refuse them."
    ),
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group()
def emulator() -> None:
    """Stand in for Entra ID and Key Vault on this machine, under their real names.

    Programs need no change: they reach login.microsoftonline.com and NAME.vault.azure.net through an HTTPS
    proxy on loopback, which proves itself with a CA of its own.

    Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.
    """


@emulator.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@_options
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def run(command: tuple[str, ...], **given: Any) -> int:
    """Run COMMAND against an emulator of its own, which ends with it.

    Exit codes: the command's own; 126 it cannot be executed, 127 it was not found, 128 + N it was killed by
    signal N; 1 the emulator did not start, 2 wrong usage.

    \b
    Examples:
      azcert emulator run -- python examples/environment.py
      azcert emulator run --certificate my-app.pem -- azcert secret get myTestSecret1
      azcert emulator run --delay-propagation 30s --latency 0.02 -- pytest tests
    """
    from azcert.emulator.environment import applied
    from azcert.emulator.session import session

    with (
        tempfile.TemporaryDirectory(prefix="azcert-emulator-") as folder,
        session(Path(folder), _asked(given)) as running,
    ):
        return _run(command, applied(os.environ, running.environment))


@emulator.command()
@_options
@folder_option
def start(folder: Path | None, **given: Any) -> None:
    """Keep an emulator running until it is stopped (Ctrl+C, SIGTERM, or azcert emulator stop).

    Once clients can connect, its address is printed. In another shell, eval "$(azcert emulator env)" makes
    every program there use it.

    Exit codes: 0 stopped, 1 it did not start, 2 wrong usage.

    \b
    Examples:
      azcert emulator start &
      azcert emulator start --port 8443 --state emulator.db
      azcert emulator start --seed contoso.yaml --clock +364d
    """
    from azcert.emulator.remote import Remote, default_folder, private_folder
    from azcert.emulator.session import session
    from azcert.errors import EmulatorError

    place = private_folder((folder or default_folder()).absolute())
    _no_other(place, Remote, EmulatorError)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with session(place, _asked(given)) as running:
            data(running.emulator.proxy_url)
            sys.stdout.flush()
            talk(f"The emulator runs; its files are in {place}. Stop it with Ctrl+C or azcert emulator stop.")
            running.emulator.wait()
    except KeyboardInterrupt:
        pass
    talk("The emulator has stopped.")


@emulator.command()
@click.option(
    "--shell",
    type=click.Choice(["sh", "fish", "powershell", "json"]),
    help="Whose commands to print; by default those of $SHELL.",
)
@folder_option
def env(shell: str | None, folder: Path | None) -> None:
    """Print the commands that make a shell's programs use the running emulator.

    Exit codes: 0 printed, 1 none runs.

    \b
    Examples:
      eval "$(azcert emulator env)"
      azcert emulator env --shell fish | source
      azcert emulator env --shell powershell | Invoke-Expression
    """
    from azcert.emulator.environment import exports

    remote = running_emulator(folder)
    remote.call("GET", "/status")
    name = shell or ("fish" if Path(os.environ.get("SHELL", "")).name == "fish" else "sh")
    data(exports(remote.environment, name))


@emulator.command("seed-schema")
def seed_schema() -> None:
    """Print the JSON Schema of a seed file, for editors and checks.

    Exit codes: 0 always.

    \b
    Example:
      azcert emulator seed-schema > azcert-seed.schema.json
    """
    from azcert.emulator.seed_schema import SCHEMA

    data(SCHEMA, as_json=True)


for _control in CONTROLS:
    emulator.add_command(_control)


def _asked(given: dict[str, Any]) -> Options:
    from azcert._redact import Secret
    from azcert.emulator.session import Options
    from azcert.emulator.world import Delays

    moment: Moment | None = given["clock"]
    password = os.environ.get("AZURE_CLIENT_CERTIFICATE_PASSWORD")
    return Options(
        seed=given["seed"],
        state=given["state"],
        certificate=given["certificate"],
        password=Secret(password) if password else None,
        port=given["port"],
        clock=moment.resolved(time.time()) if moment else None,
        delays=Delays(
            propagation=given["delay_propagation"],
            deletion=given["delay_deletion"],
            recovery=given["delay_recovery"],
            issuance=given["delay_issuance"],
            latency=given["latency"],
        ),
        passthrough=given["passthrough"],
        managed_identity=given["managed_identity"],
    )


def _run(command: tuple[str, ...], environment: dict[str, str]) -> int:
    program = shutil.which(command[0], path=environment.get("PATH"))
    if program is None:
        found = Path(command[0]).exists()
        reason = "is no program that can be executed" if found else "was not found"
        talk(f"azcert: the command {command[0]!r} {reason}.")
        return NOT_EXECUTABLE if found else NOT_FOUND
    process = subprocess.Popen([program, *command[1:]], env=environment)  # noqa: S603 - what this command is for
    forwarded = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]

    def forward(number: int, _: FrameType | None) -> None:
        process.send_signal(number)

    for each in forwarded:
        signal.signal(each, forward)
    # A terminal sends Ctrl+C to the command as well; from anywhere else it comes to this process alone.
    signal.signal(signal.SIGINT, signal.SIG_IGN if sys.stdin.isatty() else forward)
    code = process.wait()
    return code if code >= 0 else BY_SIGNAL - code


def _no_other(folder: Path, remote: type[Remote], error: type[Exception]) -> None:
    try:
        running = remote(folder)
    except error:
        return
    if running.is_alive():
        raise click.ClickException(
            f"An emulator runs already at {running.proxy_url}. Stop it, or name another --folder."
        )


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
