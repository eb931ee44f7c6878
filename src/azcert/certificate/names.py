"""The names a person writes for a certificate, as X.509 names."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID

from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["alternative_names", "subject_name"]

# What Windows and OpenSSL write where RFC 4514 has no short name, or another one.
_SHORT_NAMES = {
    "E": NameOID.EMAIL_ADDRESS,
    "emailAddress": NameOID.EMAIL_ADDRESS,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
}
# Windows shows "CN=app, O=Contoso"; RFC 4514 has no space there.
_LOOSE_COMMA = re.compile(r"(?<!\\),\s+(?=[A-Za-z0-9.]+=)")


def subject_name(text: str) -> x509.Name:
    """Read a subject: ``CN=app,O=Contoso`` (RFC 4514), or a plain name, which becomes the common name.

    :raises ConfigurationError: ``bad-subject``.
    """
    try:
        if "=" not in text:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
        return x509.Name.from_rfc4514_string(_LOOSE_COMMA.sub(",", text), _SHORT_NAMES)
    except (ValueError, KeyError) as error:
        raise ConfigurationError(
            f"The subject {text!r} cannot be read{f': {error}' if str(error) else ''}.",
            code="bad-subject",
            remedy="Write a plain name of at most 64 characters, or CN=app,O=Contoso,C=US.",
            subject=text,
        ) from error


def alternative_names(texts: Sequence[str]) -> list[x509.GeneralName]:
    """Read alternative names: IP addresses, URIs (``://``), mail addresses (``@``), all others host names.

    :raises ConfigurationError: ``bad-alternative-name``.
    """
    return [_alternative_name(text) for text in texts]


def _alternative_name(text: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        pass
    try:
        if "://" in text:
            return x509.UniformResourceIdentifier(text)
        if "@" in text:
            return x509.RFC822Name(text)
        if text and not any(each.isspace() for each in text):
            return x509.DNSName(text)
    except ValueError:
        # Not ASCII: the same advice as for any other wrong name.
        pass
    raise ConfigurationError(
        f"The alternative name {text!r} cannot be used.",
        code="bad-alternative-name",
        remedy="Write host names in ASCII (xn--...) without spaces, or an IP address, URI or mail address.",
        name=text,
    )
