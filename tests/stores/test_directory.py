"""azcert's own store: what lies in its folder, and that it reads what it wrote."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given
from hypothesis import strategies as st

from azcert._redact import Secret
from azcert.certificate.model import Certificate
from azcert.certificate.signer import Algorithm
from azcert.errors import AccessError, CertificateError, ConfigurationError, SelectionError
from azcert.stores.directory.places import folder_of
from azcert.stores.directory.record import Record
from azcert.stores.directory.store import DirectoryStore
from azcert.stores.passphrase import PassphraseFrom, PassphraseKind
from support.stored import MY, NOW, SHARED, key, make


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(MY, tmp_path / "stores" / "my")


def fresh(store: DirectoryStore) -> DirectoryStore:
    """Another process's view: nothing remembered."""
    return DirectoryStore(store.name, store.folder)


def modes(folder: Path) -> dict[str, int]:
    return {path.suffix or path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


def test_what_is_added_is_found_by_both_thumbprints_and_signs(store: DirectoryStore) -> None:
    made = make()
    entry = store.add(made, key())
    other = fresh(store)
    assert other.get(made.thumbprint) == other.get(made.thumbprint_sha256) == entry
    assert other.entries() == [entry]
    assert other.certificate(entry) == made
    signer = other.signer(entry)
    assert len(signer.sign(b"data", Algorithm.PS256)) == 256
    assert signer.protection == "file"
    assert "PRIVATE" not in repr(signer)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_are_right_under_every_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        own = DirectoryStore(MY, tmp_path / "own" / "my")
        shared = DirectoryStore(SHARED, tmp_path / "shared" / "my")
        for each in (own, shared):
            each.add(make(), key())
    finally:
        os.umask(before)
    assert own.folder.stat().st_mode & 0o777 == 0o700
    assert shared.folder.stat().st_mode & 0o777 == 0o755
    for each in (own, shared):
        assert modes(each.folder) == {".key": 0o600, ".pem": 0o644, ".index": 0o644, ".lock": 0o600}


def test_openssl_reads_certificate_and_key(store: DirectoryStore) -> None:
    entry = store.add(make(), key())
    shown = subprocess.run(
        ["openssl", "x509", "-in", str(entry.path), "-noout", "-fingerprint", "-sha1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert shown.stdout.strip().replace(":", "").endswith(entry.thumbprint)
    checked = subprocess.run(
        ["openssl", "pkey", "-in", str(store.key_path(entry)), "-noout", "-check"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "valid" in checked.stdout + checked.stderr


def test_the_chain_comes_along(store: DirectoryStore) -> None:
    chained = Certificate(make().leaf, (make("CN=issuing").leaf, make("CN=root").leaf))
    entry = store.add(chained, key())
    assert fresh(store).certificate(entry) == chained


def test_an_encrypted_key_is_standard_pkcs8_that_only_its_passphrase_opens(
    store: DirectoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = PassphraseFrom(PassphraseKind.ENV, "APP_PASSPHRASE")
    entry = store.add(make(), key(), passphrase=Secret("correct horse"), passphrase_from=origin)
    path = store.key_path(entry)
    command = ["openssl", "pkey", "-in", str(path), "-noout", "-passin"]
    assert subprocess.run([*command, "pass:correct horse"], capture_output=True, check=False).returncode == 0
    assert subprocess.run([*command, "pass:wrong"], capture_output=True, check=False).returncode != 0
    asn1 = subprocess.run(
        ["openssl", "asn1parse", "-in", str(path)], capture_output=True, text=True, check=True
    ).stdout
    assert {"PBES2", "PBKDF2", "hmacWithSHA256", "aes-256-cbc"} <= {
        line.split(":")[-1] for line in asn1.split("\n")
    }
    assert "0927C0" in asn1  # 600,000 rounds

    assert fresh(store).signer(entry, password=Secret("correct horse")).protection == "encrypted"
    with pytest.raises(CertificateError) as caught:
        store.signer(entry, password=Secret("wrong"))
    assert caught.value.code == "wrong-password"
    with pytest.raises(ConfigurationError) as missing:
        store.signer(entry)
    assert missing.value.code == "password-missing"
    assert "APP_PASSPHRASE" in str(missing.value)
    monkeypatch.setenv("APP_PASSPHRASE", "correct horse")
    assert store.signer(entry).sign(b"data", Algorithm.RS256)


def test_an_empty_passphrase_is_refused(store: DirectoryStore) -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        store.add(make(), key(), passphrase=Secret(""))
    assert not store.folder.exists()


def test_a_key_of_another_certificate_is_refused(store: DirectoryStore) -> None:
    with pytest.raises(CertificateError) as caught:
        store.add(make(), key(1))
    assert caught.value.code == "key-mismatch"


def test_importing_again_replaces_the_key_and_leaves_no_old_one(store: DirectoryStore) -> None:
    made = make()
    store.add(made, key(), exportable=True)
    entry = store.add(made, key(), passphrase=Secret("later"))
    assert len(list(store.folder.glob("*.key"))) == 1
    assert fresh(store).entries() == [entry]
    assert entry.protection == "encrypted"
    assert not entry.exportable


def test_importing_the_public_part_again_keeps_the_key(store: DirectoryStore) -> None:
    made = make()
    store.add(made, key())
    entry = store.add(made)
    assert entry.has_key
    assert store.signer(entry).sign(b"data", Algorithm.PS256)


def test_only_an_exportable_key_is_exported(store: DirectoryStore) -> None:
    kept, given = store.add(make("CN=kept"), key()), store.add(make("CN=given"), key(), exportable=True)
    assert store.export_key(given).private_numbers() == key().private_numbers()
    with pytest.raises(AccessError) as caught:
        store.export_key(kept)
    assert caught.value.code == "not-exportable"


def test_removing_leaves_neither_certificate_nor_key(store: DirectoryStore) -> None:
    entry = store.add(make(), key())
    store.remove(entry)
    store.remove(entry)
    assert set(modes(store.folder)) == {".index", ".lock"}
    assert fresh(store).entries() == []
    with pytest.raises(SelectionError, match="no longer"):
        store.signer(entry)


def test_a_lost_key_file_is_named(store: DirectoryStore) -> None:
    entry = store.add(make(), key())
    path = store.key_path(entry)
    path.unlink()
    with pytest.raises(SelectionError, match=path.name) as caught:
        store.signer(entry)
    assert caught.value.code == "no-private-key"


def test_an_absent_store_is_empty(store: DirectoryStore) -> None:
    assert store.entries() == []
    assert store.get("A" * 40) is None
    assert not store.folder.exists()


def test_a_damaged_file_hides_no_other_certificate(
    store: DirectoryStore, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = store.add(make("CN=good"), key()), store.add(make("CN=bad"), key())
    Path(bad.path or "").write_bytes(b"-----BEGIN CERTIFICATE-----\nbm8=\n-----END CERTIFICATE-----\n")
    assert fresh(store).entries() == [good]
    assert bad.thumbprint in caplog.text
    with pytest.raises(CertificateError) as caught:
        store.get(bad.thumbprint)
    assert caught.value.code == "damaged"


def test_a_damaged_certificate_is_mended_by_importing_it_again(store: DirectoryStore) -> None:
    made = make()
    entry = store.add(made, key())
    Path(entry.path or "").write_bytes(b"nothing")
    assert store.add(made, key()).has_key
    store.add(make("CN=next"), key())
    assert len(list(store.folder.glob(f"{made.thumbprint}*.key"))) == 1


def test_a_file_under_a_wrong_name_is_not_that_certificate(store: DirectoryStore) -> None:
    entry = store.add(make(), key())
    path = Path(entry.path or "")
    path.rename(path.with_name("A" * 40 + ".pem"))
    with pytest.raises(CertificateError) as caught:
        store.get("A" * 40)
    assert caught.value.code == "damaged"


def test_the_revision_changes_with_every_change(store: DirectoryStore) -> None:
    seen = [store.revision()]
    entry = store.add(make(), key())
    seen.append(store.revision())
    store.add(make("CN=other"), key())
    seen.append(store.revision())
    store.remove(entry)
    seen.append(store.revision())
    assert len(set(seen)) == len(seen)
    assert store.revision() == store.revision()


@given(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40),
)
def test_records_read_back_whatever_subject_and_passphrase_are_called(subject: str, passphrase: str) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, f"-----BEGIN {subject}")])
    made = Certificate(renamed(name))
    record = Record(
        made,
        NOW,
        f"{made.thumbprint}.00.key",
        None,
        "encrypted",
        exportable=True,
        passphrase=PassphraseFrom(PassphraseKind.FILE, passphrase),
    )
    assert Record.read(record.render(), "file") == record


def renamed(name: x509.Name) -> x509.Certificate:
    from cryptography.hazmat.primitives import hashes

    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key().public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW)
        .sign(key(), hashes.SHA256())
    )


def test_places_are_those_of_the_fhs_and_xdg() -> None:
    home = {"HOME": "/home/app"}
    assert folder_of(SHARED, home) == Path("/var/lib/azcert/stores/my")
    assert folder_of(MY, home) == Path("/home/app/.local/share/azcert/stores/my")
    assert folder_of(MY, home | {"XDG_DATA_HOME": "/data"}) == Path("/data/azcert/stores/my")
    assert folder_of(MY, home | {"XDG_DATA_HOME": "relative"}) == folder_of(MY, home)
    moved = {"AZCERT_STORE_ROOT": "/srv/certs"}
    assert folder_of(SHARED, moved) == Path("/srv/certs/LocalMachine/my")
    assert folder_of(MY, moved) == Path("/srv/certs/CurrentUser/my")
    with pytest.raises(ConfigurationError, match="not an absolute path"):
        folder_of(MY, {"AZCERT_STORE_ROOT": "certs"})
