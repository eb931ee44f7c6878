"""``azcert rotate`` and ``azcert needs-rotation``: the next certificate, in time."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from azcert.cli.credential_options import PASSWORD_VARIABLE, credential_from, credential_options
from azcert.cli.output import data, json_option, talk
from azcert.cli.values import DURATION

if TYPE_CHECKING:
    from azcert.rotation.plan import Step
    from azcert.rotation.run import Rotation, Rules

__all__ = ["needs_rotation", "rotate"]

_NOT_DUE = 1

_source = click.argument("source")
_share = click.option(
    "--share",
    type=click.FloatRange(0, 1),
    default=2 / 3,
    show_default="two thirds",
    help="Share of its life after which a certificate is due.",
)


@click.command()
@_source
@click.option(
    "--object-id", metavar="ID", help="The application's object id: it changes its own keys (addKey)."
)
@click.option(
    "--by-directory",
    is_flag=True,
    help="Change the application as who is signed in here (az login, ...), not as itself.",
)
@click.option("--overlap", type=DURATION, default="1h", help="How long the old one stays registered; 1h.")
@click.option("--days", type=click.IntRange(1), metavar="N", help="Validity; its predecessor's without it.")
@click.option("--scope", default="https://vault.azure.net/.default", help="What to sign in for, as a proof.")
@_share
@click.option(
    "--state",
    "state_folder",
    type=click.Path(path_type=Path),
    envvar="AZCERT_STATE",
    show_envvar=True,
    metavar="FOLDER",
    help="Where the record of a rotation is kept; /var/lib/azcert/rotation for root, else in ~/.local/state.",
)
@click.option("--force", is_flag=True, help="Begin though it is not due.")
@click.option("--dry-run", is_flag=True, help="Print the steps that would be taken.")
@click.option("--abort", is_flag=True, help="Undo a rotation whose certificate is not in use yet.")
@credential_options
def rotate(
    *,
    source: str,
    object_id: str | None,
    by_directory: bool,
    overlap: float,
    days: int | None,
    scope: str,
    share: float,
    state_folder: Path | None,
    force: bool,
    dry_run: bool,
    abort: bool,
    **identity: Any,
) -> None:
    """Replace the certificate of SOURCE by a new one in the same place, if it is due.

    A new key and a self-signed certificate are made beside the old; the certificate is registered on the
    application, by the application itself with a proof of its current key; sign-ins with it are tried until
    they work several times in a row; then it is made the one in use, and after the overlap the old one is
    taken off. Each step is recorded before the next: stopped anywhere, the next run goes on. Programs that
    follow SOURCE need no restart.

    Exit codes: 0 done or nothing to do, 1 a step failed (the old one still works), 2 wrong usage.

    \b
    Examples:
      azcert rotate /etc/billing/app.pem --object-id 19287dbc-37c4-4d74-8da3-84ab7114e76f
      azcert rotate "store:LocalMachine/My?subject=billing" --by-directory --overlap 1d
      azcert rotate app.pem --object-id ... --force --dry-run
    """
    from azcert.rotation.plan import MEANING, Step, remaining_steps
    from azcert.rotation.run import Rules

    if by_directory == bool(object_id):
        raise click.UsageError("Say who changes the application: --object-id ID (itself), or --by-directory.")
    rotation = _rotation(
        source,
        object_id,
        scope=scope,
        rules=Rules(overlap=overlap, days=days, share=share),
        state_folder=state_folder,
        identity=identity,
    )
    if abort:
        talk("Undone." if rotation.abort() else "There is nothing to undo.")
    elif dry_run:
        if not force and not rotation.is_due():
            talk("It is not due: nothing would be done.")
            return
        for step in remaining_steps(rotation.next_step()):
            if step is not Step.DONE:
                data(f"{step:9} {MEANING[step]}")
    else:
        end = rotation.run(force=force)
        if rotation.left_registered:
            talk(
                f"The old certificate stays registered until it ends: this application may not read itself, "
                f"and its id is not known here. To take it off now, as who may: "
                f"azcert app remove-certificate {identity['client_id']} {rotation.left_registered}"
            )
        if end is Step.WAIT:
            talk("Run it again when the overlap has passed.")


@click.command("needs-rotation")
@_source
@_share
@json_option
def needs_rotation(*, source: str, share: float, as_json: bool) -> int:
    """Tell by the exit code whether the certificate of SOURCE is due for its successor.

    Due is a certificate after two thirds of its life, up to a twentieth earlier by its own digest, so that
    many made on one day are not all due in one hour.

    Exit codes: 0 it is due, 1 it is not, or it cannot be read (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      azcert needs-rotation app.pem && azcert rotate app.pem --object-id ...
      azcert needs-rotation app.pem --json | jq -r .due
    """
    from azcert.rotation.due import due_at
    from azcert.sources.open import open_source

    opened = open_source(source)
    try:
        certificate = opened.load().certificate
    finally:
        opened.close()
    moment = due_at(certificate, share=share)
    due = dt.datetime.now(dt.UTC) >= moment
    if as_json:
        data({"needed": due, "due": moment.isoformat(), "thumbprint": certificate.thumbprint}, as_json=True)
    else:
        talk(f"{'Due since' if due else 'Due on'} {moment:%Y-%m-%d %H:%M UTC}.")
    return 0 if due else _NOT_DUE


def _tell(step: Step) -> None:
    from azcert.rotation.plan import MEANING

    talk(f"{step}: {MEANING[step]}")


def _rotation(
    source: str,
    object_id: str | None,
    *,
    scope: str,
    rules: Rules,
    state_folder: Path | None,
    identity: dict[str, Any],
) -> Rotation:
    from azcert._redact import Secret
    from azcert.cli.directory_identity import registrations
    from azcert.rotation.journal import journal_path
    from azcert.rotation.place import open_place
    from azcert.rotation.prover import Prover
    from azcert.rotation.registrar import DirectoryRegistrar, OwnRegistrar, Registrar
    from azcert.rotation.run import Rotation

    password: Secret | None = identity["certificate_password"]
    if password is None and os.environ.get(PASSWORD_VARIABLE):
        password = Secret(os.environ[PASSWORD_VARIABLE])
    as_app = {**identity, "certificate": source}
    credential_from(**as_app).close()
    journal = journal_path(source, identity["client_id"], state_folder)
    place = open_place(source, password=password, work=journal.parent)
    registrar: Registrar
    if object_id:
        registrar = OwnRegistrar(registrations(**as_app), object_id, place.current)
    else:
        registrar = DirectoryRegistrar(
            registrations(**{**identity, "certificate": None}), identity["client_id"]
        )
    prover = Prover(
        identity["tenant_id"],
        identity["client_id"],
        scope=scope,
        authority=identity["authority"],
        send_certificate_chain=identity["send_certificate_chain"],
        disable_instance_discovery=identity["disable_instance_discovery"],
    )
    return Rotation(place, registrar, prover, journal, rules=rules, password=password, told=_tell)
