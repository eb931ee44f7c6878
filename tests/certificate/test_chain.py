from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given, settings
from hypothesis import strategies as st

from azcert.certificate.chain import issued_by, leaf_without_key, pair, with_chain
from azcert.certificate.formats import Contents
from azcert.errors import CertificateError
from corpus.material import name_of
from support.certificates import NOW, material

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes


def contents(keys: Sequence[PrivateKeyTypes], certificates: Sequence[x509.Certificate]) -> Contents:
    return Contents(tuple(keys), tuple(certificates), "PEM")


@settings(deadline=None, max_examples=30)
@given(st.randoms(use_true_random=False))
def test_leaf_and_chain_do_not_depend_on_the_order(order: random.Random) -> None:
    m = material()
    certificates = [m.leaf, m.issuing, m.root, m.other]
    order.shuffle(certificates)
    paired = pair(contents([m.key], certificates), name="app", now=NOW)
    assert paired.certificate.leaf == m.leaf
    assert paired.certificate.chain == (m.issuing, m.root)
    assert [each.leaf for each in paired.extras] == [m.other]
    alone = [each for each in certificates if each != m.other]
    assert leaf_without_key(alone, name="app") == m.leaf


def test_of_two_certificates_for_one_key_the_newest_valid_one_is_taken() -> None:
    m = material()
    both = contents([m.key], [m.coming, m.renewed, m.leaf])
    assert pair(both, name="app", now=NOW).certificate.leaf == m.renewed
    later = NOW + dt.timedelta(days=2)
    assert pair(both, name="app", now=later).certificate.leaf == m.coming


def test_a_rejected_certificate_gives_way_to_the_next_one() -> None:
    m = material()
    both = contents([m.key], [m.renewed, m.leaf])
    newest = pair(both, name="app", now=NOW).certificate
    assert pair(both, name="app", now=NOW, skip={newest.thumbprint}).certificate.leaf == m.leaf
    with pytest.raises(CertificateError) as caught:
        pair(contents([m.key], [m.renewed]), name="app", now=NOW, skip={newest.thumbprint})
    assert caught.value.code == "no-certificate"


def test_an_issuer_of_the_same_name_but_another_key_is_no_issuer() -> None:
    m = material()
    impostor = m.certify("Contoso Issuing", m.other_key, ca=True)
    assert not issued_by(m.leaf, impostor)
    certificate, extras = with_chain(m.leaf, [impostor])
    assert certificate.chain == ()
    assert [each.leaf for each in extras] == [impostor]


def test_of_two_issuers_that_fit_the_one_that_lasts_longer_leads() -> None:
    m = material()
    cross_signed = m.certify("Contoso Issuing", m.issuing_key, issuer=(m.other, m.other_key), ca=True, end=10)
    certificate, _ = with_chain(m.leaf, [cross_signed, m.issuing, m.root])
    assert certificate.chain == (m.issuing, m.root)


def test_certificates_that_certify_each_other_end() -> None:
    m = material()
    first = m.certify("A", m.root_key, issuer=(named("B"), m.issuing_key), ca=True)
    second = m.certify("B", m.issuing_key, issuer=(named("A"), m.root_key), ca=True)
    leaf = m.certify("app", m.key, issuer=(first, m.root_key))
    certificate, extras = with_chain(leaf, [second, first])
    assert certificate.chain == (first, second)
    assert extras == ()
    assert leaf_without_key([first, second], name="circle") == first


def named(name: str) -> x509.Certificate:
    m = material()
    return (
        x509.CertificateBuilder()
        .subject_name(name_of(name))
        .issuer_name(name_of(name))
        .public_key(m.issuing_key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
        .sign(m.issuing_key, SHA256())
    )


def test_a_mismatch_names_what_was_found() -> None:
    m = material()
    with pytest.raises(CertificateError) as caught:
        pair(contents([m.other_key], [m.leaf]), name="app.pem", now=NOW)
    text = str(caught.value)
    assert caught.value.details["thumbprints"][0] in text
    assert "app.pem" in text
    assert "CN=app" in text


def test_nothing_to_choose_from_is_said() -> None:
    with pytest.raises(CertificateError) as caught:
        leaf_without_key([], name="empty")
    assert caught.value.code == "no-certificate"
