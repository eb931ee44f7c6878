"""``azcert sign-test``: prove that a source can sign."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from azcert.cli.output import data, json_option, talk
from azcert.cli.password import password_options, with_password

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.certificate.signer import SigningCertificate
    from azcert.sources.sign_test import Proof

__all__ = ["sign_test"]


@click.command(name="sign-test")
@click.argument("source")
@click.option(
    "-n",
    "signatures",
    type=click.IntRange(1, 100_000),
    default=10,
    show_default=True,
    metavar="N",
    help="Signatures to make with each algorithm.",
)
@password_options("password", purpose="or PIN of the key")
@json_option
def sign_test(*, source: str, signatures: int, password: Secret | None, as_json: bool) -> None:
    """Prove, without any cloud, that the key of SOURCE signs and belongs to its certificate.

    SOURCE is what every --certificate takes: a file, store:, pkcs11:, tpm:, keyvault:. The certificate and
    its key are found, each algorithm the key can do signs N times, and each signature is verified with the
    certificate's public key. Told are the place, the protection of the key, and milliseconds per signature.

    Exit codes: 0 the key signs, 1 it does not (the reason is on stderr), 2 wrong usage.

    \b
    Examples:
      azcert sign-test app.pem
      azcert sign-test "pkcs11:token=prod;object=app?pin-source=file:/etc/app.pin"
      azcert sign-test tpm:app.pem -n 100 --json
    """
    from azcert.sources.open import open_source
    from azcert.sources.sign_test import prove

    def work(given: Secret | None) -> tuple[SigningCertificate, list[Proof]]:
        opened = open_source(source, password=given)
        try:
            found = opened.load()
            try:
                return found, prove(found, signatures=signatures)
            finally:
                found.signer.close()
        finally:
            opened.close()

    found, proofs = with_password(work, password, name=source)
    certificate, signer = found.certificate, found.signer
    if as_json:
        described = {
            "source": source,
            "place": signer.place,
            "protection": signer.protection,
            "thumbprint": certificate.thumbprint,
            "subject": certificate.subject,
            "not_after": certificate.not_after.isoformat(),
            "key_size": certificate.key_size,
            "algorithms": [
                {
                    "algorithm": str(proof.algorithm),
                    "signatures": proof.signatures,
                    "median_seconds": proof.median,
                    "slowest_seconds": proof.slowest,
                }
                for proof in proofs
            ],
        }
        data(described, as_json=True)
        return
    data(f"certificate  {certificate.subject} ({certificate.thumbprint})")
    data(f"valid until  {certificate.not_after:%Y-%m-%d %H:%M UTC}")
    data(f"key          RSA {certificate.key_size}, {signer.place}")
    data(f"protection   {signer.protection}")
    for proof in proofs:
        data(
            f"{proof.algorithm:<12} {proof.median * 1000:.1f} ms per signature "
            f"(median of {proof.signatures}, slowest {proof.slowest * 1000:.1f} ms), all verified"
        )
    talk("The key signs and belongs to its certificate.")
