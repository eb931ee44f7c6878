"""Make a key inside the TPM, or bring one in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from tpm2_pytss.constants import TPM2_ALG, TPMA_OBJECT
from tpm2_pytss.types import (
    TPM2B_DATA,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE,
    TPM2B_SENSITIVE_CREATE,
    TPML_PCR_SELECTION,
    TPMT_SYM_DEF_OBJECT,
)
from tpm2_pytss.utils import wrap

from azcert.errors import ConfigurationError
from azcert.keys.tpm.key import parent_of
from azcert.keys.tpm.tss2 import OWNER, Tss2Key

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from tpm2_pytss import ESAPI

    from azcert._redact import Secret
    from azcert.keys.tpm.connection import Connection

__all__ = ["create_key", "import_key"]

_SIZES = (2048, 3072, 4096)

_SIGNS = TPMA_OBJECT.SIGN_ENCRYPT | TPMA_OBJECT.USERWITHAUTH
# It never leaves this TPM, and was born in it.
_BORN_HERE = TPMA_OBJECT.FIXEDTPM | TPMA_OBJECT.FIXEDPARENT | TPMA_OBJECT.SENSITIVEDATAORIGIN


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
    attributes = _attributes(auth) | _BORN_HERE

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


def import_key(
    connection: Connection, key: RSAPrivateKey, *, parent: int = OWNER, auth: Secret | None = None
) -> Tss2Key:
    """Bring *key* below *parent* and return it wrapped for a key file, which only this TPM can open.

    It travels encrypted to the parent (TPM 2.0 Library, Part 1, 23.3, "Duplication"), and does not come out
    again: a key without a policy cannot be duplicated (Part 3, ``TPM2_Duplicate``).

    :param auth: as for `create_key`.
    :raises AzcertError: the TPM refused; not every TPM takes keys of more than 2048 bits.
    """
    private_pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    public_pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def work(esapi: ESAPI) -> Tss2Key:
        sensitive = TPM2B_SENSITIVE.from_pem(private_pem)
        if auth is not None:
            sensitive.sensitiveArea.authValue = auth.reveal_bytes()
        public = TPM2B_PUBLIC.from_pem(public_pem, objectAttributes=_attributes(auth))
        with parent_of(esapi, parent) as handle:
            area = esapi.read_public(handle)[0].publicArea
            no_inner_key, duplicate, seed = wrap(area, public, sensitive)
            no_inner_cipher = TPMT_SYM_DEF_OBJECT(algorithm=TPM2_ALG.NULL)
            private = esapi.import_(handle, no_inner_key, public, duplicate, seed, no_inner_cipher)
        return Tss2Key(public.marshal(), private.marshal(), parent, empty_auth=auth is None)

    return connection.run(work, "import a key", f"RSA key of {key.key_size} bits")


def _attributes(auth: Secret | None) -> int:
    # Where there is no password to guess, failures elsewhere must not lock this key.
    exempt = TPMA_OBJECT.NODA if auth is None else 0
    return int(_SIGNS | exempt)
