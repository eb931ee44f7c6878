"""What a new key and its certificate or request are asked to be: the options that `new` and `csr` share."""

from __future__ import annotations

import click

__all__ = ["bits_option", "dns_option"]

dns_option = click.option(
    "--dns",
    "names",
    multiple=True,
    metavar="NAME",
    help="An alternative name: host, IP address, URI or mail address; repeatable.",
)
bits_option = click.option(
    "--bits",
    type=click.Choice(["2048", "3072", "4096"]),
    default="2048",
    show_default=True,
    help="Size of the RSA key.",
)
