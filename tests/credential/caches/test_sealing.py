"""Sealed entries: they open for exactly what they were sealed for, and for nobody else."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azcert._redact import Secret
from azcert.credential.caches.entry import StoredToken, TokenKey
from azcert.credential.sealing.box import DamagedEntryError, SealingKey
from azcert.errors import ConfigurationError
from support.cache_worker import token, token_key

KEY = SealingKey(bytes(range(32)))

texts = st.text(max_size=40)
keys = st.builds(
    TokenKey,
    authority=texts,
    tenant_id=texts,
    client_id=texts,
    scopes=st.lists(texts, max_size=3).map(tuple),
    enable_cae=st.booleans(),
    thumbprint=texts,
)
tokens = st.builds(
    StoredToken, token=texts.map(Secret), expires_on=st.integers(0, 2**40), refresh_on=st.integers(0, 2**40)
)


@given(keys, tokens)
def test_what_was_sealed_opens_with_the_same_key_for_the_same_name(key: TokenKey, kept: StoredToken) -> None:
    found = SealingKey(bytes(range(32))).unseal(key, KEY.seal(key, kept))
    assert found.token.reveal() == kept.token.reveal()
    assert (found.expires_on, found.refresh_on) == (kept.expires_on, kept.refresh_on)


@given(keys, keys)
def test_an_entry_opens_under_no_other_name(one: TokenKey, other: TokenKey) -> None:
    sealed = KEY.seal(one, token())
    if one == other:
        assert KEY.name(one) == KEY.name(other)
    else:
        assert KEY.name(one) != KEY.name(other)
        with pytest.raises(DamagedEntryError):
            KEY.unseal(other, sealed)


@given(st.data())
def test_any_changed_byte_is_noticed(data: st.DataObject) -> None:
    sealed = bytearray(KEY.seal(token_key(), token()))
    place = data.draw(st.integers(0, len(sealed) - 1))
    sealed[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises(DamagedEntryError):
        KEY.unseal(token_key(), bytes(sealed))


@given(st.binary(max_size=200))
def test_any_bytes_are_opened_or_refused(data: bytes) -> None:
    with pytest.raises(DamagedEntryError):
        KEY.unseal(token_key(), data)


def test_a_cut_entry_is_refused_at_every_length() -> None:
    sealed = KEY.seal(token_key(), token())
    for length in range(len(sealed)):
        with pytest.raises(DamagedEntryError):
            KEY.unseal(token_key(), sealed[:length])


def test_another_key_does_not_open_it_and_says_so() -> None:
    with pytest.raises(DamagedEntryError) as caught:
        SealingKey(b"\x01" * 32).unseal(token_key(), KEY.seal(token_key(), token()))
    assert caught.value.code == "cache-entry-foreign"


def test_the_same_token_is_never_sealed_to_the_same_bytes() -> None:
    assert len({KEY.seal(token_key(), token()) for _ in range(100)}) == 100


def test_neither_name_nor_entry_shows_what_it_is_for() -> None:
    key, kept = token_key(), token("the-token-itself")
    seen = KEY.name(key).encode() + KEY.seal(key, kept)
    for field in key:
        if isinstance(field, str):
            assert field.encode() not in seen
    assert b"the-token-itself" not in seen


def test_scopes_are_bound_one_by_one() -> None:
    joined = token_key()._replace(scopes=("a b",))
    apart = token_key()._replace(scopes=("a", "b"))
    assert KEY.name(joined) != KEY.name(apart)


@pytest.mark.parametrize("length", [0, 1, 16, 31])
def test_short_key_material_is_refused_with_a_remedy(length: int) -> None:
    with pytest.raises(ConfigurationError, match=r"at least 32 are needed.*head -c 32"):
        SealingKey(b"x" * length)


def test_a_sealing_key_is_neither_shown_nor_pickled() -> None:
    assert repr(KEY) == "SealingKey([redacted])"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(KEY)
