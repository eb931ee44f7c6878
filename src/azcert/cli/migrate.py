"""``azcert migrate``: from a client secret to a certificate."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from azcert.cli.credential_options import credential_options
from azcert.cli.output import data, talk
from azcert.cli.password import can_ask

if TYPE_CHECKING:
    from azcert.migration.model import Change
    from azcert.migration.run import Step
    from azcert.migration.settings import SettingsFile
    from azcert.rotation.prover import Prover

__all__ = ["migrate"]


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--section", metavar="NAME", help="Which section of a JSON, YAML or TOML file.")
@click.option(
    "--base",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The settings that FILE adds to, with the client id: for user secrets.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the key is made; CLIENT_ID.pem beside FILE without it.",
)
@click.option("--source", metavar="SOURCE", help="A certificate made before (azcert new --key ...), instead.")
@click.option("--days", type=click.IntRange(1), default=365, show_default=True, help="How long it is valid.")
@click.option("--scope", default="https://vault.azure.net/.default", help="What to sign in for, as a proof.")
@click.option("--yes", is_flag=True, help="Change the settings without asking.")
@click.option("--remove-secret", is_flag=True, help="Remove the secret without asking, once all works.")
@click.option("--dry-run", is_flag=True, help="Print the steps and the change; do nothing.")
@credential_options
def migrate(
    *,
    file: Path,
    section: str | None,
    base: Path | None,
    out: Path | None,
    source: str | None,
    days: int,
    scope: str,
    yes: bool,
    remove_secret: bool,
    dry_run: bool,
    **identity: Any,
) -> None:
    """Move the application of a settings FILE from its client secret to a certificate.

    FILE is a .env file with AZURE_CLIENT_SECRET, or JSON, YAML or TOML with clientSecret in a section: as
    .NET's clients, its Credential sections and Microsoft.Identity.Web (AzureAd) write it. A key and a
    certificate are made, registered beside the secret, and tried until they sign in several times in a row.
    Then the settings are changed in this one place (a copy, mode 0600, is kept), and last the secret is
    removed if you agree, unless another file still holds it. The application can sign in at every moment;
    stopped anywhere, run it again.

    The app registration is changed as --certificate, where one is named, else as who is signed in here. Where
    that may not, it says what an administrator must do; run it again afterwards.

    Exit codes: 0 the settings name the certificate, 1 failed (the secret still works), 2 wrong usage.

    \b
    Examples:
      azcert migrate .env --dry-run
      azcert migrate .env --yes --remove-secret
      azcert migrate appsettings.json --section KeyVault --out /etc/billing/app.pem
      azcert migrate ~/.microsoft/usersecrets/ID/secrets.json --base appsettings.json
      azcert migrate .env --source "pkcs11:token=prod;object=billing?pin-source=file:/etc/pin"
    """
    from azcert.migration.settings import open_settings

    if out is not None and source is not None:
        raise click.UsageError("--out and --source exclude each other: a certificate is made, or is there.")
    settings = open_settings(file, section=section, base=base, environ=os.environ)
    application = settings.identity
    tenant, client_id = _application(settings)
    if application.secret is not None:
        path = (out or settings.path.with_name(f"{client_id}.pem")).absolute()
        if dry_run:
            _print_plan(settings, source or str(path), making=source is None)
            return
        if not yes and not can_ask():
            raise click.UsageError("There is nobody to ask: add --yes, or --dry-run to see the change.")
        if not _move(settings, source, path, days, scope, tenant, client_id, identity, yes=yes):
            talk("The settings are as they were. The certificate is registered and works.")
            return
        settings = open_settings(settings.path, section=application.section, base=base, environ=os.environ)
    elif dry_run:
        talk(f"{file} names a certificate already; only its old secret may be left to remove.")
        return
    _offer_removal(settings, scope, tenant, client_id, identity, agreed=remove_secret)


def _application(settings: SettingsFile) -> tuple[str, str]:
    from azcert.errors import ConfigurationError

    tenant, client_id = settings.identity.tenant_id, settings.identity.client_id
    if not tenant or not client_id:
        raise ConfigurationError(
            f"{settings.path} does not say both the tenant and the client id of its application.",
            code="no-application",
            remedy="Write them beside the secret: AZURE_TENANT_ID, AZURE_CLIENT_ID; or tenantId, clientId. "
            "Where other settings have them: --base FILE",
        )
    return tenant, client_id


def _move(
    settings: SettingsFile,
    source: str | None,
    path: Path,
    days: int,
    scope: str,
    tenant: str,
    client_id: str,
    identity: dict[str, Any],
    *,
    yes: bool,
) -> bool:
    from azcert.cli.directory_identity import registrations
    from azcert.migration.run import Migration, make_certificate

    make = None
    if source is None:
        make = partial(make_certificate, path, name=client_id, days=days, like=settings.path)
    with registrations(**identity) as client:
        migration = Migration(
            settings,
            source or str(path),
            make,
            client,
            _prover(tenant, client_id, scope, identity),
            _prover(tenant, client_id, scope, identity, patience=0, in_a_row=1),
            _tell,
        )
        return migration.run(lambda change: _agreed(settings, change, yes=yes))


def _prover(tenant: str, client_id: str, scope: str, identity: dict[str, Any], **more: Any) -> Prover:
    from azcert.rotation.prover import Prover

    return Prover(
        tenant,
        client_id,
        scope=scope,
        authority=identity["authority"],
        disable_instance_discovery=identity["disable_instance_discovery"],
        **more,
    )


def _agreed(settings: SettingsFile, change: Change, *, yes: bool) -> bool:
    _show(settings, change)
    return yes or click.confirm(f"Change {settings.path}?", err=True)


def _show(settings: SettingsFile, change: Change) -> None:
    for line in change.lines:
        talk(f"{settings.path}, line {line.number}:")
        talk(f"- {line.before}")
        for added in line.after.splitlines():
            talk(f"+ {added.strip()}")


def _print_plan(settings: SettingsFile, source: str, *, making: bool) -> None:
    from azcert.migration.run import MEANING, Step

    change = settings.change(source)
    for step in Step:
        if making or step is not Step.MAKE:
            data(f"{step:9} {MEANING[step]}")
    _show(settings, change)


def _tell(step: Step) -> None:
    from azcert.migration.run import MEANING

    talk(f"{step}: {MEANING[step]}")


def _offer_removal(
    settings: SettingsFile,
    scope: str,
    tenant: str,
    client_id: str,
    identity: dict[str, Any],
    *,
    agreed: bool,
) -> None:
    """Remove the old secret if that is wanted, after a proof that the settings as they are now sign in."""
    from azcert.cli.directory_identity import registrations
    from azcert.errors import ConfigurationError
    from azcert.inventory.writers.text import plain
    from azcert.migration.run import removable_secret
    from azcert.sources.open import open_source

    others = settings.elsewhere(os.environ)
    if others:
        text = f"A secret of this application is also in {', '.join(map(str, others))}."
        if agreed:
            raise ConfigurationError(
                text,
                code="secret-in-use",
                remedy="Migrate it there first, with the same certificate: azcert migrate FILE --source "
                f"{settings.identity.certificate}",
            )
        talk(f"{text} Migrate it there, too: azcert migrate FILE --source {settings.identity.certificate}")
        return
    if not agreed and not can_ask():
        talk(
            f"The secret still works. Once every copy of the program runs with the new settings:\n"
            f"  azcert migrate {settings.path} --remove-secret"
        )
        return
    opened = open_source(str(settings.identity.certificate))
    try:
        _prover(tenant, client_id, scope, identity).prove(opened.load())
    finally:
        opened.close()
    with registrations(**identity) as client:
        object_id, secret = removable_secret(settings, client)
        name = f"{secret.hint}*** ({plain(secret.display_name or secret.key_id)})"
        if not agreed and not click.confirm(f"Remove the secret {name}? Does nothing else use it?", err=True):
            return
        client.remove_password(object_id, secret.key_id)
    talk(f"Removed the secret {name}. Delete {settings.backup}: nothing needs it any more.")
