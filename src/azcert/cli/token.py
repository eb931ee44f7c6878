"""``azcert token``."""

from __future__ import annotations

import datetime as dt
from contextlib import closing
from typing import Any

import click

from azcert.cli.credential_options import credential_or_settings, credential_or_settings_options
from azcert.cli.output import data, json_option

__all__ = ["token"]


@click.command()
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    metavar="SCOPE",
    help="What the token is for: a resource and /.default.",
)
@click.option("--claims", metavar="JSON", help="Claims of a challenge.")
@click.option("--cae", "enable_cae", is_flag=True, help="Ask for Continuous Access Evaluation.")
@credential_or_settings_options
@json_option
def token(
    *, scopes: tuple[str, ...], claims: str | None, enable_cae: bool, as_json: bool, **identity: Any
) -> None:
    """Print an access token, and nothing else, on stdout.

    The token is a secret: whoever holds it is the application until it ends.

    Exit codes: 0 done, 1 refused or no answer (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      azcert token --scope https://vault.azure.net/.default
      azcert token --scope https://graph.microsoft.com/.default --certificate app.pem --json
      azcert token --scope https://vault.azure.net/.default --settings appsettings.json --section KeyVault
      curl -H "Authorization: Bearer $(azcert token --scope api://orders/.default)" https://orders.contoso.com/
    """
    with closing(credential_or_settings(**identity)) as credential:
        got = credential.get_token(*scopes, claims=claims, enable_cae=enable_cae)
    if as_json:
        ends = dt.datetime.fromtimestamp(got.expires_on, dt.UTC)
        data({"token": got.token, "expires_on": got.expires_on, "expires": ends.isoformat()}, as_json=True)
    else:
        data(got.token)
