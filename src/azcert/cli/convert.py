"""``azcert convert``: any form of a certificate into any other."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from azcert.cli.output import talk
from azcert.cli.password import choose_password, password_options, with_password
from azcert.cli.saving import force_option, refuse_existing, save

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

    from azcert._redact import Secret
    from azcert.certificate.chain import Paired
    from azcert.certificate.formats import Contents
    from azcert.certificate.model import Certificate

__all__ = ["convert"]

FORMS = {
    "pem": "PEM",
    "pkcs12": "PKCS#12",
    "pkcs12-legacy": "PKCS#12 for older programs",
    "base64": "base64 of PKCS#12",
    "key": "private key in PEM",
    "key-der": "private key in DER",
    "cer": "certificate in PEM",
    "der": "certificate in DER",
}
_BY_SUFFIX = {
    ".pem": "pem",
    ".crt": "cer",
    ".cer": "cer",
    ".pfx": "pkcs12",
    ".p12": "pkcs12",
    ".der": "der",
    ".key": "key",
    ".b64": "base64",
}
_PUBLIC_FORMS = {"cer", "der"}
_KEY_FORMS = {"key", "key-der"}


@click.command()
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@click.option(
    "--to", "form", type=click.Choice(list(FORMS)), help="Form to write; without it, OUT's suffix decides."
)
@click.option("--public", is_flag=True, help="Leave the private key away.")
@click.option(
    "--encrypt", is_flag=True, help="Encrypt the new file; asks for its password if no option names one."
)
@click.option("--keep-password", is_flag=True, help="Encrypt the new file with the password of IN.")
@password_options("password", purpose="of IN")
@password_options("new_password", purpose="to encrypt OUT with")
@force_option
def convert(
    *,
    source: str,
    target: Path,
    form: str | None,
    public: bool,
    encrypt: bool,
    keep_password: bool,
    password: Secret | None,
    new_password: Secret | None,
    force: bool,
) -> None:
    """Write the certificate in IN, whatever its form, to OUT in another form.

    \b
    Forms (--to):
      pem            private key, certificate and chain as PEM      (.pem)
      pkcs12         the same as PKCS#12 with AES-256               (.pfx, .p12)
      pkcs12-legacy  the same with 3DES, for older programs
      base64         PKCS#12 as one line of text, for variables     (.b64)
      key, key-der   the private key alone, PKCS#8                  (.key)
      cer, der       the certificate alone, PEM or DER              (.cer, .crt; .der)

    A file with a private key gets mode 0600. Nothing is overwritten without --force.

    Exit codes: 0 written, 1 failed (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      azcert convert app.pem app.pfx --new-password-file password.txt
      azcert convert old.pfx app.pem --password-env PFX_PASSWORD
      azcert convert app.pem legacy.pfx --to pkcs12-legacy --encrypt
      azcert convert app.pfx app.cer
    """
    form = _form(form, target, public=public)
    if keep_password and (encrypt or new_password):
        raise click.UsageError("--keep-password and a new password exclude each other.")
    refuse_existing([target], force=force)
    contents, used = _load(source, password)
    if keep_password:
        new_password = _kept(used, source)
    elif (encrypt or form == "pkcs12-legacy") and new_password is None:
        new_password = choose_password(str(target))
    if form in _KEY_FORMS:
        private = True
        content = _written_key(form, _the_key(contents, source), new_password)
    else:
        key, certificate = _chosen(contents, source, public=public or form in _PUBLIC_FORMS)
        private = key is not None
        content = _written(form, key, certificate, new_password)
    save(target, content, private=private, force=force)
    protection = "encrypted" if new_password else "not encrypted, mode 0600"
    talk(f"Wrote {target}: {FORMS[form]}, {protection if private else 'without the private key'}.")


def _form(form: str | None, target: Path, *, public: bool) -> str:
    found = form or _BY_SUFFIX.get(target.suffix.lower())
    if found is None:
        raise click.UsageError(f"The suffix of {target} says nothing about a form: add --to.")
    if public and found in _KEY_FORMS:
        raise click.UsageError("--public and the private key alone exclude each other.")
    return found


def _load(source: str, password: Secret | None) -> tuple[Contents, Secret | None]:
    """Return what is in the file, and the password that was given or asked for."""
    from azcert._files import judge_key_file, read_file
    from azcert.certificate import formats

    def load(given: Secret | None) -> tuple[Contents, Secret | None]:
        return formats.load(read.data, password=given, name=source), given

    read = read_file(source, limit=formats.MAX_SIZE)
    contents, used = with_password(load, password, name=source)
    if contents.keys:
        judge_key_file(read)
    return contents, used


def _kept(used: Secret | None, source: str) -> Secret:
    from azcert.errors import CertificateError

    if used is None:
        raise CertificateError(
            f"{source} has no password to keep.",
            code="password-missing",
            remedy="Choose one with --encrypt.",
            name=source,
        )
    return used


def _chosen(contents: Contents, source: str, *, public: bool) -> tuple[PrivateKeyTypes | None, Certificate]:
    from azcert.certificate.chain import leaf_without_key, with_chain
    from azcert.errors import CertificateError

    if public and not contents.keys:
        leaf = leaf_without_key(contents.certificates, name=source)
        return None, with_chain(leaf, contents.certificates)[0]
    if not public and not contents.keys and contents.certificates:
        raise CertificateError(
            f"{source} holds no private key.",
            code="key-missing",
            remedy="Add --public to convert the certificate alone, or give the file with the key.",
            name=source,
        )
    paired = _paired(contents, source)
    return None if public else paired.key, paired.certificate


def _the_key(contents: Contents, source: str) -> PrivateKeyTypes:
    """Return the only key, with or without a certificate; of several, the one a certificate decides for."""
    key, *others = contents.keys or (None,)
    if key is None or others:
        return _paired(contents, source).key
    return key


def _paired(contents: Contents, source: str) -> Paired:
    from azcert.certificate.chain import pair

    return pair(contents, name=source, now=dt.datetime.now(dt.UTC))


def _written_key(form: str, key: PrivateKeyTypes, password: Secret | None) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    from azcert.certificate import writers

    encoding = Encoding.PEM if form == "key" else Encoding.DER
    return writers.key_bytes(key, password=password, encoding=encoding)


def _written(
    form: str, key: PrivateKeyTypes | None, certificate: Certificate, password: Secret | None
) -> bytes:
    from azcert.certificate import writers

    match form:
        case "der":
            return certificate.der
        case "cer":
            return writers.public_pem(certificate, chain=False)
        case "pem":
            return (
                writers.pem(key, certificate, password=password) if key else writers.public_pem(certificate)
            )
    legacy = form == "pkcs12-legacy"
    content = writers.pkcs12(key, certificate, password=password, legacy=legacy)
    return writers.wrapped_base64(content) if form == "base64" else content
