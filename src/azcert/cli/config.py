"""``azcert config``: what settings amount to, what is wrong with them, and their schema."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from azcert.cli.output import data, json_option, talk

if TYPE_CHECKING:
    from azcert.config.credentials.spec import CredentialSpec
    from azcert.config.reading.settings import Settings

__all__ = ["config"]

_NOTHING = "There are no settings: neither a file here nor AZCERT_SETTINGS, nor variables such as A__B."

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
@click.option("--section", metavar="NAME", help="Show one section, and the credential it amounts to.")
@_environment
@_prefix
@json_option
def show(
    file: str | None, *, section: str | None, environment: str | None, prefix: str, as_json: bool
) -> None:
    """Print the resolved settings with their origins, secrets redacted.

    Variables of the environment are shown where they belong to a section. A section without a credential gets
    the one of Default, else the default chain.

    \b
    Exit codes: 0 printed, 1 a file cannot be read or the section is not there, 2 wrong usage.

    \b
    Examples:
      azcert config show
      azcert config show --section KeyVault
      azcert config show appsettings.json --environment Development --json

    """
    from azcert.config.check import unresolved
    from azcert.config.reading.load import environment_name
    from azcert.config.reading.origin import Place
    from azcert.config.reading.secrecy import shown
    from azcert.config.sections import Sections

    settings = unresolved(_load(file, environment, prefix))
    sections = Sections(settings)
    rows = [
        {
            "key": entry.key,
            "value": shown(entry.key, entry.text if isinstance(entry.text, str) else None),
            "origin": str(entry.origin),
        }
        for entry in (settings if section is None else sections.section(section))
        if ":" in entry.key or entry.origin.place is not Place.ENVIRONMENT
    ]
    if not as_json:
        talk(f"The environment is {environment_name(os.environ, environment)}.")
        for row in rows:
            data(f"{row['key']} = {row['value']}   ({row['origin']})")
    spec = None if section is None else sections.credential(section)
    if as_json:
        data({"settings": rows} | ({} if spec is None else {"credential": spec.as_dict()}), as_json=True)
    elif spec is not None:
        for line in _described(spec):
            data(line)
    elif not rows:
        talk(_NOTHING)


def _described(spec: CredentialSpec, indent: str = "") -> list[str]:
    """Return a credential in words: its class and origin, its arguments, the credentials it is made of."""
    from azcert.config.credentials.spec import plain

    lines = [f"{indent}credential = {spec.kind}   ({spec.origin or 'nothing asks for another'})"]
    for name, value in spec.arguments.items():
        simple = plain(value)
        text = " or ".join(simple) if name == "certificate" else simple
        lines.append(f"{indent}  {name} = {text}")
    for part in spec.parts:
        lines += _described(part, f"{indent}  ")
    return lines


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
    Exit codes: 0 nothing is wrong, 1 something is or there is nothing to check, 2 wrong usage.

    \b
    Examples:
      azcert config check
      azcert config check --strict --environment Production
      azcert config check --client KeyVault=azure.keyvault.secrets.SecretClient

    """
    import logging
    from dataclasses import asdict

    from azcert.config.check import check_settings, client_class, described_sections

    named: dict[str, Any] = {}
    for client in clients:
        section, equals, name = client.partition("=")
        if not equals:
            raise click.BadParameter(f"{client!r} is not SECTION=CLASS.", param_hint="'--client'")
        named[section] = client_class(name)
    # What is logged of secrets in files is among the findings.
    logging.getLogger("azcert.config").addHandler(logging.NullHandler())
    settings = _load(file, environment, prefix)
    checked = list(dict.fromkeys([*described_sections(settings), *named]))
    findings = check_settings(settings, named)
    if as_json:
        data([asdict(finding) for finding in findings], as_json=True)
    for finding in [] if as_json else findings:
        data(f"{'error' if finding.fatal else 'advice'}: {finding.message}")
    if not checked and not findings:
        nothing = "There is nothing to check: no section describes a credential or a client."
        talk(nothing if any(":" in entry.key for entry in settings) else _NOTHING)
        sys.exit(1)
    if any(finding.fatal or strict for finding in findings):
        sys.exit(1)
    if not findings:
        talk(f"Nothing is wrong with {', '.join(checked)}.")


@config.command("schema")
def schema() -> None:
    """Print a JSON Schema of appsettings.json, for completion in editors.

    \b
    Exit codes: 0 always.

    \b
    Examples:
      azcert config schema > appsettings.schema.json

    """
    from azcert.config.schema import settings_schema

    data(settings_schema(), as_json=True)


def _load(file: str | None, environment: str | None, prefix: str) -> Settings:
    from azcert.config.reading.load import load_settings

    return load_settings(file, environment=environment, prefix=prefix)
