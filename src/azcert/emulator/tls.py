"""The emulator's certificate authority, and server certificates minted for the name a client asks."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
import ssl
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from azcert._files import write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Authority", "server_context"]

_YEAR = dt.timedelta(days=365)
_LEAF_LIFETIME = dt.timedelta(days=397)  # Apple's and the CA/Browser Forum's limit is 398 days
_HOSTS_KEPT = 256


class Authority:
    """A local CA whose certificate is good for the emulated names and no others (RFC 5280, 4.2.1.10).

    Whoever trusts it by mistake beyond a test has not handed out the keys to the whole web.
    """

    def __init__(self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> None:
        self._key = key
        self.certificate = certificate

    @classmethod
    def create(cls, domains: Iterable[str]) -> Authority:
        """Make a new one, good for *domains* and what lies below them."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"azcert emulator CA {secrets.token_hex(4)} (local tests only)")
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + 10 * _YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(_constraints(domains), critical=True)
        )
        return cls(key, builder.sign(key, SHA256()))

    @classmethod
    def from_pem(cls, pem: bytes) -> Authority:
        """Read what `private_pem` gave."""
        key = load_pem_private_key(pem, None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the emulator's CA key is an EC key")
        return cls(key, x509.load_pem_x509_certificate(pem))

    @property
    def pem(self) -> bytes:
        """The CA's certificate: what clients must trust."""
        return self.certificate.public_bytes(Encoding.PEM)

    def private_pem(self) -> bytes:
        """Return key and certificate, for a private file."""
        return _key_pem(self._key) + self.pem

    def issue(self, host: str, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
        """Return a server certificate for *host* and *key*."""
        issuer_id = self.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(_name("azcert emulator"))
            .issuer_name(self.certificate.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now - dt.timedelta(days=1) + _LEAF_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id), critical=False
            )
            .sign(self._key, SHA256())
        )


def server_context(
    authority: Authority, default: str, known: Callable[[str], bool], distrusted: Callable[[str], bool]
) -> ssl.SSLContext:
    """Return a server's TLS context that presents a certificate for whatever *known* name is asked by SNI.

    :param default: the name shown to a client that asks for none.
    :param distrusted: asked at each handshake; where true, the client gets a certificate of a CA that nobody
        trusts.
    """
    # One key for all names: it never leaves the process's memory but for the instant OpenSSL reads it.
    key = ec.generate_private_key(ec.SECP256R1())

    @lru_cache(_HOSTS_KEPT)
    def context_for(host: str) -> ssl.SSLContext:
        return _context(key, authority.issue(host, key.public_key()))

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if name is None:
            return None
        host = name.lower()
        if not known(host):
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        if distrusted(host):
            stranger = Authority.create([host])
            connection.context = _context(key, stranger.issue(host, key.public_key()))
        else:
            connection.context = context_for(host)
        return None

    first = _context(key, authority.issue(default, key.public_key()))
    first.sni_callback = choose
    return first


def _context(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    # The standard library takes certificates and keys from files only.
    with tempfile.TemporaryDirectory(prefix="azcert-") as folder:
        file = Path(folder) / "server.pem"
        write_atomic(file, _key_pem(key) + certificate.public_bytes(Encoding.PEM))
        context.load_cert_chain(file)
    return context


def _constraints(domains: Iterable[str]) -> x509.NameConstraints:
    # Permitted DNS names say nothing of other kinds of names, so addresses are excluded by themselves.
    everywhere = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    return x509.NameConstraints(
        permitted_subtrees=[x509.DNSName(domain) for domain in domains],
        excluded_subtrees=[x509.IPAddress(network) for network in everywhere],
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
