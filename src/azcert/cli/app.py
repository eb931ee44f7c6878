"""``azcert app``: the app registration's side of a certificate."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from azcert.cli.app_grant import grant
from azcert.cli.app_text import day, described, described_key, print_credentials
from azcert.cli.credential_options import credential_options
from azcert.cli.directory_identity import registrations
from azcert.cli.output import data, json_option, talk
from azcert.cli.password import can_ask
from azcert.cli.settings_files import as_appsettings, as_env, write
from azcert.inventory.writers.text import plain

if TYPE_CHECKING:
    from azcert.certificate.model import Certificate
    from azcert.registration.model import Application, KeyCredential
    from azcert.registration.sync import Registrations

__all__ = ["app"]

_certificate_file = click.argument("file", type=click.Path(path_type=Path))


@click.group()
def app() -> None:
    """Register certificates on app registrations, through Microsoft Graph.

    Signs in with --certificate where one is named (or set in the environment), else as whoever is signed in
    here: az login, azd, a managed identity.

    Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.
    """


@app.command("create", short_help="Make an app registration.")
@click.argument("name")
@click.option(
    "--add",
    "file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Certificate to register; only its public half is sent.",
)
@click.option("--duplicate", is_flag=True, help="Make it though another application has that name.")
@click.option(
    "--write-env", type=click.Path(path_type=Path), metavar="FILE", help="Write the settings as a .env file."
)
@click.option(
    "--write-appsettings",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the settings as an appsettings.json.",
)
@credential_options
@json_option
def create(
    *,
    name: str,
    file: Path | None,
    duplicate: bool,
    write_env: Path | None,
    write_appsettings: Path | None,
    as_json: bool,
    **identity: Any,
) -> None:
    """Make an app registration NAME and its service principal; print the client id.

    Says on stderr what an administrator still must do. A settings file that exists is not overwritten, and a
    name that another application has is refused: nobody could tell the two apart.

    \b
    Examples:
      azcert app create billing --add billing.cer
      azcert app create billing --add billing.pem --write-env .env
    """
    from azcert.cli.saving import refuse_existing

    if not name.strip():
        raise click.UsageError("NAME is empty.")
    settings = [path for path in (write_env, write_appsettings) if path]
    refuse_existing(
        settings, force=False, when_taken="Name another file; what is written can be copied over."
    )
    certificate = _certificate(file) if file else None
    with registrations(**identity) as client:
        if not duplicate:
            _require_new(client, name)
        application, principal, tenant = client.create(name, certificate)
    tenant = tenant or identity["tenant_id"]
    if write_env:
        write(write_env, as_env(tenant, application.app_id, file))
    if write_appsettings:
        write(write_appsettings, as_appsettings(tenant, application.app_id, file))
    if as_json:
        data({**described(application), "servicePrincipalId": principal}, as_json=True)
    else:
        data(application.app_id)
    talk(f"Made app registration {name}, object id {application.id}, service principal {principal}.")
    talk("It may read nothing yet. An administrator gives it roles:")
    talk(f"  azcert app grant secrets-reader --vault NAME --app {application.app_id}")
    talk("If it calls Microsoft Graph or another API as itself: add the permissions it needs, then consent:")
    talk(f"  az ad app permission admin-consent --id {application.app_id}")
    if certificate is None:
        talk(f"Without a certificate it cannot sign in: azcert app add-certificate {application.app_id} FILE")


@app.command("list", short_help="List the app registrations you can see.")
@click.option("--name", metavar="TEXT", help="Only those whose display name begins with TEXT.")
@credential_options
@json_option
def list_(*, name: str | None, as_json: bool, **identity: Any) -> None:
    """List the app registrations this identity can see.

    A line has the client id, the day on which the last of its certificates ends, and the name.

    \b
    Examples:
      azcert app list
      azcert app list --name billing --json
    """
    condition = f"startswith(displayName,'{_quoted(name)}')" if name else None
    with registrations(**identity) as client:
        if as_json:
            data([described(each) for each in client.list(condition=condition)], as_json=True)
            return
        for each in client.list(condition=condition):
            ends = [key.end for key in each.keys]
            data(f"{each.app_id}  {day(max(ends)) if ends else 'no certificate'}  {plain(each.display_name)}")


@app.command("show", short_help="Show one with its credentials.")
@click.argument("name", metavar="APP")
@credential_options
@json_option
def show(*, name: str, as_json: bool, **identity: Any) -> None:
    """Show one app registration with its certificates and secrets.

    APP is a client id, an object id or a unique display name.

    \b
    Examples:
      azcert app show billing
    """
    with registrations(**identity) as client:
        application = client.find(name)
    if as_json:
        data(described(application), as_json=True)
        return
    data(f"name       {plain(application.display_name)}")
    data(f"client id  {application.app_id}")
    data(f"object id  {application.id}")
    print_credentials(application)


@app.command("credentials", short_help="List what one signs in with.")
@click.argument("name", metavar="APP")
@credential_options
@json_option
def credentials(*, name: str, as_json: bool, **identity: Any) -> None:
    """List the certificates and secrets of APP with the days each has left.

    \b
    Examples:
      azcert app credentials billing
      azcert app credentials billing --json | jq '.certificates[].thumbprint'
    """
    with registrations(**identity) as client:
        application = client.find(name)
    if as_json:
        whole = described(application)
        data({part: whole[part] for part in ("certificates", "secrets")}, as_json=True)
    else:
        print_credentials(application)


@app.command("add-certificate", short_help="Put a certificate on one.")
@click.argument("name", metavar="APP")
@_certificate_file
@credential_options
@json_option
def add_certificate(*, name: str, file: Path, as_json: bool, **identity: Any) -> None:
    """Put the certificate in FILE on APP, beside all it has; print its thumbprint.

    Only the public half is read and sent. One that is there already stays as it is.

    \b
    Examples:
      azcert app add-certificate billing billing.cer
    """
    certificate = _certificate(file)
    with registrations(**identity) as client:
        application = client.find(name)
        key = client.add_certificate(application.id, certificate)
    data(described_key(key) if as_json else key.thumbprint, as_json=as_json)
    talk("Entra ID may need a minute until it takes the new certificate everywhere.")


@app.command("remove-certificate", short_help="Take a certificate off one.")
@click.argument("name", metavar="APP")
@click.argument("key", metavar="THUMBPRINT|KEY_ID")
@click.option("--yes", is_flag=True, help="Do not ask, even where it is the last one that works.")
@credential_options
def remove_certificate(*, name: str, key: str, yes: bool, **identity: Any) -> None:
    """Take a certificate off APP.

    Where nothing would be left that APP can sign in with, it asks first.

    \b
    Examples:
      azcert app remove-certificate billing 37724A625E70EFA5FFEB8E42E01DE3425F63D27C
    """
    with registrations(**identity) as client:
        application = client.find(name)
        found = _find_key(application, key)
        if not yes and _is_last(application, found):
            _confirm_last(application, found)
        client.remove_certificate(application.id, found.key_id)
    talk(f"Removed {found.thumbprint} from {plain(application.display_name)}.")


app.add_command(grant)


def _require_new(client: Registrations, name: str) -> None:
    from azcert.errors import RegistrationError

    for other in client.list(condition=f"displayName eq '{_quoted(name)}'"):
        raise RegistrationError(
            f"There is an app registration {name!r} already: client id {other.app_id}.",
            code="name-taken",
            remedy=f"Use it: azcert app add-certificate {other.app_id} FILE. --duplicate makes another one.",
            app_id=other.app_id,
        )


def _confirm_last(application: Application, key: KeyCredential) -> None:
    from azcert.errors import RegistrationError

    text = (
        f"{key.thumbprint} is the last credential with which {plain(application.display_name)} can sign in."
    )
    if not can_ask():
        raise RegistrationError(text, code="last-credential", remedy="Add --yes to remove it all the same.")
    click.confirm(f"{text} Remove it?", abort=True, err=True)


def _certificate(file: Path) -> Certificate:
    """Read a certificate from any form; what is sent of it is public."""
    from azcert._files import read_file
    from azcert.certificate import formats
    from azcert.certificate.chain import leaf_without_key, pair
    from azcert.certificate.fitness import require_fit
    from azcert.certificate.model import Certificate

    contents = formats.load(read_file(file, limit=formats.MAX_SIZE).data, name=str(file))
    now = dt.datetime.now(dt.UTC)
    if contents.keys:
        return pair(contents, name=str(file), now=now).certificate
    certificate = Certificate(leaf_without_key(contents.certificates, name=str(file)))
    require_fit(certificate, name=str(file), now=now)
    return certificate


def _find_key(application: Application, wanted: str) -> KeyCredential:
    from azcert.errors import RegistrationError

    text = "".join(wanted.split()).replace(":", "").upper()
    for key in application.keys:
        if text in {key.thumbprint, key.key_id.upper()}:
            return key
    known = ", ".join(key.thumbprint for key in application.keys) or "none"
    raise RegistrationError(
        f"{plain(application.display_name)} has no certificate {wanted}.",
        code="not-found",
        remedy=f"It has: {known}.",
    )


def _is_last(application: Application, leaving: KeyCredential) -> bool:
    now = dt.datetime.now(dt.UTC)
    others = [key for key in application.keys if key.key_id != leaving.key_id]
    spans = [(each.start, each.end) for each in others]
    spans += [(each.start, each.end) for each in application.passwords]
    return not any(start <= now <= end for start, end in spans)


def _quoted(text: str) -> str:
    return text.replace("'", "''")
