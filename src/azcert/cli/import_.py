"""``azcert import``: put a certificate file into a certificate store."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import click

from azcert.cli.grant import find_key
from azcert.cli.output import data, json_option, talk
from azcert.cli.password import can_ask, choose_password, password_options, with_password
from azcert.cli.store_options import open_named, open_own, store_option

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.formats import Contents
    from azcert.sources.deposit import Protection
    from azcert.stores.directory.grants import Grantee
    from azcert.stores.store import Entry

__all__ = ["import_"]

_FILE, _ENCRYPTED = "file", "encrypted"


@click.command("import")
@click.argument("file")
@store_option("CurrentUser/My")
@click.option(
    "--protect",
    metavar="LEVEL",
    default=_FILE,
    show_default=True,
    help="file: mode 0600. encrypted: by a passphrase. pkcs11:... or tpm:...: the key is or goes there.",
)
@click.option("--exportable", is_flag=True, help="Let 'azcert export --private' give the key away again.")
@click.option(
    "--passphrase-from",
    metavar="ORIGIN",
    help="Where programs find the passphrase: env:NAME, file:PATH, credential:NAME (systemd), keyring:NAME.",
)
@click.option(
    "--grants-of",
    metavar="SELECTOR",
    help="Grant the key to those who may use that certificate's: the one that this one succeeds.",
)
@password_options("password", purpose="of FILE")
@password_options("new_password", purpose="to encrypt the key with, where ORIGIN cannot be read now")
@json_option
def import_(
    *,
    file: str,
    store: str,
    protect: str,
    exportable: bool,
    passphrase_from: str | None,
    grants_of: str | None,
    password: Secret | None,
    new_password: Secret | None,
    as_json: bool,
) -> None:
    """Put the certificate in FILE, with its chain and private key, into a certificate store.

    FILE is PEM, PKCS#12, DER or PKCS#7; it stays as it is. What is in the store already under the same
    thumbprint is replaced. A key that a device keeps never comes out again.

    Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      azcert import my-app.pem
      sudo azcert import app.pfx --password-env PFX_PASSWORD --store LocalMachine/My
      sudo azcert import renewed.pem --store LocalMachine/My --grants-of 3A1F0C...
      azcert import app.pem --protect encrypted --passphrase-from credential:azcert
      azcert import app.pem --protect 'pkcs11:token=prod;object=app?pin-source=/run/pin'
    """
    from azcert._files import read_file
    from azcert.certificate import formats

    content = read_file(file, limit=formats.MAX_SIZE).data
    contents = with_password(
        lambda given: formats.load(content, password=given, name=file), password, name=file
    )
    if store.lower().startswith("dotnet:"):
        if protect != _FILE:
            raise click.UsageError(".NET's store has no passphrases and no devices: --protect file it is.")
        entries = [_into_dotnet(contents, store, file)]
    else:
        from azcert.sources.deposit import deposit

        protection = _protection(protect, passphrase_from, new_password, exportable=exportable)
        grantees = [] if grants_of is None else _grantees(grants_of, store)
        entries = deposit(contents, open_own(store), protection, name=file, now=dt.datetime.now(dt.UTC))
        _grant(entries, grantees, store)
    if as_json:
        data([{"store": str(each.store), "thumbprint": each.thumbprint} for each in entries], as_json=True)
        return
    for each in entries:
        data(each.thumbprint)
        talk(f"Imported {each.subject} into {each.store}; {_words(each)}.")


def _grantees(selector: str, store: str) -> list[Grantee]:
    """Return who may use that certificate's key now: importing may replace it."""
    from azcert.stores.directory import grants

    return sorted(grants.grants(find_key(selector, store)[1]))


def _grant(entries: list[Entry], grantees: list[Grantee], store: str) -> None:
    from azcert.stores.directory import grants

    opened = open_own(store)
    for each in entries:
        for grantee in grantees:
            grants.grant(opened.key_path(each), grantee)
            talk(f"The {grantee} may use it.")


def _words(entry: Entry) -> str:
    if not entry.has_key:
        return "without a private key"
    if entry.source is not None:
        return f"its key stays in {entry.source}"
    return f"its key is protected as {entry.protection}{', exportable' if entry.exportable else ''}"


def _protection(level: str, origin: str | None, passphrase: Secret | None, *, exportable: bool) -> Protection:
    from azcert.sources.deposit import DEVICES, Protection
    from azcert.stores.passphrase import PassphraseFrom

    if level.lower().startswith(DEVICES):
        if exportable:
            raise click.UsageError("A key in a device is not exportable.")
        return Protection(device=level)
    if level not in {_FILE, _ENCRYPTED}:
        raise click.BadParameter(
            f"{level!r} is none of file, encrypted, pkcs11:... and tpm:...", param_hint="'--protect'"
        )
    if level == _FILE:
        if origin is not None or passphrase is not None:
            raise click.UsageError("A passphrase goes with --protect encrypted.")
        return Protection(exportable=exportable)
    passphrase_from = None if origin is None else PassphraseFrom.read_text(origin)
    if passphrase is None and passphrase_from is not None:
        passphrase = passphrase_from.read()
    if passphrase is None and not can_ask():
        raise click.UsageError("--protect encrypted needs --passphrase-from, or a terminal to ask on.")
    return Protection(
        passphrase=passphrase or choose_password("the key in the store"),
        passphrase_from=passphrase_from,
        exportable=exportable,
    )


def _into_dotnet(contents: Contents, store: str, file: str) -> Entry:
    from azcert.certificate.chain import leaf_without_key
    from azcert.certificate.model import Certificate
    from azcert.sources.deposit import rsa_pair
    from azcert.stores.dotnet import DotnetStore

    opened = open_named(store)
    assert isinstance(opened, DotnetStore), "it begins with dotnet:"  # noqa: S101
    if not contents.keys:
        return opened.add(Certificate(leaf_without_key(contents.certificates, name=file)))
    key, certificate = rsa_pair(contents, name=file, now=dt.datetime.now(dt.UTC))
    return opened.add(certificate, key)
