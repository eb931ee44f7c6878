from __future__ import annotations

import threading

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS, PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from azcert.certificate.signer import Algorithm, Signer
from azcert.errors import SigningError
from azcert.keys.software import SoftwareSigner
from corpus.containers import openssl
from corpus.material import key_pem
from support.certificates import material


def signer() -> SoftwareSigner:
    return SoftwareSigner(material().key, place="file app.pem", protection="file")


def test_it_is_a_signer() -> None:
    made: Signer = signer()
    assert (made.place, made.protection, made.blocking) == ("file app.pem", "file", False)
    assert made.algorithms == (Algorithm.PS256, Algorithm.RS256)


def test_ps256_has_a_salt_as_long_as_the_hash() -> None:
    signature = signer().sign(b"data", Algorithm.PS256)
    public_key = material().key.public_key()
    public_key.verify(signature, b"data", PSS(MGF1(SHA256()), 32), SHA256())
    with pytest.raises(InvalidSignature):
        public_key.verify(signature, b"data", PSS(MGF1(SHA256()), 31), SHA256())


def test_rs256_is_what_openssl_signs() -> None:
    signed = openssl(
        *("dgst", "-sha256", "-sign", "key", "-out", "out", "data"), key=key_pem(material().key), data=b"data"
    )
    assert signer().sign(b"data", Algorithm.RS256) == signed
    material().key.public_key().verify(signed, b"data", PKCS1v15(), SHA256())


def test_a_closed_signer_signs_no_more() -> None:
    closed = signer()
    closed.close()
    closed.close()
    with pytest.raises(SigningError, match=r"app\.pem"):
        closed.sign(b"data", Algorithm.PS256)
    assert closed.public_key().key_size == 2048


def test_threads_share_it() -> None:
    shared = signer()
    wanted = shared.sign(b"data", Algorithm.RS256)
    results: list[bytes] = []

    def sign() -> None:
        results.extend(shared.sign(b"data", Algorithm.RS256) for _ in range(50))

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [wanted] * 200


def test_no_text_of_it_shows_the_key() -> None:
    number = str(material().key.private_numbers().d)
    made = signer()
    assert repr(made) == "<SoftwareSigner file app.pem>"
    assert number not in repr(vars(made))
