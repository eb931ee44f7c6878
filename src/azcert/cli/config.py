"""``azcert config``: what settings amount to, what is wrong with them, and their schema."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from azcert.cli.output import data, json_option, talk

if TYPE_CHECKING:
    from azcert.config.settings import Settings

__all__ = ["config"]

_file = click.argument("file", required=False, type=click.Path(dir_okay=False))
_environment = click.option(
    "--environment", metavar="NAME", help="Name of the environment; Production without it and its variables."
)
_prefix = click.option("--prefix", default="", help="Read only environment variables that begin with it.")


@click.group()
def config() -> None:
    """Show, check and describe settings of credentials and clients.

    FILE is appsettings.json (.toml, .yaml) of the working directory where it is left out. Nothing is signed
    in to, and secrets are never shown.

    Exit codes: 0 done, 1 failed or something is wrong, 2 wrong usage.
    """


@config.command("show")
@_file
@click.option("--section", metavar="NAME", help="Show one section, and the credential it asks for.")
@_environment
@_prefix
@json_option
def show(
    file: str | None, *, section: str | None, environment: str | None, prefix: str, as_json: bool
) -> None:
    """Print the resolved settings with their origins, secrets redacted.

    Variables of the environment are shown where they belong to a section.

    \b
    Exit codes: 0 printed, 1 a file cannot be read, 2 wrong usage.

    Examples:
      azcert config show
      azcert config show --section KeyVault
      azcert config show appsettings.json --environment Development --json

    """
    from azcert.config.choose import choose_credential
    from azcert.config.origin import Place
    from azcert.config.secrecy import shown

    settings = _load(file, environment, prefix)
    chosen = settings if section is None else settings.section(section)
    rows = [
        {
            "key": entry.key,
            "value": shown(entry.key, entry.text if isinstance(entry.text, str) else None),
            "origin": str(entry.origin),
        }
        for entry in chosen
        if ":" in entry.key or entry.origin.place is not Place.ENVIRONMENT
    ]
    spec = None if section is None else choose_credential(chosen)
    if as_json:
        result: dict[str, Any] = {"settings": rows}
        if section is not None:
            result["credential"] = spec and spec.as_dict()
        data(result, as_json=True)
        return
    for row in rows:
        data(f"{row['key']} = {row['value']}   ({row['origin']})")
    if section is not None:
        described = spec.as_dict() if spec else {"kind": "the default"}
        kind = described.pop("kind")
        talk(
            f"Credential: {kind} {', '.join(f'{name}={value}' for name, value in described.items())}".strip()
        )
    if not rows:
        talk("There are no settings.")


@config.command("check")
@_file
@click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="SECTION=CLASS",
    help="Check that SECTION fits a client class, such as KeyVault=azure.keyvault.secrets.SecretClient.",
)
@click.option("--strict", is_flag=True, help="Fail on advice too, such as secrets in files.")
@_environment
@_prefix
@json_option
def check(
    file: str | None,
    *,
    clients: tuple[str, ...],
    strict: bool,
    environment: str | None,
    prefix: str,
    as_json: bool,
) -> None:
    """Check the settings: files, credentials of all sections, and clients that are named.

    \b
    Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage.

    Examples:
      azcert config check
      azcert config check --strict --environment Production
      azcert config check --client KeyVault=azure.keyvault.secrets.SecretClient

    """
    import logging
    from dataclasses import asdict

    from azcert.config.check import check_settings, client_class

    named: dict[str, Any] = {}
    for client in clients:
        section, equals, name = client.partition("=")
        if not equals:
            raise click.BadParameter(f"{client!r} is not SECTION=CLASS.", param_hint="'--client'")
        named[section] = client_class(name)
    # What is logged of secrets in files is among the findings.
    logging.getLogger("azcert.config").addHandler(logging.NullHandler())
    findings = check_settings(_load(file, environment, prefix), named)
    if as_json:
        data([asdict(finding) for finding in findings], as_json=True)
    for finding in [] if as_json else findings:
        data(f"{'error' if finding.fatal else 'advice'}: {finding.message}")
    if any(finding.fatal or strict for finding in findings):
        sys.exit(1)
    if not findings:
        talk("Nothing is wrong.")


@config.command("schema")
def schema() -> None:
    """Print a JSON Schema of appsettings.json, for completion in editors.

    \b
    Exit codes: 0 always.

    Examples:
      azcert config schema > appsettings.schema.json

    """
    from azcert.config.schema import settings_schema

    data(settings_schema(), as_json=True)


def _load(file: str | None, environment: str | None, prefix: str) -> Settings:
    from azcert.config.load import load_settings

    return load_settings(file, environment=environment, prefix=prefix)
