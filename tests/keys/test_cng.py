"""The code for Windows, driven on Linux through a double of its libraries; not run on Windows yet."""

from __future__ import annotations

import ctypes
import datetime as dt
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest

from azcert.certificate.issue import generate_key, self_signed
from azcert.certificate.model import Certificate
from azcert.certificate.proof import holds
from azcert.certificate.signer import Algorithm
from azcert.errors import AccessError, AzcertError, ConfigurationError, SelectionError, SigningError
from azcert.keys import cng
from azcert.sources.openers.store import StoreSource
from azcert.stores.names import Location, Selector, StoreName
from azcert.stores.windows import WindowsStore
from support.windows import Item, WindowsDouble

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

NOW = dt.datetime.now(dt.UTC)
MY = StoreName(Location.CURRENT_USER, "My")


@cache
def _key(number: int) -> RSAPrivateKey:
    return generate_key()


def key(number: int = 0) -> RSAPrivateKey:
    return _key(number)


@cache
def certificate(name: str = "app", number: int = 0, age: int = 0) -> Certificate:
    return self_signed(key(number), subject=name, now=NOW - dt.timedelta(days=age))


def double(*items: Item) -> WindowsDouble:
    return WindowsDouble({"CurrentUser/My": list(items), "CurrentUser/CA": []})


def store_of(system: WindowsDouble, name: StoreName = MY) -> WindowsStore:
    return WindowsStore(name, windows=system.windows)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_the_key_signs_where_it_is_and_everything_is_given_back(algorithm: Algorithm) -> None:
    system = double(Item(certificate().der, key()))
    source = StoreSource(store_of(system), Selector(thumbprint=certificate().thumbprint), name="cert:")
    found = source.load()
    assert found.certificate == certificate()
    assert found.signer.algorithms == (Algorithm.PS256, Algorithm.RS256)
    assert (found.signer.protection, found.signer.blocking) == ("cng", True)
    assert holds(key().public_key(), b"data", found.signer.sign(b"data", algorithm), algorithm)
    found.signer.close()
    found.signer.close()
    with pytest.raises(SigningError) as caught:
        found.signer.sign(b"data", algorithm)
    assert caught.value.code == "closed"
    assert system.unfreed() == 0


def test_a_cached_key_is_not_freed_by_us() -> None:
    system = double(Item(certificate().der, key(), cached=True))
    entry = store_of(system).get(certificate().thumbprint)
    assert entry is not None
    store_of(system).signer(entry).close()
    assert len(system.keys) == 1


def test_a_tpm_that_takes_another_salt_leaves_rs256() -> None:
    system = double(Item(certificate().der, key(), salt=222))
    entry = store_of(system).get(certificate().thumbprint)
    assert entry is not None
    assert store_of(system).signer(entry).algorithms == (Algorithm.RS256,)


def test_a_key_that_signs_nothing_says_what_windows_said() -> None:
    system = double(Item(certificate().der, key(), sign_status=0x80090029))
    entry = store_of(system).get(certificate().thumbprint)
    assert entry is not None
    with pytest.raises(SigningError) as caught:
        assert store_of(system).signer(entry).algorithms
    assert caught.value.code == "no-algorithm"
    assert "0x80090029" in caught.value.message


@pytest.mark.parametrize(
    ("status", "error", "code"),
    [
        (cng.NTE_PERM, AccessError, "key-access-denied"),
        (cng.ERROR_ACCESS_DENIED, AccessError, "key-access-denied"),
        (cng.E_ACCESSDENIED, AccessError, "key-access-denied"),
        (cng.NTE_BAD_KEYSET, SelectionError, "no-private-key"),
        (cng.CRYPT_E_NO_KEY_PROPERTY, SelectionError, "no-private-key"),
        (cng.NTE_BAD_PUBLIC_KEY, SelectionError, "key-mismatch"),
        (cng.NTE_SILENT_CONTEXT, AccessError, "pin-missing"),
        (cng.SCARD_W_CHV_BLOCKED, AccessError, "pin-missing"),
        (0x80090020, SigningError, "windows-failed"),
    ],
)
def test_each_refusal_of_the_key_has_its_own_error_and_leaks_nothing(
    status: int, error: type[AzcertError], code: str
) -> None:
    system = double(Item(certificate().der, key(), status=status))
    source = StoreSource(store_of(system), Selector(subject="app"), name="store:")
    with pytest.raises(error) as caught:
        source.load()
    assert caught.value.code == code
    assert f"0x{status:08X}" in caught.value.message
    assert system.unfreed() == 0


def test_entries_tell_what_windows_tells() -> None:
    system = double(
        Item(certificate().der, key()), Item(certificate("other", 1).der), Item(b"not a certificate")
    )
    entries = store_of(system).entries()
    assert [(each.subject, each.has_key, each.protection) for each in entries] == [
        ("CN=app", True, "cng"),
        ("CN=other", False, None),
    ]
    assert system.unfreed() == 0


def test_a_certificate_is_found_by_either_thumbprint() -> None:
    store = store_of(double(Item(certificate().der, key())))
    for thumbprint in (certificate().thumbprint, certificate().thumbprint_sha256):
        found = store.get(thumbprint)
        assert found is not None
        assert found.thumbprint == certificate().thumbprint
        assert store.get("0" * len(thumbprint)) is None


def test_a_subject_follows_the_newest_certificate() -> None:
    system = double(Item(certificate(age=20).der, key()))
    source = StoreSource(store_of(system), Selector(subject="app"), name="store:")
    assert source.load().certificate == certificate(age=20)
    before = source.revision()
    system.stores["CurrentUser/My"].append(Item(certificate().der, key()))
    assert source.revision() != before
    assert source.load().certificate == certificate()


def test_the_intermediate_certificates_of_the_location_complete_the_chain(
    request: pytest.FixtureRequest,
) -> None:
    from corpus.material import Material

    material = Material(NOW.replace(microsecond=0))
    system = double(Item(certificate().der, key()))
    system.stores["CurrentUser/CA"] = [
        Item(Certificate(each).der) for each in (material.root, material.issuing)
    ]
    system.stores["CurrentUser/My"] = [Item(Certificate(material.issuing).der)]
    store = store_of(system)
    (entry,) = store.entries()
    assert store.certificate(entry).chain == (material.root,)


def test_an_absent_store_is_empty_and_a_closed_one_is_refused() -> None:
    system = double()
    system.denied = frozenset({"LocalMachine/My"})
    absent = store_of(system, StoreName(Location.CURRENT_USER, "Elsewhere"))
    assert absent.entries() == []
    assert absent.get("0" * 40) is None
    assert absent.revision() == "not-found"
    denied = store_of(system, StoreName(Location.LOCAL_MACHINE, "My"))
    with pytest.raises(AccessError) as caught:
        denied.entries()
    assert caught.value.code == "key-access-denied"
    assert denied.revision() == "key-access-denied"


def test_a_certificate_is_removed_once() -> None:
    system = double(Item(certificate().der, key()))
    store = store_of(system)
    (entry,) = store.entries()
    store.remove(entry)
    store.remove(entry)
    assert store.entries() == []
    with pytest.raises(SelectionError) as caught:
        store.certificate(entry)
    assert caught.value.code == "not-found"
    assert system.unfreed() == 0


def test_the_structures_are_as_large_as_those_of_64_bit_windows() -> None:
    pointer = ctypes.sizeof(ctypes.c_void_p)
    assert pointer == 8
    assert ctypes.sizeof(cng.CertContext) == 40
    assert ctypes.sizeof(cng.CryptHashBlob) == 16
    assert ctypes.sizeof(cng.BcryptPssPaddingInfo) == 16
    assert ctypes.sizeof(cng.BcryptPkcs1PaddingInfo) == 8


def test_elsewhere_than_on_windows_it_says_so() -> None:
    assert sys.platform != "win32", "run tests/keys/test_cng.py's double on POSIX only"
    with pytest.raises(ConfigurationError) as caught:
        cng.load_windows()
    assert caught.value.code == "not-windows"
