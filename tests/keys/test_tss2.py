"""TSS2 key files are read as every tool writes them, and whatever is wrong is one clear error."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azcert.certificate import formats
from azcert.errors import CertificateError
from azcert.keys.tpm.tss2 import OWNER, Tss2Key, parse_tss2

if TYPE_CHECKING:
    from pathlib import Path


def sized(content: bytes) -> bytes:
    return len(content).to_bytes(2, "big") + content


parts = st.binary(max_size=600).map(sized)
keys = st.builds(
    Tss2Key,
    parts,
    parts,
    st.sampled_from([OWNER, 0x4000000B, 0x40000007, 0x81000001, 0x81FFFFFF]),
    empty_auth=st.booleans(),
    rsa_parent=st.booleans(),
)
KEY = Tss2Key(sized(b"public"), sized(b"private"))


def der_of(key: Tss2Key) -> bytes:
    (der,) = formats.load(key.to_pem(), name="key.pem").tss2_keys
    return der


@given(keys)
def test_what_is_written_reads_back_as_the_same_key(key: Tss2Key) -> None:
    assert parse_tss2(der_of(key)) == key


def test_openssl_reads_the_file_as_asn1_of_the_documented_shape(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(KEY.to_pem())
    shown = subprocess.run(
        ["openssl", "asn1parse", "-in", tmp_path / "key.pem"], check=True, capture_output=True, text=True
    ).stdout
    kinds = [line.split("prim:")[-1].split("cons:")[-1].strip() for line in shown.splitlines()]
    assert kinds[1] == "OBJECT            :2.23.133.10.1.3"
    assert kinds[4] == "INTEGER           :40000001"


def test_a_true_written_as_one_is_true() -> None:
    assert parse_tss2(der_of(KEY).replace(b"\x01\x01\xff", b"\x01\x01\x01")).empty_auth


def test_without_the_flag_the_key_has_a_password() -> None:
    der = der_of(KEY)
    flag = bytes.fromhex("a0030101ff")
    assert flag in der
    assert not parse_tss2(bytes([der[0], der[1] - len(flag)]) + der[2:].replace(flag, b"")).empty_auth


def test_a_handle_written_as_a_negative_number_is_the_handle() -> None:
    der = der_of(Tss2Key(KEY.public, KEY.private, 0x81000001))
    plain, negative = bytes.fromhex("02050081000001"), bytes.fromhex("020481000001")
    assert plain in der
    assert parse_tss2(bytes([der[0], der[1] - 1]) + der[2:].replace(plain, negative)).parent == 0x81000001


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ((b"\x67\x81\x05\x0a\x01\x03", b"\x67\x81\x05\x0a\x01\x04"), "tpm-key-not-loadable"),
        ((bytes.fromhex("a0030101ff"), bytes.fromhex("a1030101ff")), "tpm-policy-not-supported"),
        ((sized(b"public"), b"\0\x07public"), "damaged"),
        ((bytes.fromhex("a0030101ff"), bytes.fromhex("a0030201ff")), "damaged"),
        ((b"\x02\x04\x40\0\0\x01", b"\x04\x04\x40\0\0\x01"), "damaged"),
    ],
)
def test_what_cannot_be_loaded_is_refused_by_name(change: tuple[bytes, bytes], code: str) -> None:
    der = der_of(KEY)
    assert change[0] in der
    with pytest.raises(CertificateError) as caught:
        parse_tss2(der.replace(*change), "app.pem")
    assert caught.value.code == code
    assert "app.pem" in caught.value.message


def changed(key: Tss2Key, at: int, value: int) -> bytes:
    """A real key with one byte changed."""
    der = bytearray(der_of(key))
    der[at % len(der)] = value
    return bytes(der)


@given(st.binary(max_size=300) | st.builds(changed, keys, st.integers(0), st.integers(0, 255)))
def test_any_bytes_give_a_key_or_the_one_error(data: bytes) -> None:
    # Any other exception fails the test.
    with suppress(CertificateError):
        assert isinstance(parse_tss2(data), Tss2Key)


def test_the_wrapped_key_is_not_in_the_repr() -> None:
    assert "private" not in repr(KEY)
