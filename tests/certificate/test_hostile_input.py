"""Whatever bytes come: a certificate or a `CertificateError`, soon, and nothing else."""

from __future__ import annotations

import base64
import datetime as dt
import functools
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azcert._redact import Secret
from azcert.certificate import der, formats, pem
from azcert.certificate.chain import leaf_without_key, pair, with_chain
from azcert.certificate.fitness import findings
from azcert.certificate.model import Certificate
from azcert.cli.certificate_text import as_json
from azcert.errors import CertificateError
from corpus.make import build
from corpus.material import PASSWORD

NOW = dt.datetime(2031, 5, 6, 7, 8, 9, tzinfo=dt.UTC)
EXAMPLES = int(os.environ.get("AZCERT_EXAMPLES", "400"))
slow = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@functools.cache
def originals() -> list[bytes]:
    with tempfile.TemporaryDirectory() as name:
        build(Path(name), NOW)
        paths = sorted(path for path in Path(name).iterdir() if path.is_file())
        return [path.read_bytes() for path in paths if path.stat().st_size < 20_000]


# Numbers, not contents, are drawn: what failed is printed, and keys have no place in a log.
original_numbers = st.integers(0, 10_000)


def original(number: int) -> bytes:
    return originals()[number % len(originals())]


def use(data: bytes) -> None:
    """Do with *data* what azcert does with a file."""
    contents = formats.load(data, password=Secret(PASSWORD), name="input")
    for each in contents.certificates:
        certificate = Certificate(each)
        findings(certificate, now=NOW)
        as_json(certificate)
    if contents.certificates:
        with_chain(leaf_without_key(contents.certificates, name="input"), contents.certificates)
    pair(contents, name="input", now=NOW)


def use_and_expect(data: bytes) -> None:
    try:
        use(data)
    except CertificateError as error:
        assert error.code, "the only exception, and it says what is wrong"  # noqa: PT017


@slow
@given(st.data())
def test_a_damaged_file_is_refused_or_read(data: st.DataObject) -> None:
    content = bytearray(original(data.draw(original_numbers)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        match data.draw(st.sampled_from(["cut", "flip", "remove", "insert", "repeat"])):
            case "cut":
                del content[at:]
            case "flip" if at < len(content):
                content[at] ^= 1 << data.draw(st.integers(0, 7))
            case "remove":
                del content[at : at + data.draw(st.integers(1, 40))]
            case "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=20))
            case "repeat":
                content += content[at : at + 3000]
    use_and_expect(bytes(content))


@slow
@given(st.data())
def test_damage_inside_base64_is_refused_or_read(data: st.DataObject) -> None:
    chosen = original(data.draw(original_numbers))
    blocks, _ = pem.find_blocks(chosen.decode("latin-1"))
    rebuilt = b""
    for block in blocks:
        body = bytearray(pem.decode_base64(block.body) or b"\0")
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] = data.draw(st.integers(0, 255))
        label = block.label.encode()
        rebuilt += b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (label, base64.b64encode(body), label)
    use_and_expect(rebuilt or chosen)


@slow
@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(CertificateError):
        use(data)


@slow
@given(st.binary(max_size=200))
def test_arbitrary_der_is_refused(data: bytes) -> None:
    with pytest.raises(CertificateError):
        use(b"\x30\x82" + len(data).to_bytes(2, "big") + data)


@slow
@given(st.text(max_size=300))
def test_arbitrary_text_between_boundaries_is_refused(text: str) -> None:
    with pytest.raises(CertificateError):
        use(f"-----BEGIN CERTIFICATE-----{text}-----END CERTIFICATE-----".encode("utf-8", "replace"))


def test_every_truncation_of_a_certificate_is_noticed() -> None:
    whole = next(each for each in originals() if each.startswith(b"\x30\x82") and is_certificate(each))
    for size in range(len(whole)):
        with pytest.raises(CertificateError) as caught:
            formats.load(whole[:size], name="input")
        assert caught.value.code == ("truncated" if size else "unrecognized"), size


def test_every_file_cut_anywhere_is_refused_or_read() -> None:
    for whole in originals():
        for eighth in range(1, 8):
            use_and_expect(whole[: len(whole) * eighth // 8])


def is_certificate(data: bytes) -> bool:
    try:
        return der.classify(data) is der.Kind.CERTIFICATE and der.read(data).end == len(data)
    except der.Malformed:
        return False
