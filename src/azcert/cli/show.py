"""``azcert show``: what is in a certificate file, and whether Entra ID will take it."""

from __future__ import annotations

import datetime as dt
import sys
from typing import TYPE_CHECKING, Any

import click

from azcert.cli.output import data, json_option, talk
from azcert.cli.password import password_options, with_password

if TYPE_CHECKING:
    from azcert._files import FileRead
    from azcert._redact import Secret
    from azcert.certificate.fitness import Finding
    from azcert.certificate.formats import Contents
    from azcert.certificate.model import Certificate

__all__ = ["show"]

_STDIN = "-"


@click.command()
@click.argument("file")
@password_options("password", purpose="of the private key")
@json_option
def show(*, file: str, password: Secret | None, as_json: bool) -> int:
    """Show what FILE holds: PEM, PKCS#12, DER, PKCS#7, or base64 of these; '-' is standard input.

    Tells the certificate, its chain, whether the private key is there and belongs to it, and what Entra ID
    or the file system would have against it.

    Exit codes: 0 Entra ID will take it, 1 it will not or FILE cannot be read, 2 wrong usage.

    \b
    Examples:
      azcert show app.pem
      azcert show app.pfx --password-env PFX_PASSWORD
      azcert show app.cer --json | jq -r .thumbprint
    """
    from azcert._files import read_file
    from azcert.certificate import formats
    from azcert.errors import AzcertError

    name = "standard input" if file == _STDIN else file
    now = dt.datetime.now(dt.UTC)
    try:
        read = None if file == _STDIN else read_file(file, limit=formats.MAX_SIZE)
        content = sys.stdin.buffer.read(formats.MAX_SIZE + 1) if read is None else read.data
        contents = with_password(
            lambda given: formats.load(content, password=given, name=name), password, name=name
        )
        certificate, extras = _arrange(contents, name, now)
    except AzcertError as error:
        if not as_json:
            raise
        data({"file": name, "fit": False, "error": error.as_dict()}, as_json=True)
        talk(f"azcert: {error}")
        return 1
    found = _findings(read, contents, certificate, now)
    fit = not any(each.is_error for each in found)
    if as_json:
        data(_described(name, contents, certificate, extras, found), as_json=True)
    else:
        data(_text(name, contents, certificate, extras, now))
        for each in found:
            talk(f"{'error' if each.is_error else 'warning'}: {each.message} {each.remedy}")
    return 0 if fit else 1


def _arrange(contents: Contents, file: str, now: dt.datetime) -> tuple[Certificate, tuple[Certificate, ...]]:
    from azcert.certificate.chain import leaf_without_key, pair, with_chain

    if contents.keys:
        paired = pair(contents, name=file, now=now)
        return paired.certificate, paired.extras
    return with_chain(leaf_without_key(contents.certificates, name=file), contents.certificates)


def _findings(
    read: FileRead | None, contents: Contents, certificate: Certificate, now: dt.datetime
) -> list[Finding]:
    from azcert._files import judge_key_file
    from azcert.certificate.fitness import Finding, findings
    from azcert.errors import AccessError

    found = list(findings(certificate, now=now))
    if read and (contents.keys or contents.tss2_keys):
        try:
            judge_key_file(read)
        except AccessError as error:
            found.insert(0, Finding(error.code, error.message, error.remedy or ""))
    return found


def _key_words(contents: Contents) -> str:
    if contents.tss2_keys:
        return "in a TPM"
    if not contents.keys:
        return "not in this file"
    return (
        "here, encrypted, belongs to the certificate"
        if contents.encrypted
        else "here, belongs to the certificate"
    )


def _text(
    file: str,
    contents: Contents,
    certificate: Certificate,
    extras: tuple[Certificate, ...],
    now: dt.datetime,
) -> str:
    from azcert.certificate.model import Certificate as Model
    from azcert.cli.certificate_text import as_text, remaining, rows

    pairs = [("file", f"{file}: {contents.form}"), *as_text(certificate)]
    pairs = [
        (label, f"{value} ({remaining(certificate, now)})" if label == "valid until" else value)
        for label, value in pairs
    ]
    pairs.append(("private key", _key_words(contents)))
    for number, each in enumerate(certificate.chain, 1):
        pairs.append((f"chain {number}", f"{each.subject.rfc4514_string()} {Model(each).thumbprint}"))
    pairs += [("also in it", f"{each.subject} {each.thumbprint}") for each in extras]
    return rows(pairs)


def _described(
    file: str,
    contents: Contents,
    certificate: Certificate,
    extras: tuple[Certificate, ...],
    found: list[Finding],
) -> dict[str, Any]:
    from azcert.certificate.model import Certificate as Model
    from azcert.cli.certificate_text import as_json

    return {
        "file": file,
        "fit": not any(each.is_error for each in found),
        "form": contents.form,
        **as_json(certificate),
        "private_key": "tpm" if contents.tss2_keys else "present" if contents.keys else "absent",
        "encrypted": contents.encrypted,
        "chain": [as_json(Model(each)) for each in certificate.chain],
        "extras": [as_json(each) for each in extras],
        "findings": [
            {
                "code": each.code,
                "error": each.is_error,
                "message": each.message,
                "remedy": each.remedy,
            }
            for each in found
        ],
    }
