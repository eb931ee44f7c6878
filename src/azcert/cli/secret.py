"""``azcert secret``: read and write Key Vault secrets with the official client."""

from __future__ import annotations

import sys
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from azcert.cli.credential_options import (
    credential_or_settings,
    credential_or_settings_options,
    refuse_beside_settings,
)
from azcert.cli.output import data, json_option, talk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.keyvault.secrets import SecretClient, SecretProperties

__all__ = ["secret"]

_vault_option = click.option(
    "--vault",
    envvar="KEY_VAULT_NAME",
    show_envvar=True,
    metavar="NAME|URL",
    help="Name of the vault, or its whole https:// address; that of --section without it.",
)


def _secret_name(context: click.Context, parameter: click.Parameter, value: str) -> str:
    del context, parameter
    from azcert.vault.address import is_secret_name

    if not is_secret_name(value):
        raise click.BadParameter(f"{value!r} is no secret's name: letters, digits and hyphens, at most 127.")
    return value


def _version(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    return value if value is None else _secret_name(context, parameter, value)


_name = click.argument("name", callback=_secret_name)


@click.group()
def secret() -> None:
    """Read and write Key Vault secrets.

    Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.
    """


@secret.command("get")
@_name
@click.option(
    "--version", metavar="VERSION", callback=_version, help="A version; the newest one without this option."
)
@_vault_option
@credential_or_settings_options
@json_option
def get(name: str, *, version: str | None, vault: str | None, as_json: bool, **identity: Any) -> None:
    """Print the value of secret NAME, and nothing else, on stdout.

    \b
    Examples:
      azcert secret get myTestSecret1 --vault kv-demo
      DATABASE_PASSWORD=$(azcert secret get database-password)
      azcert secret get database-password --settings appsettings.json --section KeyVault
    """
    with _client(vault, identity) as client, _explained(client, "read", f"{name}/{version or ''}".strip("/")):
        found = client.get_secret(name, version)
    data({"value": found.value, **_described(found.properties)} if as_json else found.value, as_json=as_json)


@secret.command("set")
@_name
@click.option(
    "--file",
    "source",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    help="Read the value from a file, '-' for stdin; without it the value is asked for.",
)
@click.option("--content-type", metavar="TYPE", help="A note on what the value is.")
@_vault_option
@credential_or_settings_options
@json_option
def set_(
    name: str,
    *,
    source: str | None,
    content_type: str | None,
    vault: str | None,
    as_json: bool,
    **identity: Any,
) -> None:
    """Store a value as a new version of secret NAME.

    The value comes from a prompt, a file or stdin, never from the command line, where every process of the
    machine could read it. It is text; one line break at its end is left away. An empty one is refused.

    \b
    Examples:
      azcert secret set database-password --vault kv-demo
      pwgen 40 1 | azcert secret set database-password --file -
    """
    value = _value(source)
    with _client(vault, identity) as client, _explained(client, "store", name):
        stored = client.set_secret(name, value, content_type=content_type)
    if as_json:
        data(_described(stored.properties), as_json=True)
    else:
        talk(f"Stored {stored.properties.name}, version {stored.properties.version}.")


@secret.command("list")
@_vault_option
@credential_or_settings_options
@json_option
def list_(*, vault: str | None, as_json: bool, **identity: Any) -> None:
    """Print the names of the vault's secrets, one a line.

    Values are not read.

    \b
    Examples:
      azcert secret list --vault kv-demo
      azcert secret list --vault kv-demo --json
    """
    with _client(vault, identity) as client, _explained(client, "list"):
        found = list(client.list_properties_of_secrets())
    if as_json:
        data([_described(each) for each in found], as_json=True)
    else:
        for each in found:
            data(each.name)


@contextmanager
def _client(vault: str | None, identity: dict[str, Any]) -> Iterator[SecretClient]:
    """Give a client of the vault: the section's own where there is one and no other vault is asked for."""
    from azure.keyvault.secrets import SecretClient

    named = click.get_current_context().get_parameter_source("vault") is ParameterSource.COMMANDLINE
    if identity["section"] is not None and not named:
        from azcert.config.sync import AzureClients

        refuse_beside_settings()
        with AzureClients.from_settings(identity["settings"]) as clients:
            yield clients.get(SecretClient, identity["section"])
        return
    if not vault:
        raise click.UsageError("Missing: --vault (or KEY_VAULT_NAME, or --section).")
    address = _address(vault, identity["authority"])
    with (
        closing(credential_or_settings(**identity)) as credential,
        SecretClient(address, credential) as client,
    ):
        yield client


@contextmanager
def _explained(client: SecretClient, action: str, name: str = "") -> Iterator[None]:
    """Say what a refusal means, and what to do."""
    from azure.core.exceptions import AzureError

    from azcert.vault.refusal import explain

    try:
        yield
    except AzureError as error:
        raise explain(error, action, client.vault_url, name) from error


def _address(vault: str, authority: str | None) -> str:
    from azcert.vault.address import read_vault

    try:
        return read_vault(vault, authority)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="'--vault'") from None


def _value(source: str | None) -> str:
    if source is None:
        if not sys.stdin.isatty():
            raise click.UsageError(
                "There is no terminal to ask for the value on: give --file FILE, or --file -."
            )
        return str(click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True))
    # As bytes: reading text would turn each CRLF into LF.
    content = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise click.ClickException(
            "The value is no UTF-8 text, and a secret is text; nothing was stored. Encode it first: base64."
        ) from None
    text = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    if not text:
        raise click.ClickException("The value is empty; nothing was stored.")
    return text


def _described(properties: SecretProperties) -> dict[str, Any]:
    return {
        "name": properties.name,
        "id": properties.id,
        "version": properties.version,
        "enabled": properties.enabled,
        "content_type": properties.content_type,
        "created": properties.created_on and properties.created_on.isoformat(),
        "updated": properties.updated_on and properties.updated_on.isoformat(),
        "expires": properties.expires_on and properties.expires_on.isoformat(),
        "tags": properties.tags or {},
    }
