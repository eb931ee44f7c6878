"""``azcert grant`` and ``azcert revoke``: who may use a certificate's private key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from azcert.cli.output import data, talk
from azcert.cli.store_options import find_one, selector_argument, store_option

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azcert.stores.directory.grants import Grantee
    from azcert.stores.store import Entry

__all__ = ["find_key", "grant", "revoke"]


def _grantee_options(command: Callable[..., Any]) -> Callable[..., Any]:
    group = click.option("--group", metavar="NAME", help="A group, by name or number.")
    user = click.option("--user", metavar="NAME", help="A user or service account, by name or number.")
    return user(group(command))


class _Grant(click.Command):
    """With a role instead of a certificate it is ``azcert app grant``: who types one must not guess which."""

    def make_context(self, info_name: str | None, args: list[str], *more: Any, **extra: Any) -> click.Context:
        from azcert.registration.roles import ROLES

        if any(each in ROLES for each in args) and not {"--user", "--group"} & {*args}:
            from azcert.cli.app_grant import grant as of_vault

            return of_vault.make_context(info_name, args, *more, **extra)
        return super().make_context(info_name, args, *more, **extra)


@click.command(cls=_Grant)
@selector_argument
@store_option("LocalMachine/My")
@_grantee_options
def grant(*, selector: str, store: str, user: str | None, group: str | None) -> None:
    """Let a user or group use the private key of the certificate that SELECTOR names.

    SELECTOR is a thumbprint, subject=..., issuer=..., serial=..., or a store: URI. Without --user and
    --group, print who may use it now. With a role in the place of SELECTOR it is `azcert app grant`, which
    lets an application use a Key Vault.

    Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      sudo azcert grant 3A1F0C... --user my-service
      sudo azcert grant subject=my-app --group web
      sudo azcert grant 3A1F0C...
      azcert grant secrets-reader --vault kv-billing --app billing
    """
    from azcert.stores.directory import grants

    entry, key = find_key(selector, store)
    if user is None and group is None:
        for each in sorted(map(str, grants.grants(key))):
            data(each)
        return
    grantee = _grantee(user, group)
    grants.grant(key, grantee)
    talk(f"The {grantee} may use the key of {entry.subject} ({entry.thumbprint}) now.")


@click.command()
@selector_argument
@store_option("LocalMachine/My")
@_grantee_options
def revoke(*, selector: str, store: str, user: str | None, group: str | None) -> None:
    """Take from a user or group the right to use the private key of the certificate that SELECTOR names.

    Who could read the key may have kept a copy: if that matters, replace the certificate.

    Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      sudo azcert revoke 3A1F0C... --user my-service
      sudo azcert revoke subject=my-app --group web
    """
    from azcert.stores.directory import grants

    grantee = _grantee(user, group)
    entry, key = find_key(selector, store)
    had = grants.revoke(key, grantee)
    talk(
        f"The {grantee} may no longer use the key of {entry.subject} ({entry.thumbprint})."
        if had
        else f"The {grantee} was not granted the key of {entry.subject} ({entry.thumbprint})."
    )


def _grantee(user: str | None, group: str | None) -> Grantee:
    from azcert.stores.directory.grants import find_grantee

    if (user is None) == (group is None):
        raise click.UsageError("Name one: --user NAME or --group NAME.")
    return find_grantee(user=user, group=group)


def find_key(selector: str, store: str) -> tuple[Entry, Path]:
    """Return the entry that SELECTOR names and its key's file, which others may be granted.

    :raises azcert.errors.ConfigurationError: ``not-shared``.
    """
    from azcert.errors import ConfigurationError
    from azcert.stores.directory.store import DirectoryStore
    from azcert.stores.names import Location

    opened, entry = find_one(selector, store)
    if entry.store.location is not Location.LOCAL_MACHINE or not isinstance(opened, DirectoryStore):
        raise ConfigurationError(
            f"{entry.store} belongs to one user, and others cannot enter it.",
            code="not-shared",
            remedy="Import the certificate to LocalMachine/My and grant it there.",
        )
    return entry, opened.key_path(entry)
