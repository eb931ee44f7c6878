"""The store of .NET on Linux: read as .NET wrote it, written as .NET reads it.

.NET itself is not run here; the files are those that its source describes, made by openssl.
"""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from azcert.certificate.signer import Algorithm
from azcert.errors import AccessError, ConfigurationError, SelectionError
from azcert.sources.open import open_source
from azcert.stores.dotnet import DotnetStore
from support.stored import MY, SHARED, key, make

if TYPE_CHECKING:
    from azcert.stores.store import Entry

PLACE = Path(".dotnet", "corefx", "cryptography", "x509stores", "my")

# How .NET 5 and later, .NET Core 3, and keyless or careless programs write a file.
CIPHERS = {
    "3des": ["-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-3DES", "-macalg", "sha1"],
    "aes": ["-keypbe", "AES-256-CBC", "-certpbe", "AES-256-CBC", "-macalg", "sha256"],
    "none": ["-keypbe", "NONE", "-certpbe", "NONE", "-nomac"],
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DotnetStore:
    monkeypatch.setenv("HOME", str(tmp_path))
    return DotnetStore(MY)


def write_pfx(folder: Path, name: str, *, subject: str = "CN=app", cipher: str = "3des") -> str:
    """Write what .NET writes, and return the certificate's thumbprint."""
    made = make(subject)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    done = subprocess.run(
        ["openssl", "pkcs12", "-export", "-legacy", "-passout", "pass:", *CIPHERS[cipher]],
        input=pem + made.leaf.public_bytes(Encoding.PEM),
        capture_output=True,
        check=True,
    )
    path = folder / name
    path.write_bytes(done.stdout)
    path.chmod(0o600)
    return made.thumbprint


@pytest.mark.parametrize("cipher", CIPHERS)
def test_what_dotnet_wrote_signs(store: DotnetStore, cipher: str) -> None:
    thumbprint = write_pfx(store.folder, "ANY.NAME.pfx", cipher=cipher)
    entry = store.get(thumbprint)
    assert entry is not None
    assert entry.has_key
    assert store.signer(entry).sign(b"data", Algorithm.PS256)


def test_the_folder_is_dotnets(store: DotnetStore, tmp_path: Path) -> None:
    assert store.folder == tmp_path / PLACE


def test_a_dotnet_source_selects_by_dotnets_rules(store: DotnetStore) -> None:
    today = dt.datetime.now(dt.UTC).replace(microsecond=0)
    wanted = make("CN=mytest.contoso.com", start=today)
    store.add(wanted, key())
    store.add(make("CN=other", start=today), key())
    loaded = open_source("dotnet:CurrentUser/My?subject=TEST.con").load()
    assert loaded.certificate == wanted
    assert loaded.signer.sign(b"data", Algorithm.PS256)


def test_what_is_written_is_named_and_closed_as_dotnet_does(store: DotnetStore) -> None:
    made = make()
    entry = store.add(made, key())
    path = store.folder / f"{made.thumbprint}.pfx"
    assert entry.path == str(path)
    assert store.folder.stat().st_mode & 0o777 == 0o700
    assert path.stat().st_mode & 0o777 == 0o600
    shown = subprocess.run(
        ["openssl", "pkcs12", "-in", str(path), "-passin", "pass:", "-nodes"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "BEGIN PRIVATE KEY" in shown
    assert "BEGIN CERTIFICATE" in shown
    assert DotnetStore(MY).entries() == [entry]


def test_a_taken_name_is_numbered_as_dotnet_numbers_it(store: DotnetStore) -> None:
    made = make()
    write_pfx(store.folder, f"{made.thumbprint}.pfx", subject="CN=other")
    entry = store.add(made, key())
    assert entry.path == str(store.folder / f"{made.thumbprint}.1.pfx")
    assert {found.subject for found in store.entries()} == {"CN=app", "CN=other"}


def test_adding_again_replaces_the_same_file(store: DotnetStore) -> None:
    made = make()
    store.add(made)
    assert not store.entries()[0].has_key
    store.add(made, key())
    assert len(list(store.folder.iterdir())) == 1
    assert store.entries()[0].has_key
    assert store.add(made).has_key, "the public part does not drive the key out"


def test_duplicates_count_once_and_all_are_removed(store: DotnetStore) -> None:
    made = make()
    entry = store.add(made, key())
    (store.folder / "copy.pfx").write_bytes(Path(entry.path or "").read_bytes())
    (store.folder / "copy.pfx").chmod(0o600)
    assert len(store.entries()) == 1
    store.remove(entry)
    assert list(store.folder.iterdir()) == []


def test_unreadable_files_are_passed_over(store: DotnetStore) -> None:
    thumbprint = write_pfx(store.folder, "good.pfx")
    store.folder.joinpath("bad.pfx").write_bytes(b"no PKCS#12")
    store.folder.joinpath("note.txt").write_bytes(b"not asked")
    assert [entry.thumbprint for entry in store.entries()] == [thumbprint]


def test_a_folder_that_others_may_write_is_refused(store: DotnetStore) -> None:
    write_pfx(store.folder, "A.pfx")
    store.folder.chmod(0o777)
    with pytest.raises(AccessError) as caught:
        store.entries()
    assert caught.value.code == "untrusted"


def test_local_machine_has_no_folder_in_dotnet() -> None:
    with pytest.raises(ConfigurationError, match="store:LocalMachine/My"):
        DotnetStore(SHARED)


def test_an_absent_store_is_empty_and_a_lost_file_is_named(store: DotnetStore) -> None:
    assert store.entries() == []
    entry: Entry = store.add(make(), key())
    Path(entry.path or "").unlink()
    with pytest.raises(SelectionError, match="no longer"):
        store.certificate(entry)
