"""``tpm:`` URIs: a key in a TPM 2.0, by persistent handle or key file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from azcert.sources.uris.grammar import (
    PASSWORD_KEYS,
    SourceUri,
    decode,
    encode,
    fault,
    password_from,
    print_query,
    read_query,
)

if TYPE_CHECKING:
    from azcert.stores.passphrase import PassphraseFrom

__all__ = ["TpmUri", "parse_tpm"]

_HANDLE = re.compile(r"(?i)handle=(?P<number>0x[0-9a-f]{1,8})")
# TPM 2.0 Library, Part 2, 7.4: persistent objects of the owner and the platform.
_PERSISTENT = range(0x81000000, 0x82000000)


@dataclass(frozen=True)
class TpmUri(SourceUri):
    """A TPM key: exactly one of *handle* and *path* is given.

    :param handle: a persistent handle, ``tpm:handle=0x81000001``.
    :param path: a TSS2 PEM key file, ``tpm:/etc/app/key.pem``.
    :param certificate: the file with the certificate; without it, *path* holds it beside the key.
    :param tcti: how to reach the TPM (``swtpm:host=localhost,port=2321``); without it, the environment says.
    :param password: the key's authorization value.
    """

    kind: ClassVar[str] = "tpm"

    handle: int | None = None
    path: str | None = None
    certificate: str | None = None
    tcti: str | None = None
    password: PassphraseFrom | None = None

    def __str__(self) -> str:
        if self.handle is not None:
            key = f"handle=0x{self.handle:08X}"
        else:
            # Encoded, a '=' cannot be taken for that of handle=.
            key = encode(self.path or "", safe="/:\\")
        return f"tpm:{key}{print_query(self.password, certificate=self.certificate, tcti=self.tcti)}"


def parse_tpm(text: str, start: int) -> TpmUri:
    """Read what follows ``tpm:`` in *text*, from *start*.

    :raises azcert.errors.SourceError: neither handle nor path, or a handle that is not persistent.
    """
    end = text.find("?", start)
    fields = {} if end < 0 else read_query(text, end + 1, {*PASSWORD_KEYS, "certificate", "tcti"})
    end = len(text) if end < 0 else end
    certificate = fields["certificate"].value if "certificate" in fields else None
    tcti = fields["tcti"].value if "tcti" in fields else None
    password = password_from(text, fields)
    if text[start:end].lower().startswith("handle="):
        found = _HANDLE.fullmatch(text, start, end)
        number = int(found["number"], 16) if found else -1
        if number not in _PERSISTENT:
            raise fault(
                text,
                start + len("handle="),
                "Expected a persistent handle, 0x81000000 to 0x81FFFFFF.",
                remedy="'tpm2_getcap handles-persistent' lists them.",
            )
        return TpmUri(handle=number, certificate=certificate, tcti=tcti, password=password)
    path = decode(text, start, end)
    if not path:
        raise fault(text, start, "After 'tpm:' a key file or handle=0x81000001 is expected.")
    return TpmUri(path=path, certificate=certificate, tcti=tcti, password=password)
