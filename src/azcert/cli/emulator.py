"""``azcert emulator``: Entra ID and Key Vault on this machine, under their real names."""

from __future__ import annotations

import json
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

from azcert.cli.emulator_values import DURATION, MOMENT, Moment
from azcert.cli.output import data, json_option, talk

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from azcert.emulator.remote import Remote
    from azcert.emulator.session import Options

__all__ = ["emulator"]

NOT_FOUND = 127
NOT_EXECUTABLE = 126
BY_SIGNAL = 128
DELAYS = ("propagation", "deletion", "recovery", "issuance", "sign_in", "latency")
ACTIONS = ("answer", "delay", "truncate", "close", "reset", "hang", "unreachable", "untrusted")

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

_folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Runtime folder of the emulator; by default one per user, or AZCERT_EMULATOR.",
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
@_folder_option
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
@_folder_option
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

    remote = _remote(folder)
    remote.call("GET", "/status")
    name = shell or ("fish" if Path(os.environ.get("SHELL", "")).name == "fish" else "sh")
    data(exports(remote.environment, name))


@emulator.command()
@json_option
@_folder_option
def status(folder: Path | None, *, as_json: bool) -> None:
    """Print what the running emulator knows: clock, delays, faults, tenants, apps, vaults.

    Exit codes: 0 it runs, 1 none runs.

    \b
    Examples:
      azcert emulator status
      azcert emulator status --json
    """
    remote = _remote(folder)
    found = remote.call("GET", "/status")
    if as_json:
        data({"proxy": remote.proxy_url, **found}, as_json=True)
        return
    apps = [f"{app['name']} ({app['clientId']})" for app in found["apps"]]
    for name, value in (
        ("proxy", remote.proxy_url),
        ("clock", found["clock"]["now"]),
        ("delays", ", ".join(f"{key} {value:g} s" for key, value in found["delays"].items())),
        ("faults", str(len(found["faults"]))),
        ("requests", str(found["requests"])),
        ("tenants", ", ".join(found["tenants"])),
        ("apps", ", ".join(apps)),
        ("vaults", ", ".join(found["vaults"])),
    ):
        data(f"{name + ':':<10}{value}".rstrip())


@emulator.command()
@_folder_option
def stop(folder: Path | None) -> None:
    """Stop the running emulator.

    Exit codes: 0 stopped, 1 none runs.

    \b
    Example:
      azcert emulator stop
    """
    _remote(folder).stop()


@emulator.command()
@click.argument("moment", type=MOMENT, required=False)
@click.option("--reset", is_flag=True, help="Go back to the machine's time.")
@_folder_option
def clock(moment: Moment | None, folder: Path | None, *, reset: bool) -> None:
    """Print the running emulator's time, or set it to MOMENT, from where it goes on.

    MOMENT is ISO 8601, or a duration from now with its sign. TLS certificates keep the machine's time.

    Exit codes: 0 done, 1 none runs, 2 wrong usage.

    \b
    Examples:
      azcert emulator clock
      azcert emulator clock 2030-01-31T12:00:00Z
      azcert emulator clock -- -1h
    """
    body: dict[str, Any] = {"reset": reset}
    if moment is not None:
        body |= {"advance": moment.advance} | ({"set": moment.set} if moment.set else {})
    data(_remote(folder).call("POST", "/clock", body)["now"])


@emulator.command()
@click.argument("name", type=click.Choice(DELAYS), required=False)
@click.argument("duration", type=DURATION, required=False)
@_folder_option
def delay(name: str | None, duration: float | None, folder: Path | None) -> None:
    """Print the running emulator's delays, or set the one called NAME to DURATION.

    Exit codes: 0 done, 1 none runs, 2 wrong usage.

    \b
    Examples:
      azcert emulator delay
      azcert emulator delay propagation 30s
      azcert emulator delay latency 0
    """
    if name is not None and duration is None:
        raise click.UsageError("Give the duration too: azcert emulator delay propagation 30s.")
    for key, value in _remote(folder).call("POST", "/delays", {name: duration} if name else {}).items():
        data(f"{key}: {value:g} s")


@emulator.command()
@click.argument("action", type=click.Choice([*ACTIONS, "clear", "list"]))
@click.option("--host", default="*", show_default=True, help="Which hosts: login.*, *.vault.azure.net.")
@click.option("--path", default="*", show_default=True, help="Which paths: */oauth2/v2.0/token.")
@click.option("--method", default="*", show_default=True, help="Which HTTP method.")
@click.option("--times", type=click.IntRange(0), default=1, show_default=True, help="How often; 0 for ever.")
@click.option("--skip", type=click.IntRange(0), default=0, show_default=True, help="Let so many pass first.")
@click.option("--seconds", type=DURATION, default=0.0, help="For delay, and for an answer: how late.")
@click.option(
    "--status", type=click.IntRange(200, 599), default=503, show_default=True, help="For an answer."
)
@click.option("--header", "headers", multiple=True, metavar="NAME:VALUE", help="For an answer; repeatable.")
@click.option("--body", help="For an answer: JSON, or text.")
@_folder_option
def fault(action: str, folder: Path | None, headers: tuple[str, ...], body: str | None, **given: Any) -> None:
    """Make something go wrong in the running emulator: the next request that matches meets ACTION.

    \b
    answer       another answer than the service's: --status, --header, --body
    delay        the service's answer, --seconds late
    truncate     half of the body, then the end of the connection
    close, reset the connection ends without an answer, or is reset
    hang         no answer until the client gives up
    unreachable  the proxy cannot reach the host, as when DNS fails
    untrusted    the TLS certificate is of a CA that nobody trusts
    list, clear  print the faults that wait, or remove them

    Exit codes: 0 done, 1 none runs, 2 wrong usage.

    \b
    Examples:
      azcert emulator fault answer --path '*/token' --status 429 --header Retry-After:2
      azcert emulator fault reset --host '*.vault.azure.net' --times 3
      azcert emulator fault clear
    """
    remote = _remote(folder)
    if action == "clear":
        remote.call("DELETE", "/faults")
    elif action == "list":
        data(remote.call("GET", "/status")["faults"], as_json=True)
    else:
        wanted = {"action": action, "headers": _headers(headers), "body": _body(body), **given}
        remote.call("POST", "/faults", {**wanted, "times": given["times"] or None})


@emulator.command()
@_folder_option
def record(folder: Path | None) -> None:
    """Print, as JSON, the last requests and, for token requests, what was in them; no secrets.

    Exit codes: 0 printed, 1 none runs.

    \b
    Example:
      azcert emulator record
    """
    data(_remote(folder).call("GET", "/record"), as_json=True)


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


def _remote(folder: Path | None) -> Remote:
    from azcert.emulator.remote import Remote, default_folder

    return Remote(folder or default_folder())


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt


def _headers(given: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for each in given:
        name, colon, value = each.partition(":")
        if not colon:
            raise click.BadParameter(f"{each!r} has no colon; write Retry-After:2.", param_hint="'--header'")
        found[name.strip()] = value.strip()
    return found


def _body(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return json.loads(text)
    except ValueError:
        return text
