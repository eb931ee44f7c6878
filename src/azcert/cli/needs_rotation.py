"""``azcert needs-rotation``: whether the next certificate is due."""

from __future__ import annotations

import datetime as dt

import click

from azcert.cli.output import data, json_option, talk
from azcert.rotation.due import SHARE

__all__ = ["needs_rotation", "share_option"]

_NOT_DUE = 1

share_option = click.option(
    "--share",
    type=click.FloatRange(0, 1),
    default=SHARE,
    show_default="two thirds",
    help="Share of its life after which a certificate is due.",
)


@click.command("needs-rotation")
@click.argument("source")
@share_option
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
    from contextlib import closing

    from azcert.rotation.due import due_at
    from azcert.sources.open import open_source

    with closing(open_source(source)) as opened:
        found = opened.load()
        found.signer.close()
    certificate = found.certificate
    moment = due_at(certificate, share=share)
    due = dt.datetime.now(dt.UTC) >= moment
    if as_json:
        data({"needed": due, "due": moment.isoformat(), "thumbprint": certificate.thumbprint}, as_json=True)
    else:
        talk(f"{'Due since' if due else 'Due on'} {moment:%Y-%m-%d %H:%M UTC}.")
    return 0 if due else _NOT_DUE
