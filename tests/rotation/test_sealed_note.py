"""A journal that comes from Redis is believed only as its signer wrote it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azcert.certificate.model import Certificate
from azcert.certificate.signer import SigningCertificate
from azcert.keys.software import SoftwareSigner
from azcert.rotation.records.journal import Journal
from azcert.rotation.records.sealed_note import seal, unseal
from support.emulated import certificate, rsa_key

APP = "app"


def signing(number: int) -> SigningCertificate:
    key = rsa_key(number)
    return SigningCertificate(
        Certificate(certificate(key)), SoftwareSigner(key, place="memory", protection="memory")
    )


OLD, NEW, STRANGER = signing(0), signing(1), signing(2)
JOURNAL = Journal("app.pem", OLD.certificate.thumbprint, "id", "app.pem.next")
NOTE = seal(JOURNAL, [OLD], application=APP, before=None)


def test_each_signer_s_version_is_kept_until_it_signs_again() -> None:
    proven = replace(JOURNAL, proven_at=1.0)
    note = seal(proven, [OLD, NEW], application=APP, before=NOTE)
    switched = replace(proven, switched_at=2.0)
    note = seal(switched, [NEW], application=APP, before=note)
    assert unseal(note, OLD.certificate, application=APP) == proven
    assert unseal(note, NEW.certificate, application=APP) == switched


def test_nobody_else_is_believed() -> None:
    assert unseal(NOTE, OLD.certificate, application=APP) == JOURNAL
    assert unseal(NOTE, OLD.certificate, application="another") is None
    assert unseal(NOTE, NEW.certificate, application=APP) is None
    forged = json.loads(seal(replace(JOURNAL, key_id="another"), [STRANGER], application=APP, before=None))
    (version,) = forged.values()
    note = json.dumps({OLD.certificate.thumbprint: version}).encode()
    assert unseal(note, OLD.certificate, application=APP) is None


@given(st.integers(0, len(NOTE) - 1), st.integers(1, 255))
def test_an_altered_note_is_what_it_was_or_nothing(position: int, change: int) -> None:
    altered = bytearray(NOTE)
    altered[position] ^= change
    assert unseal(bytes(altered), OLD.certificate, application=APP) in {None, JOURNAL}


@pytest.mark.parametrize(
    "note",
    [b"", b"[]", b"{", b"\xff", b'{"%s": 1}' % OLD.certificate.thumbprint.encode()],
    ids=["empty", "list", "cut", "binary", "number"],  # the thumbprint is another one in each process
)
def test_what_is_no_note_says_nothing(note: bytes) -> None:
    assert unseal(note, OLD.certificate, application=APP) is None
