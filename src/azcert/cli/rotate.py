"""``azcert rotate``: the next certificate, in time."""

from __future__ import annotations

import re
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from azcert.cli.credential_options import credential_options
from azcert.cli.needs_rotation import share_option, state_option
from azcert.cli.open_rotation import open_rotation
from azcert.cli.output import data, json_option, talk
from azcert.cli.saving import save
from azcert.cli.values import DURATION

if TYPE_CHECKING:
    from azcert.rotation.plan import Step
    from azcert.rotation.run import Rotation
    from azcert.rotation.successor import Answer

__all__ = ["rotate"]

_ANOTHER_HOST = 3
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def _guid(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    del context, parameter
    if value is not None and not _GUID.fullmatch(value):
        raise click.BadParameter(
            f"{value!r} is no object id, such as 19287dbc-37c4-4d74-8da3-84ab7114e76f; "
            "azcert app show APP prints it."
        )
    return value


def _without_password(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Refuse a password where the list of processes shows it."""
    given = context.get_parameter_source(parameter.name or "") is ParameterSource.COMMANDLINE
    if given and value and ":" in value.partition("://")[2].rpartition("@")[0]:
        raise click.BadParameter("everybody here can see this password: put the URL into AZCERT_LEASE.")
    return value


@click.command()
@click.argument("source")
@click.option(
    "--object-id",
    metavar="ID",
    callback=_guid,
    help="The application's object id: it changes its own keys (addKey).",
)
@click.option(
    "--by-directory",
    is_flag=True,
    help="Change the application as who is signed in here (az login, ...), not as itself.",
)
@click.option("--overlap", type=DURATION, default="1h", help="How long the old one stays registered; 1h.")
@click.option(
    "--days", type=click.IntRange(1, 3650), metavar="N", help="Validity; its predecessor's without it."
)
@click.option(
    "--csr",
    "request_file",
    metavar="FILE",
    help="Ask an authority: write the request for the next certificate to FILE (- for stdout), and wait.",
)
@click.option("--accept", "answer_file", metavar="FILE", help="The authority's answer: go on with it.")
@click.option("--scope", default="https://vault.azure.net/.default", help="What to sign in for, as a proof.")
@share_option
@state_option
@click.option(
    "--lease",
    metavar="URL",
    envvar="AZCERT_LEASE",
    show_envvar=True,
    callback=_without_password,
    help="Redis in which hosts with one certificate agree on who rotates; that of AZCERT_TOKEN_CACHE without "
    "it, none for none.",
)
@click.option("--force", is_flag=True, help="Begin though it is not due.")
@click.option("--dry-run", is_flag=True, help="Print the steps that would be taken.")
@click.option("--abort", is_flag=True, help="Undo a rotation whose certificate is not in use yet.")
@json_option
@credential_options
def rotate(
    *,
    source: str,
    object_id: str | None,
    by_directory: bool,
    overlap: float,
    days: int | None,
    request_file: str | None,
    answer_file: str | None,
    scope: str,
    share: float,
    state_folder: Path | None,
    lease: str | None,
    force: bool,
    dry_run: bool,
    abort: bool,
    as_json: bool,
    **identity: Any,
) -> int:
    """Replace the certificate of SOURCE by a new one in the same place, if it is due.

    A new key and a self-signed certificate are made beside the old; the certificate is registered on the
    application, by the application itself with a proof of its current key; sign-ins with it are tried until
    they work several times in a row; then it is made the one in use, and after the overlap the old one is
    taken off. Each step is recorded before the next: stopped anywhere, the next run goes on. Programs that
    follow SOURCE need no restart.

    With --csr an authority issues the certificate: the new key waits in its place, and the request for it is
    in FILE. --accept takes the answer (PEM, DER or PKCS#7, with or without the chain) and goes on.

    With --lease, of several hosts that share SOURCE one rotates at a time; where it dies, another goes on.

    Exit codes: 0 done, nothing to do, or waiting, 1 a step failed (the old one still works), 2 wrong usage,
    3 another host, or a run that was killed here a moment ago, holds the lease.

    \b
    Examples:
      azcert rotate /etc/billing/app.pem --object-id 19287dbc-37c4-4d74-8da3-84ab7114e76f
      azcert rotate "store:LocalMachine/My?subject=billing" --by-directory --overlap 1d
      azcert rotate app.pem --object-id ... --force --dry-run
      azcert rotate app.pem --object-id ... --csr next.csr
      azcert rotate app.pem --object-id ... --accept answer.p7b
    """
    from azcert.errors import ConfigurationError
    from azcert.rotation.run import Rules

    if by_directory == bool(object_id):
        raise click.UsageError("Say who changes the application: --object-id ID (itself), or --by-directory.")
    if request_file and (answer_file or days):
        other = "--accept" if answer_file else "--days"
        raise click.UsageError(f"--csr asks an authority, which decides: give it without {other}.")
    if click.get_current_context().get_parameter_source("certificate") is ParameterSource.COMMANDLINE:
        raise click.UsageError("SOURCE is the certificate: give it without --certificate.")
    if object_id and object_id == identity["client_id"]:
        raise click.UsageError("--object-id is not the client id: azcert app show APP prints both.")
    answer = _answer(answer_file) if answer_file else None
    rules = Rules(overlap=overlap, days=days, share=share, by_authority=bool(request_file))
    with ExitStack() as opened:
        rotation = open_rotation(
            opened,
            source,
            object_id,
            scope=scope,
            rules=rules,
            state_folder=state_folder,
            lease=lease,
            identity=identity,
        )
        try:
            if abort:
                talk("Undone." if rotation.abort() else "There is nothing to undo.")
            elif dry_run:
                _print_plan(rotation, answer, force=force, as_json=as_json)
            else:
                _refuse_taken(request_file)
                end = rotation.run(force=force, answer=answer)
                _tell_end(rotation, end, request_file, as_json=as_json)
        except ConfigurationError as error:
            if error.code != "lease-held":
                raise
            talk(error.message)
            if as_json:
                data({"step": "elsewhere"}, as_json=True)
            return _ANOTHER_HOST
        _tell_left(rotation, identity["client_id"])
        return 0


def _print_plan(rotation: Rotation, answer: Answer | None, *, force: bool, as_json: bool) -> None:
    from azcert.rotation.plan import MEANING, Step, remaining_steps

    if force or answer is not None or rotation.is_due():
        steps = [each for each in remaining_steps(rotation.next_step(answer)) if each is not Step.DONE]
    else:
        steps = []
        talk("It is not due: nothing would be done.")
    if as_json:
        data([{"step": step, "meaning": MEANING[step]} for step in steps], as_json=True)
        return
    for step in steps:
        data(f"{step:9} {MEANING[step]}")


def _tell_end(rotation: Rotation, end: Step | None, request_file: str | None, *, as_json: bool) -> None:
    from azcert.rotation.plan import Step

    request = rotation.request() if end is Step.ANSWER else None
    if request and request_file and request_file != "-":
        save(Path(request_file), request.encode(), private=False, force=True)
    if as_json:
        told = {"step": end or "not-due", "due": rotation.due_at().isoformat(), "request": request}
        data(told | {"left_registered": rotation.left_registered}, as_json=True)
    elif request and request_file:
        data(request.strip() if request_file == "-" else request_file)
    if end is None:
        talk(f"Not due until {rotation.due_at():%Y-%m-%d %H:%M UTC}: nothing is begun.")
    elif end is Step.ANSWER:
        where = "the request" if request_file == "-" else request_file
        if where is None:
            talk("Run this again with --accept ANSWER once it is there; --csr FILE writes the request again.")
        else:
            talk(f"Send {where} to the authority, then run this again with --accept ANSWER instead of --csr.")
    elif end is Step.WAIT:
        talk("Run it again when the overlap has passed.")


def _tell_left(rotation: Rotation, client_id: str) -> None:
    if rotation.left_registered:
        talk(
            f"The certificate {rotation.left_registered} stays registered until it ends: this application "
            f"may not read itself, and the id is not known here. To take it off now, as who may: "
            f"azcert app remove-certificate {client_id} {rotation.left_registered}"
        )


def _answer(name: str) -> Answer:
    from azcert._files import read_file
    from azcert.certificate import formats
    from azcert.rotation.successor import Answer

    return Answer(read_file(name, limit=formats.MAX_SIZE).data, name)


def _refuse_taken(request_file: str | None) -> None:
    """Refuse to write a request over anything but an earlier one, before a key is made for it."""
    from azcert.cli.saving import refuse_existing

    if request_file is None or request_file == "-":
        return
    path = Path(request_file)
    try:
        earlier = b"CERTIFICATE REQUEST-----" in path.read_bytes()
    except OSError:
        earlier = False
    refuse_existing([path], force=earlier)
