"""``azcert export``: a certificate of a store as a file; its private key only where that was agreed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from azcert.cli.output import data, talk
from azcert.cli.password import password_options, with_password
from azcert.cli.saving import force_option, refuse_existing, save
from azcert.cli.store_options import find_one, selector_argument, store_option

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.model import Certificate

__all__ = ["export"]


@click.command()
@selector_argument
@store_option("CurrentUser/My")
@click.option(
    "--private", is_flag=True, help="Write the private key, too; needs --out, and an exportable key."
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="Write to a file, not to stdout."
)
@password_options("password", purpose="of an encrypted key in the store")
@password_options("new_password", purpose="to encrypt the exported key with")
@force_option
def export(
    *,
    selector: str,
    store: str,
    private: bool,
    out: Path | None,
    password: Secret | None,
    new_password: Secret | None,
    force: bool,
) -> None:
    """Write the certificate that SELECTOR names, with its chain, as PEM.

    SELECTOR is a thumbprint, subject=..., issuer=..., serial=..., or a store: URI.

    Exit codes: 0 done, 1 failed (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      azcert export 3A1F0C... > my-app.cer
      azcert export subject=my-app --store LocalMachine/My --out my-app.cer
      azcert export 3A1F0C... --private --out my-app.pem
    """
    if private and out is None:
        raise click.UsageError("A private key is not written to stdout: add --out FILE.")
    if new_password is not None and not private:
        raise click.UsageError("Only a private key is encrypted: add --private.")
    if out is not None:
        refuse_existing([out], force=force)
    opened, entry = find_one(selector, store)
    content = _pem(opened.certificate(entry))
    if private:
        from azcert.stores.directory.pkcs8 import render

        key = with_password(
            lambda given: opened.export_key(entry, password=given),
            password,
            name=f"the key of {entry.subject}",
        )
        content = render(key, new_password) + content
    if out is None:
        data(content.decode().removesuffix("\n"))
        return
    save(out, content, private=private, force=force)
    talk(f"Wrote {out}{', with the private key' if private else ''}.")


def _pem(certificate: Certificate) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return b"".join(each.public_bytes(Encoding.PEM) for each in (certificate.leaf, *certificate.chain))
