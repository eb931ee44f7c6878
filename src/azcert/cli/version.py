"""``azcert version``."""

from __future__ import annotations

import click

from azcert import __version__
from azcert.cli.output import data, json_option

__all__ = ["version"]


@click.command()
@json_option
def version(*, as_json: bool) -> None:
    """Print azcert's version.

    Exit codes: 0 always.
    """
    data({"version": __version__} if as_json else __version__, as_json=as_json)
