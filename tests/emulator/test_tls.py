"""The local CA: what it is good for, and who accepts its certificates."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from azcert.emulator.hosts import CONTROL_HOST, DOMAINS, service_of
from azcert.emulator.tls import Authority, server_context

if TYPE_CHECKING:
    from pathlib import Path

HOST = "kv-demo.vault.azure.net"


def issue(authority: Authority, host: str) -> x509.Certificate:
    return authority.issue(host, ec.generate_private_key(ec.SECP256R1()).public_key())


def test_a_server_certificate_is_what_clients_ask_for() -> None:
    authority = Authority.create(DOMAINS)
    leaf = issue(authority, HOST)
    extensions = leaf.extensions
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH
    ]
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc <= dt.timedelta(days=398)
    issuer = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    key_id = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert key_id.key_identifier == issuer.digest
    assert extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    assert extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature


def test_another_verifier_accepts_it() -> None:
    authority = Authority.create([HOST])
    verifier = PolicyBuilder().store(Store([authority.certificate])).build_server_verifier(x509.DNSName(HOST))
    # cryptography's verifier knows RFC 5280 and the CA/Browser Forum's rules, and reads name constraints.
    assert verifier.verify(issue(authority, HOST), [])


@pytest.mark.parametrize("host", ["www.example.com", "azure.net", "vault.azure.net.example.com"])
def test_the_ca_is_no_good_for_other_names(host: str, tmp_path: Path) -> None:
    authority = Authority.create(DOMAINS)
    leaf = issue(authority, host)
    verifier = PolicyBuilder().store(Store([authority.certificate])).build_server_verifier(x509.DNSName(host))
    with pytest.raises(VerificationError):
        verifier.verify(leaf, [])
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "leaf.pem").write_bytes(leaf.public_bytes(Encoding.PEM))
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", str(tmp_path / "ca.pem"), str(tmp_path / "leaf.pem")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode != 0
    assert "permitted subtree violation" in done.stderr


def test_it_survives_being_written_and_read() -> None:
    authority = Authority.create(DOMAINS)
    again = Authority.from_pem(authority.private_pem())
    assert again.pem == authority.pem
    issue(again, HOST).verify_directly_issued_by(authority.certificate)


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, host: str | None) -> ssl.SSLSocket | None:
    here, there = socket.socketpair()

    def serve() -> None:
        try:
            server.wrap_socket(there, server_side=True).close()
        except (ssl.SSLError, OSError):
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(here, server_hostname=host) as connection:
            assert connection.version() == "TLSv1.3"
    finally:
        thread.join()
        here.close()
    return None


def context(authority: Authority, *, distrusted: bool = False) -> ssl.SSLContext:
    return server_context(
        authority,
        CONTROL_HOST,
        known=lambda host: service_of(host) is not None,
        distrusted=lambda _: distrusted,
    )


def test_the_name_asked_by_sni_decides() -> None:
    authority = Authority.create(DOMAINS)
    client = ssl.create_default_context(cadata=authority.pem.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    server = context(authority)
    for host in (HOST, "login.microsoftonline.com", "westeurope.login.microsoft.com", HOST.upper()):
        shake_hands(server, client, host)


def test_an_unknown_name_is_refused() -> None:
    authority = Authority.create(DOMAINS)
    client = ssl.create_default_context(cadata=authority.pem.decode())
    with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
        shake_hands(context(authority), client, "example.com")


def test_a_client_that_does_not_trust_the_ca_ends_the_handshake() -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(context(Authority.create(DOMAINS)), ssl.create_default_context(), HOST)


def test_a_certificate_of_a_stranger_can_be_asked_for() -> None:
    authority = Authority.create(DOMAINS)
    client = ssl.create_default_context(cadata=authority.pem.decode())
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(context(authority, distrusted=True), client, HOST)
