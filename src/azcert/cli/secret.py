"""``azcert secret``: read and write Key Vault secrets with the official client."""

from __future__ import annotations

import os
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

# Data-plane suffix by authority (Azure's documentation, "National clouds"); the public cloud is the default.
_SUFFIXES = {
    "login.microsoftonline.us": "vault.usgovcloudapi.net",
    "login.chinacloudapi.cn": "vault.azure.cn",
    "login.partner.microsoftonline.cn": "vault.azure.cn",
}

_vault_option = click.option(
    "--vault",
    envvar="KEY_VAULT_NAME",
    show_envvar=True,
    metavar="NAME|URL",
    help="Name of the vault, or its whole https:// address; that of --section without it.",
)


@click.group()
def secret() -> None:
    """Read and write Key Vault secrets.

    Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.
    """


@secret.command("get")
@click.argument("name")
@click.option("--version", metavar="VERSION", help="A version; the newest one without this option.")
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
    with _client(vault, identity) as client:
        found = client.get_secret(name, version)
    data({"value": found.value, **_described(found.properties)} if as_json else found.value, as_json=as_json)


@secret.command("set")
@click.argument("name")
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
    machine could read it. One line break at its end is left away.

    \b
    Examples:
      azcert secret set database-password --vault kv-demo
      pwgen 40 1 | azcert secret set database-password --file -
    """
    value = _value(source)
    with _client(vault, identity) as client:
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
    """Print the names of the vault's secrets, one a line; values are not read.

    \b
    Examples:
      azcert secret list --vault kv-demo
      azcert secret list --vault kv-demo --json
    """
    with _client(vault, identity) as client:
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
    address = _address(vault)
    with (
        closing(credential_or_settings(**identity)) as credential,
        SecretClient(address, credential) as client,
    ):
        yield client


def _address(vault: str) -> str:
    if vault.startswith("https://"):
        return vault
    if "/" in vault or "." in vault or ":" in vault:
        raise click.BadParameter(
            f"{vault!r} is neither a vault's name nor an https:// address.", param_hint="'--vault'"
        )
    authority = os.environ.get("AZURE_AUTHORITY_HOST", "").removeprefix("https://").strip("/ ").lower()
    return f"https://{vault}.{_SUFFIXES.get(authority, 'vault.azure.net')}"


def _value(source: str | None) -> str:
    if source is None:
        return str(click.prompt("Value", hide_input=True, confirmation_prompt=True, err=True))
    text = sys.stdin.read() if source == "-" else Path(source).read_text(encoding="utf-8")
    return text.removesuffix("\n").removesuffix("\r")


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
