"""A key made inside a TPM, kept wrapped in a key file, its certificate in the same file or one of its own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from azcert._files import PRIVATE, PUBLIC, read_file, write_atomic
from azcert.certificate import formats, pem, writers
from azcert.errors import ConfigurationError
from azcert.keys.tpm.connection import connect
from azcert.sources.key_places.signer_place import SignerPlace
from azcert.sources.openers.tpm import open_signer
from azcert.sources.writing import file_exists, writing

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from azcert._redact import Secret
    from azcert.certificate.model import Certificate
    from azcert.keys.tpm.signer import TpmSigner
    from azcert.sources.uris.uri import TpmUri

__all__ = ["TpmKeyPlace", "find", "make", "take"]

_LABEL = "TSS2 PRIVATE KEY"
_WHEN_TAKEN = "Choose another name, or use the key in it with --reuse-key."


class TpmKeyPlace(SignerPlace):
    """A key file, or a persistent handle with a file for its certificate."""

    def __init__(self, uri: TpmUri, signer: TpmSigner) -> None:
        super().__init__(str(uri), signer)
        self._uri = uri

    def put(self, certificate: Certificate) -> str:
        """Write certificate and chain behind the key, or into the file that ``certificate=`` names.

        :raises ConfigurationError: ``no-certificate-file``: a handle, and no file named.
        :raises AccessError: the file cannot be written.
        """
        text = writers.public_pem(certificate)
        if self._uri.certificate is not None:
            _write(self._uri.certificate, text, private=False, overwrite=True)
        elif self._uri.path is not None:
            _write(self._uri.path, self._key_block(self._uri.path) + text, private=True, overwrite=True)
        else:
            raise ConfigurationError(
                f"{self._uri} has no file for the certificate.",
                code="no-certificate-file",
                remedy="Add ?certificate=FILE to the URI.",
            )
        return self.source

    def _key_block(self, path: str) -> bytes:
        text = read_file(path, limit=formats.MAX_SIZE).data.decode("ascii", "ignore")
        blocks, _ = pem.find_blocks(text)
        return next(each.pem() for each in blocks if each.label == _LABEL)


def make(
    uri: TpmUri, *, name: str, bits: int, password: Secret | None = None, credential: object = None
) -> TpmKeyPlace:
    """Create a key in the TPM and write its key file, mode 0600.

    :param password: the key's password in the TPM.
    :raises ConfigurationError: a handle was named, or the file is there already.
    """
    del name, credential
    path = _new_file(uri)
    from azcert.keys.tpm.make import create_key  # tpm2-pytss is an extra

    made = create_key(connect(uri.tcti), bits=bits, auth=password)
    _write(path, made.to_pem(), private=True, overwrite=False)
    return find(uri, password=password)


def take(uri: TpmUri, key: RSAPrivateKey, certificate: Certificate, *, password: Secret | None) -> None:
    """Bring a key that was made elsewhere into the TPM, and write its key file with the certificate.

    :param password: what the key's password in the TPM becomes.
    :raises ConfigurationError: a handle was named, or the file is there already.
    """
    path = _new_file(uri)
    from azcert.keys.tpm.make import import_key  # tpm2-pytss is an extra

    made = import_key(connect(uri.tcti), key, auth=password)
    _write(path, made.to_pem() + writers.public_pem(certificate), private=True, overwrite=False)


def _new_file(uri: TpmUri) -> str:
    if uri.path is None:
        raise ConfigurationError(
            "A key gets a key file; tpm2_evictcontrol can give it a persistent handle afterwards.",
            code="no-key-place",
            remedy="Write tpm:FILE.",
        )
    if Path(uri.path).exists():
        raise file_exists(uri.path, _WHEN_TAKEN)
    return uri.path


def find(uri: TpmUri, *, password: Secret | None = None, credential: object = None) -> TpmKeyPlace:
    """Return the key that the URI names, with or without a certificate."""
    del credential
    return TpmKeyPlace(uri, open_signer(uri, password)[0])


def _write(path: str, data: bytes, *, private: bool, overwrite: bool) -> None:
    with writing(path, when_taken=_WHEN_TAKEN):
        write_atomic(path, data, mode=PRIVATE if private else PUBLIC, overwrite=overwrite)
