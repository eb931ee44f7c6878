"""X.509 made by a vault: the request, the self-signed certificate, and both with their key as a secret."""

from __future__ import annotations

import base64
import binascii
import calendar
import datetime as dt
import ipaddress
import re
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, load_pem_private_key, pkcs12

from azcert.emulator.keyvault import faults, jwk
from azcert.emulator.keyvault.faults import VaultRefusal
from azcert.emulator.keyvault.policy import PEM, PKCS12, USAGES, subject_name

if TYPE_CHECKING:
    from azcert.emulator.keyvault.jwk import PrivateKey

__all__ = ["Bundle", "as_secret", "read_bundle", "request", "self_signed"]

BACKDATED = dt.timedelta(minutes=10)

Bundle = tuple["PrivateKey", list[x509.Certificate], str]
"""Key, certificates with the leaf first, and the content type they came in."""


def request(key: PrivateKey, policy: dict[str, Any]) -> bytes:
    """Return the PKCS#10 request for *policy* (DER)."""
    props = policy["x509_props"]
    builder = x509.CertificateSigningRequestBuilder().subject_name(_name(props))
    for extension, critical in _extensions(props):
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def self_signed(key: PrivateKey, policy: dict[str, Any], now: float) -> x509.Certificate:
    """Return the certificate that the issuer ``Self`` makes: valid from ten minutes ago."""
    props = policy["x509_props"]
    moment = dt.datetime.fromtimestamp(int(now), dt.UTC)
    name = _name(props)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(moment - BACKDATED)
        .not_valid_after(_add_months(moment, props["validity_months"]))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
    )
    for extension, critical in _extensions(props):
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, SHA256())


def as_secret(key: PrivateKey | None, chain: list[x509.Certificate], content_type: str) -> str:
    """Return the value of a certificate's secret; without *key* where it may not be exported."""
    if content_type == PEM:
        text = jwk.to_pem(key) if key else ""
        return text + "".join(one.public_bytes(Encoding.PEM).decode() for one in chain)
    if key is None:
        # serialize_key_and_certificates wants no key only where a CA list carries the certificates.
        data = pkcs12.serialize_key_and_certificates(None, None, None, chain, NoEncryption())
    else:
        data = pkcs12.serialize_key_and_certificates(None, key, chain[0], chain[1:], NoEncryption())
    return base64.b64encode(data).decode()


def read_bundle(value: object, password: object) -> Bundle:
    """Read an imported certificate: base64 PKCS#12, PEM text, or base64 of the PEM text.

    :raises VaultRefusal: it is none of these, the password is wrong, or the key is missing.
    """
    if not isinstance(value, str):
        raise _refuse("The value must be a string.")
    secret = password.encode() if isinstance(password, str) and password else None
    if "-----BEGIN" in value:
        return _read_pem(value.encode())
    try:
        data = base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise _refuse("It is neither base64 nor PEM.") from None
    if b"-----BEGIN" in data:
        return _read_pem(data)
    try:
        key, leaf, others = pkcs12.load_key_and_certificates(data, secret)
    except ValueError:
        raise _refuse("It is no PKCS #12, or the password is wrong.") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) or leaf is None:
        raise _refuse("It holds no private key with its certificate.")
    return key, [leaf, *others], PKCS12


def _read_pem(data: bytes) -> Bundle:
    try:
        certificates = x509.load_pem_x509_certificates(data)
        block = re.search(
            rb"-----BEGIN (?:\w+ )?PRIVATE KEY-----.*?-----END (?:\w+ )?PRIVATE KEY-----", data, re.DOTALL
        )
        key = load_pem_private_key(block[0], None) if block else None
    except (ValueError, TypeError):
        raise _refuse("The PEM cannot be read; its key must not be encrypted.") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise _refuse("It holds no private key.")
    leaf = next((one for one in certificates if one.public_key() == key.public_key()), None)
    if leaf is None:
        raise _refuse("The private key is of none of its certificates.")
    return key, [leaf, *(one for one in certificates if one is not leaf)], PEM


def _refuse(reason: str) -> VaultRefusal:
    return VaultRefusal(faults.PROPERTY, name="value", reason=reason)


def _name(props: dict[str, Any]) -> x509.Name:
    return subject_name(props["subject"]) if props["subject"] else x509.Name([])


def _extensions(props: dict[str, Any]) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=props["basic_constraints"]["ca"], path_length=None), False)
    ]
    asked = {
        USAGES[name] for name in USAGES if name.lower() in {str(one).lower() for one in props["key_usage"]}
    }
    if asked:
        usages = {attribute: attribute in asked for attribute in USAGES.values()}
        usages["key_agreement"] |= usages["encipher_only"] or usages["decipher_only"]
        found.append((x509.KeyUsage(**usages), True))
    try:
        if props["ekus"]:
            usage = x509.ExtendedKeyUsage([x509.ObjectIdentifier(str(oid)) for oid in props["ekus"]])
            found.append((usage, False))
        names = _alternative_names(props.get("sans") or {})
    except (ValueError, TypeError) as error:
        raise VaultRefusal(faults.PROPERTY, name="policy.x509_props", reason=f"{error}.") from None
    if names:
        found.append((x509.SubjectAlternativeName(names), False))
    return found


def _alternative_names(sans: dict[str, Any]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = [x509.DNSName(str(name)) for name in sans.get("dns_names") or ()]
    names += [x509.RFC822Name(str(name)) for name in sans.get("emails") or ()]
    names += [x509.UniformResourceIdentifier(str(name)) for name in sans.get("uris") or ()]
    names += [x509.IPAddress(ipaddress.ip_address(str(name))) for name in sans.get("ipAddresses") or ()]
    for upn in sans.get("upns") or ():
        # Microsoft's user principal name: a UTF8String in an otherName.
        text = str(upn).encode()
        if len(text) > 127:  # noqa: PLR2004 - one length byte (X.690, 8.1.3.4)
            raise ValueError("a user principal name is too long")
        value = bytes([0x0C, len(text)]) + text
        names.append(x509.OtherName(x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), value))
    return names


def _add_months(moment: dt.datetime, months: int) -> dt.datetime:
    years, month = divmod(moment.month - 1 + months, 12)
    last = calendar.monthrange(moment.year + years, month + 1)[1]
    return moment.replace(year=moment.year + years, month=month + 1, day=min(moment.day, last))
