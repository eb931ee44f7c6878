"""Every file of the corpus gets its verdict, from the library and from the command line."""

from __future__ import annotations

import datetime as dt
import stat
import time
from typing import TYPE_CHECKING

import pytest

from azcert._redact import Secret
from azcert.certificate import formats
from azcert.certificate.signer import Algorithm
from azcert.errors import AccessError, CertificateError
from azcert.sources.openers.file import FileSource
from corpus.make import Case, build

if TYPE_CHECKING:
    from pathlib import Path

NOW = dt.datetime(2031, 5, 6, 7, 8, 9, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Case]]:
    folder = tmp_path_factory.mktemp("corpus")
    return folder, build(folder, NOW)


def source(folder: Path, case: Case) -> FileSource:
    password = None if case.password is None else Secret(case.password)
    return FileSource(folder / case.file, password=password, now=lambda: NOW)


def test_every_file_gets_its_verdict(corpus: tuple[Path, list[Case]]) -> None:
    folder, cases = corpus
    assert len(cases) >= 120
    wrong = []
    for case in cases:
        begin = time.process_time()
        found = verdict(folder, case)
        took = time.process_time() - begin
        if found != expected(case) or took > 6:
            wrong.append((case.file, found, expected(case), round(took, 1)))
    assert not wrong, "\n".join(map(str, wrong))


def expected(case: Case) -> tuple[object, ...]:
    return ("ok", case.thumbprint, case.chain, case.extras) if case.verdict == "ok" else (case.verdict,)


def verdict(folder: Path, case: Case) -> tuple[object, ...]:
    try:
        loaded = source(folder, case).load()
    except (CertificateError, AccessError) as error:
        return (error.code if error.remedy else f"{error.code}, without advice",)
    certificate = loaded.certificate
    return ("ok", certificate.thumbprint, len(certificate.chain), len(loaded.extras))


def test_good_files_sign_with_the_key_of_their_certificate(corpus: tuple[Path, list[Case]]) -> None:
    from azcert.certificate.proof import holds

    folder, cases = corpus
    for case in cases:
        if case.verdict == "ok":
            loaded = source(folder, case).load()
            for algorithm in Algorithm:
                signature = loaded.signer.sign(b"data", algorithm)
                assert holds(loaded.signer.public_key(), b"data", signature, algorithm), case.file


def test_the_form_is_named(corpus: tuple[Path, list[Case]]) -> None:
    folder, cases = corpus
    for case in cases:
        if case.verdict == "ok":
            password = None if case.password is None else Secret(case.password)
            contents = formats.load((folder / case.file).read_bytes(), password=password, name=case.file)
            assert case.form in contents.form, (case.file, contents.form)


def test_messages_name_the_file_and_never_the_password(corpus: tuple[Path, list[Case]]) -> None:
    folder, cases = corpus
    for case in cases:
        if case.verdict != "ok":
            with pytest.raises((CertificateError, AccessError)) as caught:
                source(folder, case).load()
            assert case.file in str(caught.value)
            assert not case.password or case.password not in repr(caught.value) + str(caught.value.as_dict())


def test_nothing_looked_at_is_changed(corpus: tuple[Path, list[Case]]) -> None:
    folder, cases = corpus
    before = {path: path.lstat() for path in folder.iterdir()}
    for case in cases[:5]:
        source(folder, case).load()
    for path, was in before.items():
        assert path.lstat()[: stat.ST_ATIME] == was[: stat.ST_ATIME]
