from __future__ import annotations

import base64
import datetime as dt
import logging
import os
import time
from typing import TYPE_CHECKING

import pytest

from azcert._files import ALLOW_OPEN
from azcert._redact import Secret
from azcert.errors import AccessError, AzcertError, CertificateError, SelectionError, SourceError
from azcert.sources.openers.data import DataSource, DescriptorSource, EnvironmentSource
from azcert.sources.openers.file import FileSource
from corpus.containers import pfx
from corpus.material import PASSWORD, certificate_pem, key_pem
from support.certificates import NOW, material, write_app

if TYPE_CHECKING:
    from pathlib import Path

    from azcert.sources.source import Source


def file_source(path: Path | str, password: str | None = None, now: dt.datetime = NOW) -> FileSource:
    return FileSource(path, password=Secret(password) if password else None, now=lambda: now)


def test_every_source_fulfils_the_contract(tmp_path: Path) -> None:
    sources: list[Source] = [
        file_source(write_app(tmp_path / "app.pem")),
        DataSource(b"", name="value"),
        EnvironmentSource("APP"),
        DescriptorSource(3),
    ]
    assert [each.blocking for each in sources] == [False, False, False, True]
    for each in sources:
        each.close()


def test_a_file_gives_its_certificate_and_says_where_the_key_is(tmp_path: Path) -> None:
    path = write_app(tmp_path / "app.pem")
    loaded = file_source(path).load()
    assert loaded.certificate.leaf == material().leaf
    assert loaded.signer.place == f"file {path}"
    assert loaded.signer.protection == "file"


def test_an_encrypted_file_says_so(tmp_path: Path) -> None:
    path = write_app(tmp_path / "app.pem", password=PASSWORD)
    assert file_source(path, PASSWORD).load().signer.protection == "encrypted"


def test_a_password_never_shows(tmp_path: Path) -> None:
    source = file_source(write_app(tmp_path / "app.pem", password=PASSWORD), PASSWORD)
    assert PASSWORD not in repr(source) + source.name + repr(vars(source))


def test_ones_own_open_key_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_app(tmp_path / "app.pem")
    path.chmod(0o644)
    with pytest.raises(AccessError, match="chmod 600"):
        file_source(path).load()
    monkeypatch.setenv(ALLOW_OPEN, "true")
    file_source(path).load()


def test_a_public_certificate_may_be_open(tmp_path: Path) -> None:
    path = tmp_path / "app.cer"
    path.write_bytes(certificate_pem(material().leaf))
    path.chmod(0o644)
    with pytest.raises(CertificateError) as caught:
        file_source(path).load()
    assert caught.value.code == "key-missing"


def test_the_revision_changes_with_every_way_a_file_can_change(tmp_path: Path) -> None:
    path = tmp_path / "app.pem"
    source = file_source(path)
    seen = [source.revision()]
    write_app(path)
    seen.append(source.revision())
    with path.open("ab") as stream:
        stream.write(b"\n")
    seen.append(source.revision())
    replacement = write_app(tmp_path / "next.pem")
    replacement.replace(path)
    seen.append(source.revision())
    path.chmod(0o400)
    seen.append(source.revision())
    path.unlink()
    assert source.revision() == seen[0]
    assert len(set(seen)) == len(seen)


def test_an_unchanged_file_keeps_its_revision(tmp_path: Path) -> None:
    source = file_source(write_app(tmp_path / "app.pem"))
    assert source.revision() == source.revision()


def test_a_kubernetes_secret_is_followed_when_its_link_turns(tmp_path: Path) -> None:
    m = material()
    for name, certificate in (("..1", m.leaf), ("..2", m.renewed)):
        (tmp_path / name).mkdir()
        path = tmp_path / name / "tls.pem"
        path.write_bytes(key_pem(m.key) + certificate_pem(certificate))
        path.chmod(0o600)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "tls.pem").symlink_to("..data/tls.pem")
    source = file_source(tmp_path / "tls.pem")
    first, before = source.load(), source.revision()
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    assert source.revision() != before
    assert source.load().certificate.leaf == m.renewed
    assert first.certificate.leaf == m.leaf


def test_a_revision_costs_microseconds_not_milliseconds(tmp_path: Path) -> None:
    source = file_source(write_app(tmp_path / "app.pem"))
    begin = time.process_time()
    for _ in range(1000):
        source.revision()
    # 2 microseconds where this was written; the bound leaves room for a busy machine.
    assert (time.process_time() - begin) / 1000 < 50e-6


def test_a_relative_path_stays_where_it_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_app(tmp_path / "app.pem")
    monkeypatch.chdir(tmp_path)
    source = file_source("app.pem")
    monkeypatch.chdir("/")
    assert source.load().certificate.leaf == material().leaf
    assert source.name == "app.pem"


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_what_is_no_path_is_refused_at_once(path: str) -> None:
    with pytest.raises(SourceError):
        FileSource(path)


def test_a_rejected_certificate_is_skipped(tmp_path: Path) -> None:
    m = material()
    path = tmp_path / "app.pem"
    path.write_bytes(key_pem(m.key) + certificate_pem(m.leaf, m.renewed))
    path.chmod(0o600)
    source = file_source(path)
    newest = source.load().certificate
    assert newest.leaf == m.renewed
    assert source.load(skip=frozenset({newest.thumbprint})).certificate.leaf == m.leaf


def test_the_clock_decides_what_is_valid(tmp_path: Path) -> None:
    path = write_app(tmp_path / "app.pem")
    late = NOW + dt.timedelta(days=4000)
    with pytest.raises(CertificateError) as caught:
        file_source(path, now=late).load()
    assert caught.value.code == "expired"


def test_an_environment_variable_holds_pem_or_base64(monkeypatch: pytest.MonkeyPatch) -> None:
    m = material()
    source = EnvironmentSource("APP_PFX", password=Secret(PASSWORD), now=lambda: NOW)
    with pytest.raises(SelectionError, match="environment variable APP_PFX"):
        source.load()
    unset = source.revision()
    monkeypatch.setenv("APP_PFX", base64.b64encode(pfx(m.key, m.leaf, password=PASSWORD)).decode())
    assert source.load().certificate.leaf == m.leaf
    in_base64 = source.revision()
    monkeypatch.setenv("APP_PFX", (key_pem(m.key) + certificate_pem(m.renewed)).decode())
    assert source.load().certificate.leaf == m.renewed
    assert len({unset, in_base64, source.revision()}) == 3


@pytest.mark.parametrize("kind", ["pipe", "file"])
def test_a_descriptor_is_read_once_and_gives_the_same_again(tmp_path: Path, kind: str) -> None:
    path = write_app(tmp_path / "app.pem")
    if kind == "file":
        descriptor = os.open(path, os.O_RDONLY)
    else:
        descriptor, writer = os.pipe()
        os.write(writer, path.read_bytes())
        os.close(writer)
    source = DescriptorSource(descriptor, now=lambda: NOW)
    assert source.load().certificate.leaf == material().leaf
    os.close(descriptor)
    assert source.load().certificate.leaf == material().leaf


def test_a_descriptor_that_is_not_open_is_named() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    with pytest.raises(SelectionError, match=f"file descriptor {reader}"):
        DescriptorSource(reader).load()


def test_a_value_in_memory_is_not_judged_like_a_file(caplog: pytest.LogCaptureFixture) -> None:
    m = material()
    data = key_pem(m.key) + certificate_pem(m.leaf, m.issuing)
    with caplog.at_level(logging.DEBUG):
        loaded = DataSource(data, name="certificate_data", now=lambda: NOW).load()
    assert loaded.signer.protection == "memory"
    assert loaded.certificate.chain == (m.issuing,)
    assert not caplog.records


def test_every_fault_of_a_source_is_one_family(tmp_path: Path) -> None:
    sources: list[Source] = [FileSource(tmp_path / "no"), EnvironmentSource("NO_SUCH"), DataSource(b"x")]
    for source in sources:
        with pytest.raises(AzcertError):
            source.load()
