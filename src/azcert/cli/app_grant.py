"""``azcert app grant``: what an application may do in a vault."""

from __future__ import annotations

import shlex
from typing import Any

import click

from azcert.cli.credential_options import credential_options
from azcert.cli.directory_identity import registrations, role_assignments
from azcert.cli.output import data, talk
from azcert.inventory.writers.text import plain
from azcert.registration.roles import ROLES

__all__ = ["grant"]


@click.command("grant", short_help="Give one a role in a vault.")
@click.argument("role", type=click.Choice(list(ROLES)))
@click.option("--vault", required=True, metavar="NAME", help="The Key Vault.")
@click.option("--app", "name", required=True, metavar="APP", help="Client id, object id or display name.")
@click.option(
    "--subscription",
    envvar="AZURE_SUBSCRIPTION_ID",
    show_envvar=True,
    metavar="ID",
    help="The vault's subscription; all that you can see are looked through without it.",
)
@click.option(
    "--print", "only_print", is_flag=True, help="Print the az command that does it, and do nothing."
)
@credential_options
def grant(
    *, role: str, vault: str, name: str, subscription: str | None, only_print: bool, **identity: Any
) -> None:
    """Give APP a role in one vault: secrets-reader is the least that reads secrets.

    `azcert grant ROLE` is the same. The caller needs Microsoft.Authorization/roleAssignments/write on the
    vault. Who has it not can hand the output of --print to someone who has.

    Exit codes: 0 done, or it had the role; 1 failed (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      azcert app grant secrets-reader --vault kv-billing --app billing
      azcert grant secrets-reader --vault kv-billing --app billing --print
    """
    with registrations(**identity) as client:
        application = client.find(name)
        principal = client.principal_id(application.app_id)
    with role_assignments(**identity) as roles:
        resource = roles.vault(vault, subscription=subscription)
        azure_role = ROLES[role][0]
        if only_print:
            command = ["az", "role", "assignment", "create", "--role", azure_role, "--scope", resource]
            command += ["--assignee-object-id", principal, "--assignee-principal-type", "ServicePrincipal"]
            data(shlex.join(command))
            return
        given = roles.assign(resource, role, principal)
    app = plain(application.display_name)
    talk(
        f"{app} has the role {azure_role} in {vault} now; Azure may take some minutes."
        if given
        else f"{app} had the role {azure_role} in {vault} already."
    )
