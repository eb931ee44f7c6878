"""How ``azcert app`` shows an application: as lines for a person, or as JSON."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from azcert.cli.output import data
from azcert.inventory.writers.text import plain

if TYPE_CHECKING:
    from azcert.registration.model import Application, KeyCredential, PasswordCredential

__all__ = ["day", "described", "described_key", "print_credentials"]


def print_credentials(application: Application) -> None:
    """Print a line for each certificate and secret, with the days it has left."""
    now = dt.datetime.now(dt.UTC)
    for key in application.keys:
        data(f"certificate  {key.thumbprint}  {_left(key, now)}  {plain(key.display_name or '')}".rstrip())
    for password in application.passwords:
        hint = f"{password.hint or ''}***"
        data(
            f"secret       {hint:<40}  {_left(password, now)}  {plain(password.display_name or '')}".rstrip()
        )


def _left(credential: KeyCredential | PasswordCredential, now: dt.datetime) -> str:
    days = (credential.end - now).days
    return f"until {day(credential.end)} ({'expired' if days < 0 else f'{days} days left'})"


def day(moment: dt.datetime) -> str:
    """Return a moment's day, in UTC."""
    return moment.strftime("%Y-%m-%d")


def described(application: Application) -> dict[str, Any]:
    """Return an application for JSON."""
    return {
        "displayName": application.display_name,
        "appId": application.app_id,
        "id": application.id,
        "certificates": [described_key(key) for key in application.keys],
        "secrets": [
            {
                "keyId": each.key_id,
                "hint": each.hint,
                "displayName": each.display_name,
                "start": each.start.isoformat(),
                "end": each.end.isoformat(),
            }
            for each in application.passwords
        ],
    }


def described_key(key: KeyCredential) -> dict[str, Any]:
    """Return a certificate for JSON."""
    return {
        "keyId": key.key_id,
        "thumbprint": key.thumbprint,
        "displayName": key.display_name,
        "start": key.start.isoformat(),
        "end": key.end.isoformat(),
    }
