"""``azcert new``: a key and a self-signed certificate for it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from azcert.cli.output import data, json_option, talk
from azcert.cli.password import choose_password, password_options
from azcert.cli.saving import force_option, refuse_existing, save

if TYPE_CHECKING:
    from azcert._redact import Secret

__all__ = ["new", "output_files"]

_SUFFIXES = {"pem": ".pem", "pkcs12": ".pfx"}


@click.command()
@click.argument("name")
@click.option(
    "--subject",
    metavar="NAME",
    help="The certificate's subject: a plain name or CN=app,O=Contoso; NAME without it.",
)
@click.option(
    "--dns",
    "names",
    multiple=True,
    metavar="NAME",
    help="An alternative name: host, IP address, URI or mail address; repeatable.",
)
@click.option("--days", type=int, metavar="N", help="How long it is valid; 365 without it.")
@click.option(
    "--bits",
    type=click.Choice(["2048", "3072", "4096"]),
    default="2048",
    show_default=True,
    help="Size of the RSA key.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(list(_SUFFIXES)),
    default="pem",
    show_default=True,
    help="Form of the file with the key.",
)
@click.option("--legacy", is_flag=True, help="Write the PKCS#12 for older programs (3DES); needs a password.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="Folder, or file for the key; the current folder without it.",
)
@click.option(
    "--encrypt", is_flag=True, help="Encrypt the private key; asks for the password if no option names one."
)
@password_options("new_password", purpose="to encrypt the private key with")
@force_option
@json_option
def new(
    *,
    name: str,
    subject: str | None,
    names: tuple[str, ...],
    days: int | None,
    bits: str,
    form: str,
    legacy: bool,
    out: Path | None,
    encrypt: bool,
    new_password: Secret | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make an RSA key and a self-signed certificate for it that Entra ID takes.

    NAME.pem holds both and has mode 0600; NAME.cer is the public part, for upload. Nothing is overwritten
    without --force.

    Exit codes: 0 made, 1 failed (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      azcert new app
      azcert new app --format pkcs12 --new-password-env PFX_PASSWORD
      azcert new app --subject CN=app,O=Contoso --dns app.contoso.com --days 90 --out certs/
    """
    from azcert.certificate import writers
    from azcert.certificate.issue import DEFAULT_DAYS, generate_key, self_signed

    if legacy and form != "pkcs12":
        raise click.UsageError("--legacy is a kind of PKCS#12: add --format pkcs12.")
    key_file, public_file = output_files(name, out, _SUFFIXES[form])
    refuse_existing([key_file, public_file], force=force)
    if (encrypt or legacy) and new_password is None:
        new_password = choose_password(str(key_file))
    key = generate_key(int(bits))
    certificate = self_signed(
        key,
        subject=subject or name,
        alternative_names=names,
        days=DEFAULT_DAYS if days is None else days,
        now=dt.datetime.now(dt.UTC),
    )
    if form == "pem":
        content = writers.pem(key, certificate, password=new_password)
    else:
        content = writers.pkcs12(key, certificate, password=new_password, legacy=legacy, friendly_name=name)
    save(key_file, content, private=True, force=force)
    save(public_file, writers.public_pem(certificate, chain=False), private=False, force=force)
    if as_json:
        data(
            {
                "thumbprint": certificate.thumbprint,
                "thumbprint_sha256": certificate.thumbprint_sha256,
                "subject": certificate.subject,
                "not_before": certificate.not_before.isoformat(),
                "not_after": certificate.not_after.isoformat(),
                "key_file": str(key_file),
                "public_file": str(public_file),
            },
            as_json=True,
        )
        return
    data(certificate.thumbprint)
    protection = "encrypted" if new_password else "not encrypted, mode 0600"
    talk(f"Private key and certificate: {key_file} ({protection})")
    talk(f"Public certificate:          {public_file}")
    talk(f"Valid until:                 {certificate.not_after:%Y-%m-%d %H:%M UTC}")
    talk(f"Next: upload {public_file} to the app registration (Certificates & secrets, Upload certificate).")


def output_files(name: str, out: Path | None, suffix: str) -> tuple[Path, Path]:
    """Return the paths of the file with the key and of the public one beside it.

    :raises click.UsageError: NAME is a path, or both files would be one.
    """
    if out is None and Path(name).name != name:
        raise click.UsageError(
            f"NAME is a name, not a path: azcert new {Path(name).name} --out {name}{suffix}"
        )
    folder = Path() if out is None else out
    key_file = folder / f"{Path(name).name}{suffix}" if folder.is_dir() else folder
    public_file = key_file.with_name(f"{key_file.name.removesuffix(suffix)}.cer")
    if public_file == key_file or key_file.suffix == ".cer":
        raise click.UsageError("A .cer is the public part: give the file for the key another suffix.")
    return key_file, public_file
