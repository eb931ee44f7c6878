"""``azcert accept``: put the certificate that an authority returned beside its key."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING

import click

from azcert.cli.output import data, json_option, talk
from azcert.cli.password import password_options, with_password
from azcert.cli.saving import force_option, refuse_existing, save

if TYPE_CHECKING:
    from azcert._redact import Secret

__all__ = ["accept"]


@click.command()
@click.argument("answer", metavar="ANSWER")
@click.option("--key", required=True, metavar="URI", help="Where the key is: a file or URI.")
@click.option(
    "--public",
    "public_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the public certificate, for upload, to FILE.",
)
@password_options("password", purpose="of the key's file or device")
@force_option
@json_option
def accept(
    *,
    answer: str,
    key: str,
    public_file: Path | None,
    password: Secret | None,
    force: bool,
    as_json: bool,
) -> None:
    """Put the certificate in ANSWER, what an authority returned, beside the key it was made for.

    ANSWER may be PEM, DER, PKCS#7 or base64 of these, with or without the chain, in any order. A certificate
    of another key is refused, and nothing is changed. A key in NAME.key.pem moves into NAME.pem, together
    with certificate and chain; any other file with a key is rewritten in place.

    Exit codes: 0 accepted, 1 failed (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      azcert accept answer.p7b --key app.key.pem --public app.cer
      azcert accept answer.cer --key "pkcs11:token=prod;object=app?pin-source=file:/etc/app.pin"
    """
    from azcert._files import read_file
    from azcert.certificate import formats
    from azcert.certificate.fitness import findings, require_fit
    from azcert.certificate.request import read_answer
    from azcert.certificate.writers import public_pem
    from azcert.sources.key_places.key_place import find_key

    if public_file is not None:
        refuse_existing([public_file], force=force)
    content = read_file(answer, limit=formats.MAX_SIZE).data
    place = with_password(lambda given: find_key(key, password=given), password, name=key)
    now = dt.datetime.now(dt.UTC)
    try:
        certificate, extras = read_answer(
            content, public_key=place.public_key(), place=place.place, name=answer
        )
        require_fit(certificate, now=now, name=answer)
        source = place.put(certificate)
    finally:
        place.close()
    if public_file is not None:
        save(public_file, public_pem(certificate, chain=False), private=False, force=force)
    if as_json:
        told = {"source": source, "thumbprint": certificate.thumbprint, "subject": certificate.subject}
        told |= {"not_after": certificate.not_after.isoformat()}
        chain = [each.subject.rfc4514_string() for each in certificate.chain]
        data(told | {"chain": chain, "extras": [each.subject for each in extras]}, as_json=True)
        return
    data(certificate.thumbprint)
    talk(f"Private key and certificate: {source}")
    talk(f"Issued by {certificate.issuer}, valid until {certificate.not_after:%Y-%m-%d %H:%M UTC}.")
    for each in extras:
        talk(f"Left out: {each.subject} ({each.thumbprint}), which is not in the chain.")
    for finding in findings(certificate, now=now):
        talk(f"warning: {finding.message} {finding.remedy}")
