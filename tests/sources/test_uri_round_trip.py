"""Open input: every source reads back as itself, and no text makes the grammar fail with a foreign error."""

from __future__ import annotations

import string
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azcert.errors import SourceError
from azcert.sources.uris.uri import (
    DotnetUri,
    EnvUri,
    FdUri,
    FileUri,
    KeyVaultUri,
    Pkcs11Uri,
    SourceUri,
    StoreUri,
    TpmUri,
    parse_source,
)
from azcert.stores.names import Location, Selector, StoreName
from azcert.stores.passphrase import PassphraseFrom, PassphraseKind

# Everything a Unix file name can hold, bytes that are no UTF-8 included.
paths = (
    st.binary(min_size=1, max_size=30)
    .filter(lambda raw: 0 not in raw)
    .map(lambda raw: raw.decode("utf-8", "surrogateescape"))
)
words = (
    st.text(min_size=1, max_size=20)
    .filter(lambda text: "\0" not in text)
    .filter(lambda text: text.isprintable() or " " in text)
    .filter(lambda text: text.encode("utf-8", "replace").decode() == text)
)
hexadecimal = "0123456789ABCDEF"
thumbprints = st.one_of(*(st.text(hexadecimal, min_size=size, max_size=size) for size in (40, 64)))


def passwords() -> st.SearchStrategy[PassphraseFrom | None]:
    named = st.builds(PassphraseFrom, st.sampled_from([k for k in PassphraseKind if k != "fd"]), words)
    numbered = st.builds(lambda n: PassphraseFrom(PassphraseKind.FD, str(n)), st.integers(0, 9999))
    return st.none() | named | numbered


stores = st.builds(
    StoreName,
    st.sampled_from(Location),
    st.sampled_from(["My", "Root", "CA", "Web Hosting", "sub-store_1"]),
)
optional_words = st.none() | words
selectors = st.builds(
    Selector,
    thumbprint=st.none() | thumbprints,
    subject=optional_words,
    issuer=optional_words,
    serial=st.none() | st.text(hexadecimal, min_size=1, max_size=40),
).filter(bool)
attribute = st.none() | st.text(max_size=12).filter(
    lambda text: "\0" not in text and text.encode("utf-8", "replace").decode() == text
)
pkcs11 = st.builds(
    Pkcs11Uri,
    token=attribute,
    manufacturer=attribute,
    serial=attribute,
    model=attribute,
    library_manufacturer=attribute,
    library_version=st.none() | st.sampled_from(["3", "2.40"]),
    library_description=attribute,
    object=attribute,
    type=st.none() | st.sampled_from(["private", "public", "cert", "secret-key", "data"]),
    id=st.none() | st.binary(max_size=20),
    slot_id=st.none() | st.integers(0, 2**64 - 1),
    slot_manufacturer=attribute,
    slot_description=attribute,
    module_name=optional_words,
    module_path=st.none() | paths,
    pin=passwords(),
    certificate=st.none() | paths,
)
names = st.text(string.ascii_letters + string.digits + "-", min_size=1, max_size=127)
sources: st.SearchStrategy[SourceUri] = st.one_of(
    st.builds(FileUri, paths, passwords()),
    st.builds(EnvUri, st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,20}", fullmatch=True), passwords()),
    st.builds(FdUri, st.integers(0, 9999999), passwords()),
    st.builds(StoreUri, stores, selectors, st.just("store"), passwords()),
    st.builds(StoreUri, stores, st.builds(Selector, thumbprints), st.just("cert"), passwords()),
    st.builds(DotnetUri, stores, selectors),
    st.builds(
        TpmUri,
        handle=st.integers(0x81000000, 0x81FFFFFF),
        certificate=st.none() | paths,
        tcti=optional_words,
        password=passwords(),
    ),
    st.builds(TpmUri, path=paths, certificate=st.none() | paths, password=passwords()),
    st.builds(
        KeyVaultUri,
        st.sampled_from(["contoso", "kv-demo1", "kv.vault.azure.cn", "localhost:8443"]),
        names,
        st.none() | st.text("0123456789abcdef", min_size=32, max_size=32),
        st.booleans(),
    ),
    pkcs11,
)


@given(sources)
def test_every_source_reads_back_as_itself(source: SourceUri) -> None:
    assert parse_source(str(source)) == source


@given(paths)
def test_a_path_object_is_a_path_whatever_it_contains(path: str) -> None:
    parsed = parse_source(PurePosixPath(path))
    assert parsed == FileUri(str(PurePosixPath(path)))
    assert parse_source(str(parsed)) == parsed


schemes = st.sampled_from(
    ["", "file:", "env:", "fd:", "store:", "cert:", "dotnet:", "pkcs11:", "tpm:", "keyvault:", "x-y:"]
)
pieces = st.lists(
    st.sampled_from(
        [
            *(
                "CurrentUser",
                "LocalMachine",
                "/",
                "\\",
                "My",
                "?",
                "&",
                "=",
                ";",
                "%",
                "%2",
                "%zz",
                "%00",
                "%ff",
            ),
            *(
                "thumbprint=",
                "subject=",
                "serial=",
                "object=",
                "id=",
                "slot-id=",
                "pin-source=",
                "password-env=",
            ),
            *("A" * 40, "//", "localhost", "https://", "certificates/", "handle=0x81000001", "download=true"),
            *("\u200e", "\udcff", "\ud800", "\0", ":", "²", "\u0661"),
        ]
    )
    | st.text(max_size=5),
    max_size=12,
).map("".join)


def attempt(text: str) -> SourceUri | SourceError:
    try:
        return parse_source(text)
    except SourceError as error:
        return error


@given(schemes, pieces)
def test_no_text_raises_anything_but_a_source_error_that_points_into_it(scheme: str, rest: str) -> None:
    text = scheme + rest
    outcome = attempt(text)
    if isinstance(outcome, SourceError):
        assert 0 <= outcome.details["position"] <= len(text)
        assert outcome.details["pointer"].endswith("^")
    else:
        assert parse_source(str(outcome)) == outcome


@given(
    st.text(st.characters(exclude_characters="&;", exclude_categories=["Cs", "Cc"]), min_size=6, max_size=12)
)
def test_a_bare_password_is_refused_and_not_repeated(password: str) -> None:
    text = f"file:app.pfx?password={password}-hunter2"
    with pytest.raises(SourceError) as caught:
        parse_source(text)
    assert caught.value.code in {"bare-password", "malformed-source"}
    assert "hunter2" not in f"{caught.value} {caught.value.as_dict()}"
