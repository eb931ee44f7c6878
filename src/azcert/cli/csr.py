"""``azcert csr``: ask a certificate authority for a certificate."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from azcert.cli.key_options import bits_option, dns_option
from azcert.cli.output import data, json_option, talk
from azcert.cli.password import password_options, with_password
from azcert.cli.saving import force_option, refuse_existing, save

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.sources.key_places.key_place import KeyPlace

__all__ = ["csr"]


@click.command()
@click.argument("name")
@click.option("--subject", metavar="NAME", help="A plain name or CN=app,O=Contoso; NAME without it.")
@dns_option
@bits_option
@click.option(
    "--key",
    metavar="URI",
    help="Where the key is made: a file, pkcs11:..., tpm:FILE, keyvault:VAULT/NAME; NAME.key.pem without it.",
)
@click.option("--reuse-key", is_flag=True, help="Use the key that is there, instead of making one.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=".",
    metavar="FOLDER",
    help="Folder for NAME.csr and NAME.key.pem; the current one without it.",
)
@password_options("password", purpose="of the key's file or device")
@force_option
@json_option
def csr(
    *,
    name: str,
    subject: str | None,
    names: tuple[str, ...],
    bits: str,
    key: str | None,
    reuse_key: bool,
    out: Path,
    password: Secret | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make a key, and NAME.csr, the request for its certificate that an authority answers.

    The key waits in NAME.key.pem (mode 0600), or where --key says; outside of files it never leaves its
    place. An existing key is never overwritten. 'azcert accept' puts the answer beside it.

    Exit codes: 0 made, 1 failed (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      azcert csr app --subject CN=app,O=Contoso --dns app.contoso.com
      azcert csr app --key "pkcs11:token=prod;object=app?pin-source=file:/etc/app.pin"
      azcert csr app --key app.pem --reuse-key
    """
    from cryptography.hazmat.primitives.serialization import Encoding

    from azcert.sources.key_places.file import KEY_SUFFIX
    from azcert.sources.key_places.signer_place import Wanted

    if Path(name).name != name:
        raise click.UsageError(f"NAME is a name, not a path: azcert csr {Path(name).name} --out FOLDER")
    request_file = out / f"{name}.csr"
    refuse_existing([request_file], force=force)
    wanted = Wanted(subject or name, names)
    place = _place(key or str(out / f"{name}{KEY_SUFFIX}"), name, int(bits), password, reuse=reuse_key)
    try:
        request = place.request(wanted)
        where = place.place
    finally:
        place.close()
    save(request_file, request.public_bytes(Encoding.PEM), private=False, force=force)
    if as_json:
        told = {"request_file": str(request_file), "key": place.source, "place": where}
        data(told | {"subject": request.subject.rfc4514_string()}, as_json=True)
        return
    data(str(request_file))
    talk(f"Private key: {where}")
    talk(f"Next: send {request_file} to the certificate authority, then:")
    talk(f"  azcert accept ANSWER --key {shlex.quote(place.source)}")


def _place(uri: str, name: str, bits: int, password: Secret | None, *, reuse: bool) -> KeyPlace:
    from azcert.sources.key_places.key_place import find_key, make_key

    def place(given: Secret | None) -> KeyPlace:
        if reuse:
            return find_key(uri, password=given)
        return make_key(uri, name=name, bits=bits, password=given)

    return with_password(place, password, name=uri)
