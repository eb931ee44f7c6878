"""Passwords for commands: from a variable, a file, a descriptor or a prompt; never from the command line.

Every process of a machine can read the arguments of every other one.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, TypeVar

import click

from azcert.cli.output import talk

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert._redact import Secret

__all__ = ["can_ask", "choose_password", "password_options", "with_password"]

_T = TypeVar("_T")

_ORIGINS = (
    ("env", "NAME", "environment variable NAME"),
    ("file", "PATH", "a file"),
    ("fd", "N", "file descriptor N"),
)


def password_options(parameter: str, *, purpose: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add ``--PARAMETER-env``, ``-file`` and ``-fd``; the command gets one `Secret` or None as *parameter*.

    :param parameter: ``"password"``, ``"new_password"``.
    :param purpose: ends the help text "Password ... from ...".
    """
    option = parameter.replace("_", "-")

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def wrapped(**arguments: Any) -> Any:
            given = {kind: arguments.pop(f"{parameter}_{kind}") for kind, _, _ in _ORIGINS}
            arguments[parameter] = _read(
                {kind: name for kind, name in given.items() if name is not None}, option
            )
            return command(**arguments)

        for kind, metavar, origin in reversed(_ORIGINS):
            wrapped = click.option(
                f"--{option}-{kind}", metavar=metavar, help=f"Password {purpose}, from {origin}."
            )(wrapped)
        return wrapped

    return decorate


def _read(given: dict[str, str], option: str) -> Secret | None:
    from azcert.stores.passphrase import PassphraseFrom, PassphraseKind

    if len(given) > 1:
        names = " and ".join(f"--{option}-{kind}" for kind in given)
        raise click.UsageError(f"{names} exclude each other: give the password once.")
    for kind, name in given.items():
        if kind == "fd" and not name.isdigit():
            raise click.BadParameter(f"{name!r} is no file descriptor's number.", param_hint=f"--{option}-fd")
        return PassphraseFrom(PassphraseKind(kind), name).read()
    return None


def can_ask() -> bool:
    """Tell whether there is a person to ask: a terminal to read from and one to ask on."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def with_password(use: Callable[[Secret | None], _T], password: Secret | None, *, name: str) -> _T:
    """Return ``use(password)``; ask for the password if one turns out to be needed and a person is there.

    :raises azcert.errors.AzcertError: ``password-missing``, ``pin-missing``: nobody can be asked; or what
        *use* raises.
    """
    from azcert._redact import Secret
    from azcert.errors import AccessError, CertificateError

    try:
        return use(password)
    except (AccessError, CertificateError) as error:
        if error.code not in {"password-missing", "pin-missing"} or not can_ask():
            raise
        what = "PIN" if error.code == "pin-missing" else "Password"
    return use(Secret(click.prompt(f"{what} of {name}", hide_input=True, err=True)))


def choose_password(name: str) -> Secret:
    """Ask twice for a new password.

    :raises click.UsageError: nobody can be asked.
    """
    from azcert._redact import Secret

    if not can_ask():
        raise click.UsageError(
            "There is no terminal to ask for the new password; name its origin by an option."
        )
    talk(f"A password for {name}; nobody can open it without.")
    return Secret(click.prompt("New password", hide_input=True, confirmation_prompt=True, err=True))
