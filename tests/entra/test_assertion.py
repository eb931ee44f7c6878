from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import RSAKey
from joserfc.jws import JWSRegistry

from azcert.certificate.model import Certificate
from azcert.certificate.signer import Algorithm
from azcert.entra.assertion import LIFETIME, AssertionRequest, attach, choose_algorithm
from azcert.errors import SigningError
from support.token_endpoint import make_certificate


class KeySigner:
    place = "memory"
    protection = "memory"
    blocking = False

    def __init__(self, key: rsa.RSAPrivateKey, *algorithms: Algorithm) -> None:
        self.key = key
        self.algorithms = algorithms

    def public_key(self) -> rsa.RSAPublicKey:
        return self.key.public_key()

    def sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        pad: padding.PSS | padding.PKCS1v15 = padding.PKCS1v15()
        if algorithm is Algorithm.PS256:
            pad = padding.PSS(padding.MGF1(SHA256()), 32)
        return self.key.sign(data, pad, SHA256())

    def close(self) -> None:
        """Nothing to close."""


@cache
def issued() -> tuple[Certificate, rsa.RSAPrivateKey]:
    path = Path(mkdtemp()) / "app.pem"
    leaf, key = make_certificate(path, chain=True)
    roots = [one for one in x509.load_pem_x509_certificates(path.read_bytes()) if one != leaf]
    return Certificate(leaf, tuple(roots)), key


def decoded(part: str) -> dict[str, object]:
    value: dict[str, object] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return value


@given(
    client=st.text(min_size=1, max_size=60),
    audience=st.text(max_size=200),
    issued_at=st.integers(0, 2**40),
    identifier=st.text(max_size=60),
    algorithm=st.sampled_from(Algorithm),
    send_chain=st.booleans(),
)
def test_an_independent_library_verifies_the_assertion_and_reads_back_what_went_in(
    client: str, audience: str, issued_at: int, identifier: str, algorithm: Algorithm, send_chain: bool
) -> None:
    certificate, key = issued()
    request = AssertionRequest(certificate, client, audience, algorithm, send_chain)
    unsigned = request.signing_input(issued_at=issued_at, identifier=identifier)
    assertion = attach(unsigned, KeySigner(key).sign(unsigned, algorithm))

    registry = JWSRegistry(algorithms=["PS256", "RS256"])
    registry.max_header_length = 16_384
    verified = jws.deserialize_compact(
        assertion,
        RSAKey.import_key(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)),
        # Its limit of 512 bytes is meant for headers without certificates.
        registry=registry,
    )
    assert json.loads(verified.payload) == {
        "aud": audience,
        "iss": client,
        "sub": client,
        "jti": identifier,
        "iat": issued_at,
        "nbf": issued_at,
        "exp": issued_at + LIFETIME,
    }
    header = decoded(assertion.split(".")[0])
    assert header["alg"] == algorithm
    assert header["typ"] == "JWT"
    assert ("x5c" in header) is send_chain
    assert "=" not in assertion
    assert "+" not in assertion
    assert "/" not in assertion


def test_ps256_names_the_certificate_by_sha_256_alone() -> None:
    certificate, _ = issued()
    header = decoded(_header(Algorithm.PS256))
    digest = hashlib.sha256(certificate.der).digest()
    assert header["x5t#S256"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert "x5t" not in header


def test_rs256_names_the_certificate_by_sha_1_alone() -> None:
    certificate, _ = issued()
    header = decoded(_header(Algorithm.RS256))
    digest = hashlib.sha1(certificate.der, usedforsecurity=False).digest()
    assert header["x5t"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert "x5t#S256" not in header


def test_the_chain_is_standard_base64_leaf_first() -> None:
    certificate, _ = issued()
    header = decoded(_header(Algorithm.PS256, send_chain=True))
    chain = header["x5c"]
    assert isinstance(chain, list)
    assert [base64.b64decode(one, validate=True) for one in chain] == [
        one.public_bytes(Encoding.DER) for one in (certificate.leaf, *certificate.chain)
    ]


def test_entra_gets_the_best_the_key_can_do_and_adfs_gets_rs256() -> None:
    _, key = issued()
    both = KeySigner(key, Algorithm.PS256, Algorithm.RS256)
    old = KeySigner(key, Algorithm.RS256)
    assert choose_algorithm(both, adfs=False) is Algorithm.PS256
    assert choose_algorithm(both, adfs=True) is Algorithm.RS256
    assert choose_algorithm(old, adfs=False) is Algorithm.RS256


@pytest.mark.parametrize(("offered", "adfs"), [((Algorithm.PS256,), True), ((), False)])
def test_a_key_that_offers_nothing_the_service_takes_is_named(
    offered: tuple[Algorithm, ...], adfs: bool
) -> None:
    _, key = issued()
    with pytest.raises(SigningError, match="memory") as caught:
        choose_algorithm(KeySigner(key, *offered), adfs=adfs)
    assert caught.value.code == "no-common-algorithm"


def _header(algorithm: Algorithm, *, send_chain: bool = False) -> str:
    certificate, _ = issued()
    request = AssertionRequest(certificate, "client", "audience", algorithm, send_chain)
    return request.signing_input(issued_at=1, identifier="1").decode().split(".")[0]
