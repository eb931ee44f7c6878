"""``azcert emulator status | stop | clock | delay | fault | record``: the controls of a running emulator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from azcert.cli.output import data, json_option
from azcert.cli.values import DURATION, MOMENT, Moment

if TYPE_CHECKING:
    from azcert.emulator.remote import Remote

__all__ = ["CONTROLS", "folder_option", "running_emulator"]

DELAYS = ("propagation", "deletion", "recovery", "issuance", "sign_in", "latency")
ACTIONS = ("answer", "delay", "truncate", "close", "reset", "hang", "unreachable", "untrusted")

folder_option = click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Runtime folder of the emulator; by default one per user, or AZCERT_EMULATOR.",
)
"""The option that names the runtime folder."""


def running_emulator(folder: Path | None) -> Remote:
    """Return what speaks to the emulator in *folder*, by default the user's own."""
    from azcert.emulator.remote import Remote, default_folder

    return Remote(folder or default_folder())


@click.command()
@json_option
@folder_option
def status(folder: Path | None, *, as_json: bool) -> None:
    """Print what the running emulator knows: clock, delays, faults, tenants, apps, vaults.

    Exit codes: 0 it runs, 1 none runs.

    \b
    Examples:
      azcert emulator status
      azcert emulator status --json
    """
    remote = running_emulator(folder)
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


@click.command()
@folder_option
def stop(folder: Path | None) -> None:
    """Stop the running emulator.

    Exit codes: 0 stopped, 1 none runs.

    \b
    Example:
      azcert emulator stop
    """
    running_emulator(folder).stop()


@click.command()
@click.argument("moment", type=MOMENT, required=False)
@click.option("--reset", is_flag=True, help="Go back to the machine's time.")
@folder_option
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
    data(running_emulator(folder).call("POST", "/clock", body)["now"])


@click.command()
@click.argument("name", type=click.Choice(DELAYS), required=False)
@click.argument("duration", type=DURATION, required=False)
@folder_option
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
    for key, value in (
        running_emulator(folder).call("POST", "/delays", {name: duration} if name else {}).items()
    ):
        data(f"{key}: {value:g} s")


@click.command()
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
@folder_option
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
    remote = running_emulator(folder)
    if action == "clear":
        remote.call("DELETE", "/faults")
    elif action == "list":
        data(remote.call("GET", "/status")["faults"], as_json=True)
    else:
        wanted = {"action": action, "headers": _headers(headers), "body": _body(body), **given}
        remote.call("POST", "/faults", {**wanted, "times": given["times"] or None})


@click.command()
@folder_option
def record(folder: Path | None) -> None:
    """Print, as JSON, the last requests and, for token requests, what was in them; no secrets.

    Exit codes: 0 printed, 1 none runs.

    \b
    Example:
      azcert emulator record
    """
    data(running_emulator(folder).call("GET", "/record"), as_json=True)


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


CONTROLS: tuple[click.Command, ...] = (status, stop, clock, delay, fault, record)
"""Every command of this module."""
