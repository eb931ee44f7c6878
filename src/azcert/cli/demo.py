"""``azcert demo``: the whole job, told step by step, against the emulator."""

from __future__ import annotations

import datetime as dt
import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from azcert.cli.output import data, talk

if TYPE_CHECKING:
    from azcert.emulator.session import Session

__all__ = ["demo"]

_PROGRAMS = {
    "open_certificate.py": "1. Low level: a certificate opened by path, and azcert's CertificateCredential.",
    "environment.py": "2. Environment: the official DefaultAzureCredential, which knows nothing of azcert.",
    "worker.py": "3. Worker: an asyncio service that settings configure, stopped by SIGTERM.",
}
_ENDLESS = "worker.py"
_PATIENCE = 60


@click.command()
def demo() -> None:
    """Make a certificate, sign in with it, read a Key Vault secret: three programs, offline.

    An emulator on loopback answers under Azure's real host names. What is made, sent and answered is told on
    stderr; what the programs print comes last, on stdout.

    Exit codes: 0 all three read the secret, 1 one did not.

    \b
    Examples:
      azcert demo
    """
    from azcert.emulator.session import Options, session

    with tempfile.TemporaryDirectory(prefix="azcert-demo-") as name:
        folder = Path(name)
        certificate = _make_certificate(folder)
        with session(folder, Options(certificate=certificate)) as running:
            talk(f"The emulator stands in for Entra ID and Key Vault: proxy {running.emulator.proxy_url},")
            talk(f"tenant {running.identity.tenant_id}, vault {running.identity.vault}.\n")
            printed = [_show(program, title, running) for program, title in _PROGRAMS.items()]
    for line in printed:
        data(line)


def _make_certificate(folder: Path) -> Path:
    from azcert._files import write_atomic
    from azcert.certificate import writers
    from azcert.certificate.issue import generate_key, self_signed

    key = generate_key()
    certificate = self_signed(key, subject="azcert-demo", now=dt.datetime.now(dt.UTC))
    path = folder / "azcert-demo.pem"
    write_atomic(path, writers.pem(key, certificate))
    talk(f"Made {path.name}, mode 0600: {certificate.subject}, RSA {certificate.key_size} bits;")
    talk(f"its public half, thumbprint {certificate.thumbprint}, is registered on the app.\n")
    return path


def _show(program: str, title: str, running: Session) -> str:
    """Run one program, tell what went over the wire, and return the line it printed."""
    from azcert.emulator.environment import applied

    world = running.emulator.world
    seen = len(world.requests), len(world.record)
    talk(title)
    settings = {"AZCERT_SETTINGS": str(_examples() / "appsettings" / "environment.json")}
    line = _run(_examples() / program, applied(os.environ, running.environment) | settings)
    for entry in list(world.record)[seen[1] :]:
        _tell_sign_in(entry)
    for request in list(world.requests)[seen[0] :]:
        talk(f"   {request['method']:4} https://{request['host']}{request['path']} -> {request['status']}")
    talk("")
    return line


def _run(path: Path, environment: dict[str, str]) -> str:
    """Return the first line the program prints, once it has ended well; one that goes on is told to stop."""
    with subprocess.Popen(  # noqa: S603 - our own example with our own interpreter
        [sys.executable, str(path)], env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None  # noqa: S101 - asked for above
        line = process.stdout.readline().strip()
        if path.name == _ENDLESS:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_PATIENCE)
    if process.returncode != 0 or not line.startswith("Secret value is: "):
        raise click.ClickException(
            f"{path.name} ended with {process.returncode}: {line or 'it printed nothing'}"
        )
    return line


def _tell_sign_in(entry: dict[str, Any]) -> None:
    assertion = entry.get("assertion")
    if assertion is None:
        return
    talk(f"   The assertion it signed for scope {entry['scope']}:")
    talk(f"     header {json.dumps(assertion['header'])}")
    talk(f"     claims {json.dumps(assertion['claims'])}")
    verdict = "a token" if entry["status"] == 200 else f"AADSTS{entry['aadsts']}"  # noqa: PLR2004
    talk(f"   Entra ID checked the signature and answered {entry['status']}: {verdict}.")


def _examples() -> Path:
    """Return the folder of the example programs: in the package, or beside it in a checkout."""
    import azcert

    package = Path(azcert.__file__).parent
    for folder in (package / "examples", package.parent.parent / "examples"):
        if folder.is_dir():
            return folder
    raise click.ClickException("The example programs are not installed with this copy of azcert.")
