"""``azcert needs-rotation``: whether the next certificate is due."""

from __future__ import annotations

import datetime as dt
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from azcert.cli.credential_options import PASSWORD_VARIABLE
from azcert.cli.output import data, json_option, talk
from azcert.cli.password import password_options, with_password
from azcert.rotation.due import SHARE

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.model import Certificate

__all__ = ["needs_rotation", "share_option", "state_option"]

_NOT_DUE = 1
_UNREADABLE = 2

share_option = click.option(
    "--share",
    type=click.FloatRange(0, 1),
    default=SHARE,
    show_default="two thirds",
    help="Share of its life after which a certificate is due.",
)


state_option = click.option(
    "--state",
    "state_folder",
    type=click.Path(path_type=Path),
    envvar="AZCERT_STATE",
    show_envvar=True,
    metavar="FOLDER",
    help="Where the record of a rotation is kept; /var/lib/azcert/rotation for root, else in ~/.local/state.",
)


@click.command("needs-rotation")
@click.argument("source")
@share_option
@state_option
@password_options("password", purpose=f"of the key (or in {PASSWORD_VARIABLE})")
@json_option
def needs_rotation(
    *, source: str, share: float, state_folder: Path | None, password: Secret | None, as_json: bool
) -> int:
    """Tell by the exit code whether azcert rotate has something to do for SOURCE.

    Due is a certificate after two thirds of its life, up to a twentieth earlier by its own digest, so that
    many made on one day are not all due in one hour. A rotation that has begun is to be gone on with.

    Exit codes: 0 it is due or has begun, 1 it is not, 2 wrong usage, or it cannot be read (the reason is on
    stderr).

    \b
    Examples:
      azcert needs-rotation app.pem && azcert rotate app.pem --object-id ...
      azcert needs-rotation app.pem --json | jq -r .due
    """
    from azcert._redact import Secret
    from azcert.errors import AzcertError
    from azcert.rotation.due import due_at
    from azcert.rotation.records.record import has_begun

    if password is None and os.environ.get(PASSWORD_VARIABLE):
        password = Secret(os.environ[PASSWORD_VARIABLE])
    try:
        certificate = with_password(lambda given: _certificate(source, given), password, name=source)
    except AzcertError as error:
        talk(f"azcert: {error}")
        return _UNREADABLE
    moment = due_at(certificate, share=share)
    due, begun = dt.datetime.now(dt.UTC) >= moment, has_begun(certificate, state_folder)
    if as_json:
        told = {"needed": due or begun, "begun": begun, "due": moment.isoformat()}
        data(told | {"thumbprint": certificate.thumbprint}, as_json=True)
    elif begun:
        talk("Its rotation has begun.")
    else:
        talk(f"{'Due since' if due else 'Due on'} {moment:%Y-%m-%d %H:%M UTC}.")
    return 0 if due or begun else _NOT_DUE


def _certificate(source: str, password: Secret | None) -> Certificate:
    from contextlib import closing

    from azcert.sources.open import open_source

    with closing(open_source(source, password=password)) as opened:
        found = opened.load()
        found.signer.close()
        return found.certificate
