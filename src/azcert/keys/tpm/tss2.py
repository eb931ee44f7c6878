"""TSS2 key files: a TPM key, wrapped by the TPM, as PEM that several tools read.

The format is that of tpm2-openssl, tpm2-tools and the Linux kernel's trusted keys: "ASN.1 Specification for
TPM 2.0 Key Files", hansenpartnership.com/draft-bottomley-tpm2-keys.html.
"""

from __future__ import annotations

import base64
import textwrap
from dataclasses import dataclass, field

from azcert.certificate import der
from azcert.errors import CertificateError

__all__ = ["OWNER", "Tss2Key", "parse_tss2"]

OWNER = 0x40000001
"""TPM_RH_OWNER: the parent is the standard primary key of the owner's hierarchy."""

_LABEL = "TSS2 PRIVATE KEY"
_LOADABLE = bytes.fromhex("0606678105 0a0103")  # 2.23.133.10.1.3

_SEQUENCE, _INTEGER, _OCTETS, _BOOLEAN = 0x30, 0x02, 0x04, 0x01
_EMPTY_AUTH, _POLICY, _SECRET, _AUTH_POLICY, _DESCRIPTION, _RSA_PARENT = 0xA0, 0xA1, 0xA2, 0xA3, 0xA4, 0xA5
_OPTIONAL = {_EMPTY_AUTH, _POLICY, _SECRET, _AUTH_POLICY, _DESCRIPTION, _RSA_PARENT}


@dataclass(frozen=True)
class Tss2Key:
    """A loadable TPM key.

    :param public: the marshalled TPM2B_PUBLIC.
    :param private: the marshalled TPM2B_PRIVATE, which only its TPM can open.
    :param parent: handle of the parent: persistent (``0x81......``) or a hierarchy (``0x4000....``).
    :param empty_auth: the key has no password.
    :param rsa_parent: the hierarchy's primary is the RSA one, where it would otherwise be the ECC one.
    """

    public: bytes = field(repr=False)
    private: bytes = field(repr=False)
    parent: int = OWNER
    empty_auth: bool = True
    rsa_parent: bool = False

    def to_pem(self) -> bytes:
        """Return the key file's text."""
        body = _LOADABLE + _element(_EMPTY_AUTH, _boolean(self.empty_auth))
        if self.rsa_parent:
            body += _element(_RSA_PARENT, _boolean(value=True))
        body += _element(_INTEGER, self.parent.to_bytes(self.parent.bit_length() // 8 + 1, "big"))
        body += _element(_OCTETS, self.public) + _element(_OCTETS, self.private)
        text = base64.b64encode(_element(_SEQUENCE, body)).decode()
        return "\n".join(
            [f"-----BEGIN {_LABEL}-----", *textwrap.wrap(text, 64), f"-----END {_LABEL}-----", ""]
        ).encode()


def parse_tss2(data: bytes, name: str = "the key file") -> Tss2Key:
    """Read the DER of a ``TSS2 PRIVATE KEY`` block.

    :raises CertificateError: it is damaged, or of a kind that azcert does not load.
    """
    try:
        return _parse(data, name)
    except der.Malformed as error:
        raise CertificateError(
            f"The TPM key in {name} is damaged: {error}.",
            code="damaged",
            remedy="Restore the file, or make a new key: azcert new --key tpm:KEYFILE",
            name=name,
        ) from error


def _parse(data: bytes, name: str) -> Tss2Key:
    whole = der.read(data)
    if whole.tag != _SEQUENCE:
        raise der.Malformed("the outermost element is no SEQUENCE")
    elements = list(der.children(data, whole))
    if not elements or data[elements[0].start : elements[0].end] != _LOADABLE:
        raise CertificateError(
            f"{name} holds a TPM key that is not of the loadable kind (2.23.133.10.1.3): it is to be "
            "imported first, or is sealed data.",
            code="tpm-key-not-loadable",
            remedy="Import it with `openssl pkey -provider tpm2` or tpm2_import, and use the result.",
        )
    optional = {element.tag: element for element in elements[1:] if element.tag in _OPTIONAL}
    if _POLICY in optional or _AUTH_POLICY in optional:
        raise CertificateError(
            f"{name} holds a TPM key that is bound to a policy, which azcert does not fulfil.",
            code="tpm-policy-not-supported",
            remedy="Use a key that is protected by a password or by nothing but the TPM.",
        )
    plain = [element for element in elements[1:] if element.tag not in _OPTIONAL]
    if [element.tag for element in plain] != [_INTEGER, _OCTETS, _OCTETS]:
        raise der.Malformed("expected parent, public and private part")
    parent, public, private = (data[element.content : element.content_end] for element in plain)
    return Tss2Key(
        public=_sized(public, "public"),
        private=_sized(private, "private"),
        # Handles are unsigned; some writers let the top bit make the number negative.
        parent=int.from_bytes(parent[-4:], "big"),
        empty_auth=_read_boolean(data, optional.get(_EMPTY_AUTH)),
        rsa_parent=_read_boolean(data, optional.get(_RSA_PARENT)),
    )


def _read_boolean(data: bytes, element: der.Element | None) -> bool:
    if element is None:
        return False
    inner = der.read(data, element.content)
    if inner.tag != _BOOLEAN or inner.content_end - inner.content != 1:
        raise der.Malformed("expected a BOOLEAN")
    # DER writes TRUE as 0xFF; some writers of key files write 0x01 (BER).
    return data[inner.content] != 0


def _sized(part: bytes, name: str) -> bytes:
    if len(part) < 2 or int.from_bytes(part[:2], "big") != len(part) - 2:  # noqa: PLR2004 - a UINT16 length
        raise der.Malformed(f"the {name} part has another length than it says")
    return part


def _boolean(value: bool) -> bytes:
    return _element(_BOOLEAN, b"\xff" if value else b"\0")


def _element(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:  # noqa: PLR2004 - the short form of DER
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(size)]) + size + content
