"""Who a command signs in as: the same options and variables for every command that needs a token."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from azcert.cli.password import password_options, with_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert._redact import Secret
    from azcert.credential.sync import CertificateCredential

__all__ = [
    "PASSWORD_VARIABLE",
    "credential_from",
    "credential_options",
    "credential_or_settings",
    "credential_or_settings_options",
    "refuse_beside_settings",
]

PASSWORD_VARIABLE = "AZURE_CLIENT_CERTIFICATE_PASSWORD"  # noqa: S105  (the variable's name)


def _boolean(context: click.Context, parameter: click.Parameter, value: str | None) -> bool:
    """Read true, false, 1 or 0 in any case, as Azure's libraries for .NET and JavaScript do."""
    del context, parameter
    text = (value or "").strip().lower()
    if text in {"true", "1"}:
        return True
    if text in {"false", "0", ""}:
        return False
    raise click.BadParameter(f"{value!r} is neither true nor false.")


_OPTIONS = (
    click.option(
        "--tenant",
        "tenant_id",
        envvar="AZURE_TENANT_ID",
        show_envvar=True,
        metavar="ID",
        help="Tenant: its ID or domain.",
    ),
    click.option(
        "--client-id",
        envvar="AZURE_CLIENT_ID",
        show_envvar=True,
        metavar="ID",
        help="Application (client) ID.",
    ),
    click.option(
        "--certificate",
        envvar="AZURE_CLIENT_CERTIFICATE_PATH",
        show_envvar=True,
        metavar="SOURCE",
        help="Certificate with its key: a file or a source's URI.",
    ),
    password_options("certificate_password", purpose=f"of the key (or in {PASSWORD_VARIABLE})"),
    click.option(
        "--send-chain",
        "send_certificate_chain",
        envvar="AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
        show_envvar=True,
        callback=_boolean,
        metavar="true|false",
        help="Send the certificate with its issuers (x5c).",
    ),
    click.option(
        "--authority",
        envvar="AZURE_AUTHORITY_HOST",
        show_envvar=True,
        metavar="HOST",
        help="Authority of another cloud.",
    ),
    click.option(
        "--disable-instance-discovery",
        is_flag=True,
        help="Trust an authority that is not one of Microsoft's hosts.",
    ),
)


def credential_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options; the command hands what they gave, untouched, to `credential_from`."""

    @functools.wraps(command)
    def wrapped(**arguments: Any) -> Any:
        return command(**arguments)

    decorated: Callable[..., Any] = wrapped
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


_IDENTITY = frozenset(
    {
        "tenant_id",
        "client_id",
        "certificate",
        "send_certificate_chain",
        "authority",
        "disable_instance_discovery",
    }
)
_SETTINGS_OPTIONS = (
    click.option(
        "--settings",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Sign in as these settings say; appsettings.json with --section alone.",
    ),
    click.option(
        "--section",
        metavar="NAME",
        help="The section of the settings, such as KeyVault; without it, their Default.",
    ),
)


def credential_or_settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add `credential_options`, and a settings file with a section that can stand in their place."""
    decorated = credential_options(command)
    for option in reversed(_SETTINGS_OPTIONS):
        decorated = option(decorated)
    return decorated


def credential_or_settings(*, settings: Path | None, section: str | None, **identity: Any) -> Any:
    """Return the credential of the settings where they are named, else the one the other options stand for.

    :raises click.UsageError: something is missing, or both are given.
    :raises azcert.errors.AzcertError: the settings or the certificate cannot be used.
    """
    if settings is None and section is None:
        return credential_from(**identity)
    from azcert.config.sync import credential_from_settings
    from azcert.errors import ConfigurationError

    refuse_beside_settings()
    credential = credential_from_settings(settings, section)
    if not hasattr(credential, "get_token"):
        raise ConfigurationError(
            f"The section {section or 'Default'} asks for a key, which gets no token.",
            code="no-token-credential",
            remedy="Name a section with another credential.",
        )
    return credential


def refuse_beside_settings() -> None:
    """Refuse options about the identity on the command line; variables only fill what a section leaves open.

    :raises click.UsageError: there is one.
    """
    context = click.get_current_context()
    for parameter in context.command.params:
        name = parameter.name or ""
        about_identity = name in _IDENTITY or name.startswith("certificate_password")
        if about_identity and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} and --settings or --section: give one of them.")


def credential_from(
    *,
    tenant_id: str | None,
    client_id: str | None,
    certificate: str | None,
    certificate_password: Secret | None,
    send_certificate_chain: bool,
    authority: str | None,
    disable_instance_discovery: bool,
    **options: Any,
) -> CertificateCredential:
    """Return the credential these options stand for; ask for the key's password if it needs one.

    :param options: further keywords of `azcert.CertificateCredential`.
    :raises click.UsageError: something is missing.
    :raises azcert.errors.AzcertError: the certificate cannot be used.
    """
    from azcert._redact import Secret
    from azcert.credential.sync import CertificateCredential

    missing = [
        f"{option} (or {variable})"
        for option, variable, value in (
            ("--tenant", "AZURE_TENANT_ID", tenant_id),
            ("--client-id", "AZURE_CLIENT_ID", client_id),
            ("--certificate", "AZURE_CLIENT_CERTIFICATE_PATH", certificate),
        )
        if not value
    ]
    if missing or not (tenant_id and client_id and certificate):
        raise click.UsageError(f"Missing: {', '.join(missing)}.")
    password = certificate_password
    if password is None and os.environ.get(PASSWORD_VARIABLE):
        password = Secret(os.environ[PASSWORD_VARIABLE])

    def make(given: Secret | None) -> CertificateCredential:
        return CertificateCredential(
            tenant_id,
            client_id,
            certificate=certificate,
            password=given,
            authority=authority,
            send_certificate_chain=send_certificate_chain,
            disable_instance_discovery=disable_instance_discovery,
            **options,
        )

    return with_password(make, password, name=certificate)
