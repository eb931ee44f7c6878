"""``azcert new``: a key and a self-signed certificate for it."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from azcert.cli.key_options import bits_option, dns_option
from azcert.cli.output import data, json_option, talk
from azcert.cli.password import choose_password, password_options, with_password
from azcert.cli.saving import force_option, refuse_existing, save

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.sources.key_places.signer_place import Wanted

__all__ = ["new", "output_files"]

_SUFFIXES = {"pem": ".pem", "pkcs12": ".pfx"}


@click.command()
@click.argument("name")
@click.option(
    "--subject",
    metavar="NAME",
    help="The certificate's subject: a plain name or CN=app,O=Contoso; NAME without it.",
)
@dns_option
@click.option("--days", type=int, metavar="N", help="How long it is valid; 365 without it.")
@bits_option
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
@click.option(
    "--key",
    metavar="URI",
    help="Make the key in a device, which it never leaves: pkcs11:..., tpm:FILE, keyvault:VAULT/NAME.",
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
    key: str | None,
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
      azcert new app --key "pkcs11:token=prod?pin-source=file:/etc/app.pin"
    """
    from azcert.certificate.issue import DEFAULT_DAYS
    from azcert.certificate.writers import public_pem
    from azcert.sources.key_places.signer_place import Wanted

    if legacy and form != "pkcs12":
        raise click.UsageError("--legacy is a kind of PKCS#12: add --format pkcs12.")
    if key is not None and (encrypt or legacy or form != "pem" or new_password):
        raise click.UsageError(
            "--key takes no option about a file's form or password; a PIN's origin is part of the URI."
        )
    wanted = Wanted(subject or name, names, DEFAULT_DAYS if days is None else days)
    if key is not None:
        _, public_file = output_files(name, out, ".pem")
        refuse_existing([public_file], force=force)
        certificate, source = _in_place(key, name, wanted, int(bits))
        protection = "in its device"
    else:
        key_file, public_file = output_files(name, out, _SUFFIXES[form])
        refuse_existing([key_file, public_file], force=force)
        if (encrypt or legacy) and new_password is None:
            new_password = choose_password(str(key_file))
        content, certificate = _in_file(name, wanted, int(bits), form, new_password, legacy=legacy)
        save(key_file, content, private=True, force=force)
        source = str(key_file)
        protection = "encrypted" if new_password else "not encrypted, mode 0600"
    save(public_file, public_pem(certificate, chain=False), private=False, force=force)
    if as_json:
        data(_described(certificate, source, public_file), as_json=True)
        return
    data(certificate.thumbprint)
    talk(f"Private key and certificate: {source} ({protection})")
    talk(f"Public certificate:          {public_file}")
    talk(f"Valid until:                 {certificate.not_after:%Y-%m-%d %H:%M UTC}")
    talk(f"Next: upload {public_file} to the app registration (Certificates & secrets, Upload certificate).")


def _in_file(
    name: str, wanted: Wanted, bits: int, form: str, password: Secret | None, *, legacy: bool
) -> tuple[bytes, Certificate]:
    from azcert.certificate import writers
    from azcert.certificate.issue import generate_key, self_signed

    key = generate_key(bits)
    certificate = self_signed(
        key,
        subject=wanted.subject,
        alternative_names=wanted.alternative_names,
        days=wanted.days,
        now=dt.datetime.now(dt.UTC),
    )
    if form == "pem":
        return writers.pem(key, certificate, password=password), certificate
    content = writers.pkcs12(key, certificate, password=password, legacy=legacy, friendly_name=name)
    return content, certificate


def _in_place(uri: str, name: str, wanted: Wanted, bits: int) -> tuple[Certificate, str]:
    from azcert.sources.key_places.key_place import make_key

    # A PIN that is missing is asked for before anything is made.
    place = with_password(lambda given: make_key(uri, name=name, bits=bits, password=given), None, name=uri)
    try:
        return place.self_signed(wanted, now=dt.datetime.now(dt.UTC))
    finally:
        place.close()


def _described(certificate: Certificate, source: str, public_file: Path) -> dict[str, Any]:
    return {
        "thumbprint": certificate.thumbprint,
        "thumbprint_sha256": certificate.thumbprint_sha256,
        "subject": certificate.subject,
        "not_before": certificate.not_before.isoformat(),
        "not_after": certificate.not_after.isoformat(),
        "source": source,
        "public_file": str(public_file),
    }


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
