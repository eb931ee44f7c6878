"""The command group: which command lives where, and how errors become messages and exit codes."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

__all__ = ["main"]

COMMANDS: dict[str, tuple[str, str]] = {
    # name -> (module.attribute, one line of help); modules are imported only when their command runs
    "new": ("azcert.cli.new:new", "Make a key and a self-signed certificate."),
    "show": ("azcert.cli.show:show", "Show what a certificate file holds, and whether Entra ID takes it."),
    "convert": ("azcert.cli.convert:convert", "Write a certificate file in another form."),
    "csr": ("azcert.cli.csr:csr", "Make a key and a request for its certificate."),
    "accept": ("azcert.cli.accept:accept", "Put the certificate an authority returned beside its key."),
    "sign-test": ("azcert.cli.sign_test:sign_test", "Prove, without any cloud, that a key signs."),
    "app": ("azcert.cli.app:app", "Register certificates on app registrations."),
    "import": ("azcert.cli.import_:import_", "Put a certificate file into a certificate store."),
    "list": ("azcert.cli.list_:list_", "List the certificates of the stores, and for how long they last."),
    "export": ("azcert.cli.export:export", "Write a certificate of a store as PEM."),
    "remove": ("azcert.cli.remove:remove", "Remove a certificate and its key from a store."),
    "grant": ("azcert.cli.grant:grant", "Let a user use a private key, or an application a vault."),
    "revoke": ("azcert.cli.grant:revoke", "Take that right away."),
    "rotate": ("azcert.cli.rotate:rotate", "Replace a certificate by the next, without a failed request."),
    "needs-rotation": (
        "azcert.cli.needs_rotation:needs_rotation",
        "Tell whether a certificate is due for its next.",
    ),
    "migrate": ("azcert.cli.migrate:migrate", "Move an application from its client secret to a certificate."),
    "inventory": ("azcert.cli.inventory:inventory", "List the credentials of all apps, what is due first."),
    "check": ("azcert.cli.check:check", "Tell a monitoring system how many days a certificate has left."),
    "emulator": ("azcert.cli.emulator:emulator", "Stand in for Entra ID and Key Vault on this machine."),
    "token": ("azcert.cli.token:token", "Print an access token."),
    "secret": ("azcert.cli.secret:secret", "Read and write Key Vault secrets."),
    "config": ("azcert.cli.config:config", "Show and check settings of clients and credentials."),
    "demo": ("azcert.cli.demo:demo", "Show the whole job, offline, step by step."),
    "version": ("azcert.cli.version:version", "Print the version."),
}
"""Every command, in the order of ``azcert --help``."""

FAILED = 1
INTERRUPTED = 130


class _LazyGroup(click.Group):
    """A group that imports a command only when it is run: start-up time is felt on every call."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(
    cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
def cli() -> None:
    """Certificate credentials for Azure, as easy as a client secret and safer than both.

    Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.
    """


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line; the only place that ends the process."""
    try:
        code = cli.main(arguments, prog_name="azcert", standalone_mode=False)
    except click.exceptions.Abort:
        _fail("interrupted", INTERRUPTED)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except BrokenPipeError:
        # The reader of our output has gone (`azcert ... | head`): nothing more to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)
    except Exception as error:
        message = _explain(error)
        if message is None:
            raise
        _fail(message, FAILED)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception) -> str | None:
    """Return the message for an expected failure, None for a bug, which keeps its traceback."""
    from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseError

    from azcert.errors import AzcertError
    from azcert.wire.pipeline import reason

    if isinstance(error, AzcertError):
        # What to do stands on a line of its own: a service's text before it can be long.
        lines = [error.message, error.details.get("pointer"), error.remedy]
        return "\n".join(line for line in lines if line)
    if isinstance(error, ServiceRequestError | ServiceResponseError):
        return f"The service could not be reached: {reason(error)}.\nCheck name, network and HTTPS_PROXY."
    if isinstance(error, AzureError):
        # azure-core repeats code and message on lines of their own.
        return error.message.partition("\n")[0]
    if isinstance(error, OSError):
        return str(error)
    return None


def _fail(message: Any, code: int) -> NoReturn:
    click.echo(f"azcert: {message}", err=True)
    sys.exit(code)


if __name__ == "__main__":
    main()
