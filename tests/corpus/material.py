"""Keys and certificates the corpus is made of: a root, an intermediate, and leaves good and bad."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes as Key

__all__ = ["PASSWORD", "Material", "certificate_pem", "key_pem", "name_of"]

PASSWORD = "correct horse"


def name_of(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def key_pem(key: Key, form: PrivateFormat = PrivateFormat.PKCS8, password: str | None = None) -> bytes:
    protection = BestAvailableEncryption(password.encode()) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, protection)


def certificate_pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in certificates)


def _rsa(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@dataclass
class Material:
    """Everything is made once, when first asked for; *now* is the moment the verdicts are about."""

    now: dt.datetime

    def certify(
        self,
        subject: str,
        key: Key,
        *,
        issuer: tuple[x509.Certificate, Key] | None = None,
        ca: bool = False,
        begin: int = -30,
        end: int = 300,
    ) -> x509.Certificate:
        """Return a certificate valid from *begin* to *end*, in days from now."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(name_of(subject))
            .issuer_name(issuer[0].subject if issuer else name_of(subject))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + dt.timedelta(days=begin))
            .not_valid_after(self.now + dt.timedelta(days=end))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        signing_key = issuer[1] if issuer else key
        return builder.sign(signing_key, None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256())

    @cached_property
    def root_key(self) -> rsa.RSAPrivateKey:
        return _rsa()

    @cached_property
    def root(self) -> x509.Certificate:
        return self.certify("Contoso Root", self.root_key, ca=True, end=3000)

    @cached_property
    def issuing_key(self) -> rsa.RSAPrivateKey:
        return _rsa()

    @cached_property
    def issuing(self) -> x509.Certificate:
        issuer = (self.root, self.root_key)
        return self.certify("Contoso Issuing", self.issuing_key, issuer=issuer, ca=True, end=2000)

    @cached_property
    def key(self) -> rsa.RSAPrivateKey:
        return _rsa()

    @cached_property
    def leaf(self) -> x509.Certificate:
        return self.certify("app", self.key, issuer=(self.issuing, self.issuing_key))

    @cached_property
    def renewed(self) -> x509.Certificate:
        """The same key and name again, newer."""
        return self.certify("app", self.key, issuer=(self.issuing, self.issuing_key), begin=-1)

    @cached_property
    def coming(self) -> x509.Certificate:
        """The same key and name, valid from tomorrow on."""
        return self.certify("app", self.key, issuer=(self.issuing, self.issuing_key), begin=1)

    @cached_property
    def other_key(self) -> rsa.RSAPrivateKey:
        return _rsa()

    @cached_property
    def other(self) -> x509.Certificate:
        return self.certify("other", self.other_key)

    @cached_property
    def successor(self) -> x509.Certificate:
        """The app's name with the other key, newer: a renewal that made a new key."""
        return self.certify("app", self.other_key, begin=-1)

    @cached_property
    def expired(self) -> x509.Certificate:
        return self.certify("expired", self.key, begin=-60, end=-2)

    @cached_property
    def future(self) -> x509.Certificate:
        return self.certify("future", self.key, begin=2)

    @cached_property
    def short_key(self) -> rsa.RSAPrivateKey:
        return _rsa(1024)

    @cached_property
    def short(self) -> x509.Certificate:
        return self.certify("short", self.short_key)

    @cached_property
    def ec_key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def ec(self) -> x509.Certificate:
        return self.certify("ec", self.ec_key)

    @cached_property
    def ed_key(self) -> ed25519.Ed25519PrivateKey:
        return ed25519.Ed25519PrivateKey.generate()

    @cached_property
    def ed(self) -> x509.Certificate:
        return self.certify("ed", self.ed_key)
