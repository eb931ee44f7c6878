"""``azcert remove``: take a certificate and its key out of a store."""

from __future__ import annotations

import click

from azcert.cli.output import talk
from azcert.cli.password import can_ask
from azcert.cli.store_options import find_one, selector_argument, store_option

__all__ = ["remove"]


@click.command()
@selector_argument
@store_option("CurrentUser/My")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(*, selector: str, store: str, yes: bool) -> None:
    """Remove the certificate that SELECTOR names, and its private key, from a store.

    SELECTOR is a thumbprint, subject=..., issuer=..., serial=..., or a store: URI. A key in a device
    stays there.

    Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      azcert remove 3A1F0C...
      sudo azcert remove serial=0A1B2C --store LocalMachine/My --yes
    """
    opened, entry = find_one(selector, store)
    what = f"{entry.subject} ({entry.thumbprint}, until {entry.not_after:%Y-%m-%d}) from {entry.store}"
    if not yes:
        if not can_ask():
            raise click.UsageError(f"To remove {what} without being asked, add --yes.")
        lost = ", and its private key with it" if entry.has_key and entry.source is None else ""
        click.confirm(f"Remove {what}{lost}?", abort=True, err=True)
    opened.remove(entry)
    stays = f" Its key is still in {entry.source}." if entry.source else ""
    talk(f"Removed {what}.{stays}")
