"""``azcert check``: one certificate, for a monitoring system."""

from __future__ import annotations

import datetime as dt
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from azcert.cli.output import data, json_option
from azcert.cli.password import password_options

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.errors import AzcertError

__all__ = ["check"]

_UNFIT = {"expired", "not-yet-valid", "not-rsa", "key-too-short"}


class _State(IntEnum):
    """A plugin's exit code: https://www.monitoring-plugins.org/doc/guidelines.html#AEN78."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


class _Result(NamedTuple):
    state: _State
    text: str
    thumbprint: str | None = None
    subject: str | None = None
    end: dt.datetime | None = None


class _WrongUsageError(click.UsageError):
    exit_code = _State.UNKNOWN


class _Plugin(click.Command):
    """A command whose wrong usage is UNKNOWN: 2, what it is elsewhere, would ring as CRITICAL."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(*args, **extra)
        except click.UsageError as error:
            raise _WrongUsageError(error.format_message(), error.ctx) from error

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise _WrongUsageError(error.format_message(), error.ctx) from error


@click.command(cls=_Plugin)
@click.argument("source")
@click.option(
    "--warn-days", type=click.IntRange(0), default=30, show_default=True, metavar="N", help="WARNING below N."
)
@click.option(
    "--critical-days",
    type=click.IntRange(0),
    default=7,
    show_default=True,
    metavar="N",
    help="CRITICAL below N.",
)
@password_options("password", purpose="of the key")
@json_option
def check(*, source: str, warn_days: int, critical_days: int, password: Secret | None, as_json: bool) -> int:
    """Tell a monitoring system how many days the certificate of SOURCE has left.

    SOURCE is any that a credential takes: a file, a store, a token, a TPM, a Key Vault. It is read as a
    program that signs in would: a key that is missing or closed is found out, too. Prints one line with
    performance data, as Nagios, Icinga, Checkmk and Zabbix read it.

    Exit codes: 0 OK, 1 WARNING, 2 CRITICAL (also: it has ended, or Entra ID would refuse it), 3 UNKNOWN (it
    could not be read, or wrong usage).

    \b
    Examples:
      azcert check /etc/billing/app.pem
      azcert check "store:LocalMachine/My?subject=billing" --warn-days 20 --critical-days 5
      azcert check app.pem --json | jq .daysLeft
    """
    if critical_days > warn_days:
        raise click.UsageError("--critical-days is more than --warn-days: nothing would ever be WARNING.")
    now = dt.datetime.now(dt.UTC)
    result = _judge(source, password, warn_days, critical_days, now)
    days = None if result.end is None else (result.end - now) // dt.timedelta(days=1)
    if as_json:
        described = {
            "state": result.state.name,
            "message": result.text,
            "source": source,
            "thumbprint": result.thumbprint,
            "subject": result.subject,
            "end": None if result.end is None else result.end.isoformat(),
            "daysLeft": days,
        }
        data(described, as_json=True)
    else:
        # Nothing after the first line, and no bar before the numbers, or they would not be read.
        line = " ".join(result.text.split()).replace("|", "/")
        numbers = "" if days is None else f" | days_left={days};{warn_days}:;{critical_days}:"
        data(f"AZCERT {result.state.name} - {line}{numbers}")
    return result.state


def _judge(
    source: str, password: Secret | None, warn_days: int, critical_days: int, now: dt.datetime
) -> _Result:
    from azure.core.exceptions import AzureError

    from azcert.errors import AzcertError, CertificateError

    try:
        certificate = _load(source, password)
    except CertificateError as error:
        return _unfit(error) if error.code in _UNFIT else _unread(error)
    except AzcertError as error:
        return _unread(error)
    except (AzureError, OSError) as error:
        return _Result(_State.UNKNOWN, str(error))
    days = (certificate.not_after - now) // dt.timedelta(days=1)
    lines = ((critical_days, _State.CRITICAL), (warn_days, _State.WARNING))
    state = next((state for line, state in lines if days < line), _State.OK)
    text = (
        f"{certificate.subject} ({certificate.thumbprint}) ends on {certificate.not_after:%Y-%m-%d}, "
        f"in {days} days"
    )
    return _Result(state, text, certificate.thumbprint, certificate.subject, certificate.not_after)


def _load(source: str, password: Secret | None) -> Certificate:
    from azcert.sources.open import open_source

    opened = open_source(source, password=password)
    try:
        return opened.load().certificate
    finally:
        opened.close()


def _unfit(error: AzcertError) -> _Result:
    details = error.details
    end = details.get("not_after")
    return _Result(
        _State.CRITICAL,
        error.message,
        details.get("thumbprint"),
        details.get("subject"),
        None if end is None else dt.datetime.fromisoformat(end),
    )


def _unread(error: AzcertError) -> _Result:
    return _Result(_State.UNKNOWN, " ".join(part for part in (error.message, error.remedy) if part))
