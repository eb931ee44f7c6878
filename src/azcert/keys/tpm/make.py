"""Make a key inside the TPM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tpm2_pytss.constants import TPMA_OBJECT
from tpm2_pytss.types import TPM2B_DATA, TPM2B_PUBLIC, TPM2B_SENSITIVE_CREATE, TPML_PCR_SELECTION

from azcert.errors import ConfigurationError
from azcert.keys.tpm.key import parent_of
from azcert.keys.tpm.tss2 import OWNER, Tss2Key

if TYPE_CHECKING:
    from tpm2_pytss import ESAPI

    from azcert._redact import Secret
    from azcert.keys.tpm.connection import Connection

__all__ = ["create_key"]

_SIZES = (2048, 3072, 4096)

# It signs, never leaves this TPM, and was born in it.
_ATTRIBUTES = (
    TPMA_OBJECT.SIGN_ENCRYPT
    | TPMA_OBJECT.USERWITHAUTH
    | TPMA_OBJECT.FIXEDTPM
    | TPMA_OBJECT.FIXEDPARENT
    | TPMA_OBJECT.SENSITIVEDATAORIGIN
)


def create_key(
    connection: Connection, *, bits: int = 2048, parent: int = OWNER, auth: Secret | None = None
) -> Tss2Key:
    """Create an RSA key below *parent* and return it wrapped for a key file.

    :param auth: a password the TPM asks for; wrong ones then count towards its lockout.
    :raises ConfigurationError: ``bad-key-size``.
    :raises AzcertError: the TPM refused; not every TPM makes keys of more than 2048 bits.
    """
    if bits not in _SIZES:
        raise ConfigurationError(
            f"A TPM key of {bits} bits is not made; it is one of {', '.join(map(str, _SIZES))}.",
            code="bad-key-size",
            remedy="Take 2048: every TPM makes it.",
        )
    # Where there is no password to guess, failures elsewhere must not lock this key.
    attributes = _ATTRIBUTES | (TPMA_OBJECT.NODA if auth is None else 0)

    def work(esapi: ESAPI) -> Tss2Key:
        sensitive = TPM2B_SENSITIVE_CREATE()
        if auth is not None:
            sensitive.sensitive.userAuth = auth.reveal_bytes()
        template = TPM2B_PUBLIC.parse(f"rsa{bits}", objectAttributes=attributes)
        with parent_of(esapi, parent) as handle:
            private, public, *_ = esapi.create(
                handle, sensitive, template, TPM2B_DATA(), TPML_PCR_SELECTION()
            )
        return Tss2Key(public.marshal(), private.marshal(), parent, empty_auth=auth is None)

    return connection.run(work, "create a key", f"RSA key of {bits} bits")
