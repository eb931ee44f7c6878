"""A key of the TPM, loaded for one operation and flushed after it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from tpm2_pytss import TSS2_Exception
from tpm2_pytss.constants import ESYS_TR, TPM2_ALG, TPM2_CAP, TPMA_OBJECT
from tpm2_pytss.types import (
    TPM2B_DATA,
    TPM2B_PRIVATE,
    TPM2B_PUBLIC,
    TPM2B_SENSITIVE_CREATE,
    TPML_PCR_SELECTION,
)

from azcert.errors import CertificateError, ConfigurationError, SelectionError
from azcert.keys.tpm.errors import is_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tpm2_pytss import ESAPI
    from tpm2_pytss.types import TPMS_CONTEXT, TPMT_PUBLIC

    from azcert._redact import Secret
    from azcert.keys.tpm.tss2 import Tss2Key

__all__ = ["FileKey", "PersistentKey", "TpmKey", "parent_of"]

_HIERARCHIES = {
    0x40000001: ESYS_TR.OWNER,
    0x4000000B: ESYS_TR.ENDORSEMENT,
    0x4000000C: ESYS_TR.PLATFORM,
    0x40000007: ESYS_TR.NULL,
}
# The storage primary that tpm2-openssl, tpm2-tss-engine and the key file format agree on: restricted, AES-128
# CFB, no dictionary-attack protection; on P-256 where the TPM has ECC, else RSA 2048.
_PRIMARY_ATTRIBUTES = (
    TPMA_OBJECT.USERWITHAUTH
    | TPMA_OBJECT.RESTRICTED
    | TPMA_OBJECT.DECRYPT
    | TPMA_OBJECT.NODA
    | TPMA_OBJECT.FIXEDTPM
    | TPMA_OBJECT.FIXEDPARENT
    | TPMA_OBJECT.SENSITIVEDATAORIGIN
)
_MAX_ALGORITHMS = 127


class TpmKey(Protocol):
    """A key that can be had for one operation."""

    def public(self, esapi: ESAPI) -> TPMT_PUBLIC:
        """Return its public area."""

    def loaded(self, esapi: ESAPI, auth: Secret | None) -> object:
        """Return a context manager that gives its handle, authorised, and leaves nothing in the TPM."""


class PersistentKey:
    """A key that stays in the TPM under a handle (``0x81......``)."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def __str__(self) -> str:
        return f"persistent key 0x{self._handle:08X}"

    def public(self, esapi: ESAPI) -> TPMT_PUBLIC:
        """Return its public area."""
        with self.loaded(esapi, None) as handle:
            public, _, _ = esapi.read_public(handle)
            return public.publicArea

    @contextmanager
    def loaded(self, esapi: ESAPI, auth: Secret | None) -> Iterator[ESYS_TR]:
        """Give the handle; the key itself stays where it is."""
        try:
            handle = esapi.tr_from_tpmpublic(self._handle)
        except TSS2_Exception as error:
            if not is_gone(error):
                raise
            raise SelectionError(
                f"The TPM has no {self}.",
                code="not-found",
                remedy="`tpm2_getcap handles-persistent` lists those it has.",
                handle=f"0x{self._handle:08X}",
            ) from error
        try:
            if auth is not None:
                esapi.tr_set_auth(handle, auth.reveal_bytes())
            yield handle
        finally:
            esapi.tr_close(handle)


class FileKey:
    """A key of a TSS2 key file, loaded below its parent and flushed after each use.

    After the first time the TPM's own saved context is loaded instead, which spares it to make the parent.
    """

    def __init__(self, key: Tss2Key, name: str) -> None:
        self._key = key
        self._name = name
        self._context: TPMS_CONTEXT | None = None

    def __str__(self) -> str:
        return f"TPM key file {self._name}"

    def public(self, esapi: ESAPI) -> TPMT_PUBLIC:
        """Return its public area, from the file."""
        del esapi
        return self._unmarshal()[0].publicArea

    @contextmanager
    def loaded(self, esapi: ESAPI, auth: Secret | None) -> Iterator[ESYS_TR]:
        """Load, give and flush."""
        handle = self._load(esapi)
        try:
            if auth is not None:
                esapi.tr_set_auth(handle, auth.reveal_bytes())
            yield handle
        finally:
            esapi.flush_context(handle)

    def _load(self, esapi: ESAPI) -> ESYS_TR:
        if self._context is not None:
            try:
                return esapi.context_load(self._context)
            except TSS2_Exception as error:
                if not is_gone(error):
                    raise
                self._context = None
        public, private = self._unmarshal()
        with parent_of(esapi, self._key.parent, rsa=self._key.rsa_parent) as parent:
            handle = esapi.load(parent, private, public)
        try:
            self._context = esapi.context_save(handle)
        except BaseException:
            esapi.flush_context(handle)
            raise
        return handle

    def _unmarshal(self) -> tuple[TPM2B_PUBLIC, TPM2B_PRIVATE]:
        try:
            return TPM2B_PUBLIC.unmarshal(self._key.public)[0], TPM2B_PRIVATE.unmarshal(self._key.private)[0]
        except TSS2_Exception as error:
            raise CertificateError(
                f"The {self} does not hold what a TPM made: {error}.", code="damaged-tpm-key"
            ) from error


@contextmanager
def parent_of(esapi: ESAPI, parent: int, *, rsa: bool = False) -> Iterator[ESYS_TR]:
    """Give the parent key: the persistent one, or the hierarchy's standard primary, flushed afterwards."""
    hierarchy = _HIERARCHIES.get(parent)
    if hierarchy is None:
        handle = esapi.tr_from_tpmpublic(parent)
        try:
            yield handle
        finally:
            esapi.tr_close(handle)
        return
    handle, *_ = esapi.create_primary(
        TPM2B_SENSITIVE_CREATE(),
        _primary_template(esapi, rsa=rsa),
        hierarchy,
        TPM2B_DATA(),
        TPML_PCR_SELECTION(),
    )
    try:
        yield handle
    finally:
        esapi.flush_context(handle)


def _primary_template(esapi: ESAPI, *, rsa: bool) -> TPM2B_PUBLIC:
    algorithms = _algorithms(esapi)
    if TPM2_ALG.ECC in algorithms and not rsa:
        kind = "ecc256:aes128cfb"
    elif TPM2_ALG.RSA in algorithms:
        kind = "rsa2048:aes128cfb"
    else:
        raise ConfigurationError(
            "This TPM offers neither ECC nor RSA keys as parents.", code="tpm-without-parents"
        )
    return TPM2B_PUBLIC.parse(kind, objectAttributes=_PRIMARY_ATTRIBUTES)


def _algorithms(esapi: ESAPI) -> set[int]:
    _, data = esapi.get_capability(TPM2_CAP.ALGS, 0, _MAX_ALGORITHMS)
    found = data.data.algorithms
    return {int(found.algProperties[index].alg) for index in range(found.count)}
