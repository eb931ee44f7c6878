"""A store as a source: what it stands for now, when that changes, and when it stands for nothing."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from azcert._redact import Secret
from azcert.certificate.signer import Algorithm
from azcert.errors import AccessError, CertificateError, ConfigurationError, SelectionError
from azcert.sources.open import open_source
from azcert.sources.openers.store import StoreSource
from azcert.stores.directory.store import DirectoryStore
from azcert.stores.names import Location, Selector, StoreName
from support.stored import MY, NOW, SHARED, key, make

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.keys.software import SoftwareSigner
    from azcert.stores.store import Entry

DAY = dt.timedelta(days=1)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AZCERT_STORE_ROOT", str(tmp_path / "stores"))
    return tmp_path / "stores"


@pytest.fixture
def store(root: Path) -> DirectoryStore:
    return DirectoryStore(MY)


class Clock:
    def __init__(self) -> None:
        self.moment = NOW

    def __call__(self) -> dt.datetime:
        return self.moment


def following(store: DirectoryStore, clock: Clock, **selector: str) -> StoreSource:
    return StoreSource(store, Selector(**selector), name="store:test", now=clock)


def test_a_renewed_certificate_is_picked_up_under_the_same_name(store: DirectoryStore) -> None:
    source = following(store, Clock(), subject="app")
    old = make(start=NOW - 20 * DAY)
    store.add(old, key())
    assert source.load().certificate == old
    revision = source.revision()
    assert source.revision() == revision
    new = make(start=NOW - DAY)
    store.add(new, key())
    assert source.revision() != revision
    assert source.load().certificate == new
    assert source.load(skip=frozenset({new.thumbprint})).certificate == old


class PartlyClosed(DirectoryStore):
    """A store in which this user may not use every key; root, whom tests may run as, may use them all."""

    closed: frozenset[str] = frozenset()

    def signer(self, entry: Entry, *, password: Secret | None = None) -> SoftwareSigner:
        if entry.thumbprint in self.closed:
            raise AccessError("Closed.", code="key-access-denied", remedy="Grant it.")
        return super().signer(entry, password=password)


def test_a_newer_certificate_without_a_grant_is_passed_over_until_it_has_one(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store, clock = PartlyClosed(MY), Clock()
    old, new = make(start=NOW - 20 * DAY), make(start=NOW - DAY)
    store.add(old, key())
    store.add(new, key())
    store.closed = frozenset({new.thumbprint})
    source = following(store, clock, subject="app")
    assert source.load().certificate == old
    before = source.revision()
    clock.moment += dt.timedelta(minutes=6)
    assert source.revision() != before, "a grant is looked for before long"
    assert source.load().certificate == old
    (warning,) = caplog.messages
    assert "passed over" in warning
    assert "Grant it." in warning
    assert old.thumbprint in warning
    store.closed = frozenset()
    assert source.load().certificate == new
    store.closed = frozenset({old.thumbprint, new.thumbprint})
    with pytest.raises(AccessError):
        source.load()
    store.closed = frozenset({new.thumbprint})
    with pytest.raises(AccessError):
        following(store, clock, thumbprint=new.thumbprint).load()


def test_a_certificate_imported_early_is_taken_when_its_time_comes(store: DirectoryStore) -> None:
    clock = Clock()
    source = following(store, clock, subject="app")
    now, later = make(start=NOW - DAY), make(start=NOW + DAY)
    store.add(now, key())
    store.add(later, key())
    assert source.load().certificate == now
    revision = source.revision()
    clock.moment = NOW + 2 * DAY
    assert source.revision() != revision, "no file has changed, but the time has"
    assert source.load().certificate == later


def test_an_expired_certificate_named_by_thumbprint_is_refused_as_expired(store: DirectoryStore) -> None:
    made = make(start=NOW - 60 * DAY)
    store.add(made, key())
    with pytest.raises(CertificateError) as caught:
        following(store, Clock(), thumbprint=made.thumbprint).load()
    assert caught.value.code == "expired"


def test_four_different_refusals(store: DirectoryStore) -> None:
    clock = Clock()
    keyless = make("CN=keyless")
    store.add(keyless)
    store.add(make("CN=twin-1"), key())
    store.add(make("CN=twin-2"), key())
    open_key = store.add(make("CN=open"), key())
    store.key_path(open_key).chmod(0o644)
    codes = []
    for subject in ("nobody", "twin", "keyless", "open"):
        with pytest.raises((SelectionError, AccessError)) as caught:
            following(store, clock, subject=subject).load()
        codes.append(caught.value.code)
    assert codes == ["not-found", "ambiguous", "no-private-key", "key-file-open"]


def today(days: float = 30) -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(days=days - 29)


@pytest.mark.parametrize(
    "spelling",
    ["store:CurrentUser/My?thumbprint={0}", r"cert:\CurrentUser\My\{0}", "store:CurrentUser/My?subject=app"],
)
def test_every_spelling_opens_the_same_certificate(store: DirectoryStore, spelling: str) -> None:
    made = make(start=today())
    store.add(made, key())
    with_signer = open_source(spelling.format(made.thumbprint)).load()
    assert with_signer.certificate == made
    assert with_signer.signer.sign(b"data", Algorithm.PS256)


def test_the_other_location_is_named_where_the_certificate_is(store: DirectoryStore, root: Path) -> None:
    made = make(start=today())
    DirectoryStore(SHARED).add(made, key())
    with pytest.raises(SelectionError, match=f"LocalMachine/My/{made.thumbprint}"):
        open_source(f"store:CurrentUser/My?thumbprint={made.thumbprint}").load()


def test_an_encrypted_key_is_opened_by_the_uri_or_the_caller(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(start=today())
    store.add(made, key(), passphrase=Secret("open sesame"))
    name = f"store:CurrentUser/My?thumbprint={made.thumbprint}"
    with pytest.raises(CertificateError) as caught:
        open_source(name).load()
    assert caught.value.code == "password-missing"
    monkeypatch.setenv("STORE_PASS", "open sesame")
    source = open_source(f"{name}&password-env=STORE_PASS")
    assert source.blocking, "deriving the key takes long"
    assert source.load().signer.protection == "encrypted"
    assert open_source(name, password=Secret("open sesame")).load().certificate == made


def test_a_missing_password_variable_is_named(store: DirectoryStore) -> None:
    with pytest.raises(ConfigurationError, match="STORE_PASS"):
        open_source("store:CurrentUser/My?subject=app&password-env=STORE_PASS")


def test_plain_keys_do_not_block(store: DirectoryStore) -> None:
    store.add(make(start=today()), key())
    assert not open_source("store:CurrentUser/My?subject=app").blocking


def test_a_source_is_returned_as_it_is(store: DirectoryStore) -> None:
    source = following(store, Clock(), subject="app")
    assert open_source(source) is source


def test_other_stores_are_separate(root: Path) -> None:
    other = DirectoryStore(StoreName(Location.CURRENT_USER, "Web Hosting"))
    made = make(start=today())
    other.add(made, key())
    assert open_source("store:CurrentUser/web%20hosting?subject=app").load().certificate == made
    with pytest.raises(SelectionError):
        open_source("store:CurrentUser/My?subject=app").load()


def test_whether_it_blocks_is_known_anew_when_the_store_has_changed(store: DirectoryStore) -> None:
    source = following(store, Clock(), subject="app")
    assert not source.blocking
    store.add(make(start=NOW - 20 * DAY), key())
    assert not source.blocking
    store.add(make(start=NOW - DAY), key(), passphrase=Secret("correct horse"))
    assert source.blocking
