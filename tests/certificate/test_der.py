from __future__ import annotations

import time

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from azcert.certificate import der
from azcert.certificate.der import Kind
from azcert.certificate.work_factor import costly
from corpus.containers import ber, element, pfx, slow_pkcs8
from corpus.material import PASSWORD, Material
from support.certificates import NOW


@pytest.fixture(scope="module")
def material() -> Material:
    return Material(NOW)


def test_each_kind_is_known_by_its_structure(material: Material) -> None:
    key = material.key
    nothing = NoEncryption()
    examples = {
        Kind.CERTIFICATE: material.leaf.public_bytes(Encoding.DER),
        Kind.PKCS8: key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, nothing),
        Kind.PKCS1: key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, nothing),
        Kind.ENCRYPTED_PKCS8: slow_pkcs8(key, PASSWORD),
        Kind.PKCS12: pfx(key, material.leaf),
        Kind.EC_KEY: ec.generate_private_key(ec.SECP256R1()).private_bytes(
            Encoding.DER, PrivateFormat.TraditionalOpenSSL, nothing
        ),
        Kind.PUBLIC_KEY: key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        Kind.TSS2_KEY: element(0x30, bytes.fromhex("06066781050a0103")),
    }
    assert {kind: der.classify(data) for kind, data in examples.items()} == {each: each for each in examples}


def test_an_indefinite_length_is_followed_to_its_end() -> None:
    assert der.read(ber(element(0x30, b"\x02\x01\x05")) + b"more").end == 7


def test_a_missing_end_says_how_much_is_missing() -> None:
    with pytest.raises(der.Truncated) as caught:
        der.read(element(0x30, bytes(300))[:-1])
    assert caught.value.needed == 304


def test_an_absurd_work_factor_is_seen_without_doing_the_work(material: Material) -> None:
    assert costly(slow_pkcs8(material.key, PASSWORD)) == "2,147,483,647 rounds"
    assert costly(pfx(material.key, material.leaf, password=PASSWORD)) is None


def test_many_parts_count_together() -> None:
    part = element(0x30, element(0x04, b"saltsalt") + element(0x02, (1_000_000).to_bytes(4, "big")))
    assert costly(element(0x30, part * 6)) is None
    assert costly(element(0x30, part * 7)) == "7,000,000 rounds"


def test_pieces_hide_nothing() -> None:
    part = element(0x30, element(0x04, b"saltsalt") + element(0x02, (7_000_000).to_bytes(4, "big")))
    whole = element(0x30, part)
    pieces = element(0x24, element(0x04, whole[:9]) + element(0x04, whole[9:]))
    assert costly(element(0x30, pieces)) == "7,000,000 rounds"


def test_an_absurd_scrypt_is_seen_without_doing_the_work() -> None:
    # AlgorithmIdentifier { scrypt, { salt, N = 2^22, r = 8, p = 1, length 32 } } (RFC 7914, 7.1)
    numbers = b"\x02\x03\x40\x00\x00" + b"\x02\x01\x08" + b"\x02\x01\x01" + b"\x02\x01\x20"
    parameters = element(0x30, element(0x04, b"saltsalt") + numbers)
    data = element(0x30, bytes.fromhex("06092b06010401da47040b") + parameters)
    assert costly(data) == "scrypt with 4,294,967,296 bytes of memory"


@pytest.mark.parametrize("unit", [b"\x30\x80", b"\x30\x00", b"\x24\x80", b"\x04\x00"])
def test_a_megabyte_of_nonsense_is_judged_in_seconds(unit: bytes) -> None:
    data = b"\x30\x80" * 15 + unit * (1 << 19)
    begin = time.process_time()
    with pytest.raises(der.Malformed):
        der.classify(data)
    costly(data)
    assert time.process_time() - begin < 10
