"""Streams: data on stdout, talk on stderr, JSON where a script wants it."""

from __future__ import annotations

import json
from typing import Any

import click

__all__ = ["data", "json_option", "talk"]


def data(value: Any, *, as_json: bool = False) -> None:
    """Write data to stdout: text as it is, or *value* as one JSON document."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False) if as_json else value)


def talk(message: str) -> None:
    """Say something to the person, on stderr."""
    click.echo(message, err=True)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document instead of text.")
