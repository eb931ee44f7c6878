"""A certificate file that changes under a running program."""

from __future__ import annotations

import gc
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from azcert.errors import AzcertError, CertificateError, SelectionError
from azcert.sources.follow import Follower
from azcert.sources.openers.file import FileSource
from support.shelf import Shelf, certificates
from support.token_endpoint import make_certificate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azcert.certificate.signer import SigningCertificate


@pytest.fixture
def path(tmp_path: Path) -> Path:
    make_certificate(tmp_path / "app.pem", name="first")
    return tmp_path / "app.pem"


class Timepiece:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def subject(follower: Follower) -> str:
    return follower.current().certificate.subject


def test_an_unchanged_file_is_read_once(path: Path) -> None:
    follower = Follower(FileSource(path))
    assert follower.current() is follower.current()


def test_a_replaced_file_is_followed(path: Path) -> None:
    follower = Follower(FileSource(path))
    assert subject(follower) == "CN=first"
    make_certificate(path, name="second")
    assert subject(follower) == "CN=second"


class SlowShelf(Shelf):
    """Each load but the first waits until it may go on."""

    def __init__(self) -> None:
        super().__init__()
        self.loading = threading.Semaphore(0)
        self.go_on = threading.Event()

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        if self.signers:
            self.loading.release()
            assert self.go_on.wait(30)
        return super().load(skip=skip)


def test_whoever_comes_while_a_renewal_is_loaded_waits_for_it() -> None:
    shelf = SlowShelf()
    follower = Follower(shelf)
    follower.current()
    shelf.put(1)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(follower.current)
        assert shelf.loading.acquire(timeout=30)
        second = pool.submit(follower.current)
        time.sleep(0.05)
        assert not second.done()
        shelf.go_on.set()
        assert {one.result().certificate for one in (first, second)} == {certificates()[1]}
    assert len(shelf.signers) == 2, "it was loaded once"


@pytest.mark.parametrize("content", [b"", b"half a certif", None])
def test_a_broken_file_keeps_the_old_certificate_and_is_named_once(
    path: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    follower = Follower(FileSource(path))
    old = follower.current()
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with caplog.at_level(logging.WARNING, "azcert"):
        for _ in range(3):
            assert follower.current() is old
    (record,) = caplog.records
    assert str(path) in record.getMessage()
    assert old.certificate.thumbprint in record.getMessage()
    make_certificate(path, name="third")
    assert subject(follower) == "CN=third"


def test_a_file_that_was_never_good_raises_each_time_until_it_is(path: Path) -> None:
    path.write_bytes(b"garbage")
    follower = Follower(FileSource(path))
    for _ in range(2):
        with pytest.raises(CertificateError):
            follower.current()
    make_certificate(path, name="good")
    assert subject(follower) == "CN=good"


def test_an_expired_certificate_does_not_hide_why_its_successor_fails() -> None:
    shelf = Shelf()
    follower = Follower(shelf)
    held = follower.current()
    object.__setattr__(held, "certificate", _Expired(held.certificate.thumbprint))
    shelf.put()
    with pytest.raises(SelectionError, match="empty"):
        follower.current()


class _Expired:
    def __init__(self, thumbprint: str) -> None:
        import datetime as dt

        self.thumbprint = thumbprint
        self.not_after = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)


def test_a_load_that_failed_is_tried_again_after_a_while() -> None:
    clock = Timepiece()
    shelf = Shelf()
    follower = Follower(shelf, monotonic=clock)
    old = follower.current()
    shelf.put()
    assert follower.current() is old
    shelf.order = [1]
    assert follower.current() is old, "its revision says nothing new"
    clock.now = 61
    assert follower.current().certificate is certificates()[1]


def test_a_replaced_signer_is_closed_when_nobody_holds_it_any_more() -> None:
    shelf = Shelf()
    follower = Follower(shelf)
    in_use = follower.current()
    follower.accepted(in_use)
    shelf.put(1)
    follower.accepted(follower.current())
    gc.collect()
    assert not shelf.signers[0].closed, "a request still signs with it"
    del in_use
    gc.collect()
    assert shelf.signers[0].closed
    assert not shelf.signers[1].closed


def test_only_a_source_of_its_own_is_closed_with_it() -> None:
    for owned in (True, False):
        shelf = _Closing()
        follower = Follower(shelf, owns_source=owned)
        follower.current()
        follower.close()
        assert shelf.closed is owned


class _Closing(Shelf):
    closed = False

    def close(self) -> None:
        self.closed = True


def test_threads_that_read_during_renewals_always_get_a_usable_certificate(path: Path) -> None:
    follower = Follower(FileSource(path))
    stop = threading.Event()

    def read() -> int:
        signed = 0
        while not stop.is_set():
            held = follower.current()
            held.signer.sign(b"data", held.signer.algorithms[0])
            signed += 1
        return signed

    with ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        for number in range(30):
            make_certificate(path, name=("first", "second")[number % 2])
            follower.current()
        stop.set()
        assert all(reader.result() for reader in readers)
    assert subject(follower) == "CN=second"


def rejected(shelf: Shelf) -> Iterator[str]:
    follower = Follower(shelf)
    held = follower.current()
    while (other := follower.instead_of(held)) is not None:
        yield other.certificate.thumbprint
        held = other


def test_each_certificate_is_offered_once_after_rejections() -> None:
    shelf = Shelf()
    shelf.put(0, 1, 2)
    assert list(rejected(shelf)) == [certificates()[number].thumbprint for number in (1, 2)]


def test_errors_of_a_source_are_azcerts() -> None:
    shelf = Shelf()
    shelf.put()
    with pytest.raises(AzcertError):
        Follower(shelf).current()
