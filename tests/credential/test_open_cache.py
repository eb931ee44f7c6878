"""A token cache named by a text: an argument or AZCERT_TOKEN_CACHE."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from azcert import CertificateCredential
from azcert.credential.open_cache import open_cache
from azcert.errors import AccessError, ConfigurationError
from support.cache_worker import token, token_key
from support.signing import RenewableSource, make_pem, make_signing


@pytest.fixture
def source() -> RenewableSource:
    return RenewableSource([make_signing()])


def test_memory_needs_no_cache(source: RenewableSource) -> None:
    assert open_cache("memory", source) is None


@pytest.mark.parametrize(
    "name", ["file:{}", "file://{}", "file:{}#key=certificate", "file:{}#key=file:{}.key"]
)
def test_a_file_cache_is_named_with_its_folder_and_key(
    name: str, source: RenewableSource, tmp_path: Path
) -> None:
    folder = tmp_path / "tokens"
    key_file = Path(f"{folder}.key")
    key_file.touch(mode=0o600)
    key_file.write_bytes(os.urandom(32))
    cache = open_cache(name.format(folder, folder), source)
    assert cache is not None
    key = token_key(thumbprint=source.certificates[0].certificate.thumbprint_sha256)
    cache.put(key, token("kept"))
    again = open_cache(name.format(folder, folder), source)
    assert again is not None
    found = again.get(key)
    assert found is not None
    assert found.token.reveal() == "kept"


def test_a_file_cache_without_a_folder_is_in_the_users_own(
    source: RenewableSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    open_cache("file", source)
    assert (tmp_path / "azcert" / "tokens").is_dir()


def test_a_redis_cache_is_named_by_its_url(source: RenewableSource) -> None:
    cache = open_cache("rediss://user:the-password@cache.example:6380/0", source)
    assert repr(cache) == "<RedisCache rediss://cache.example:6380 key=a signature by test:app>"


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("", "token-cache-name"),
        ("disk", "token-cache-name"),
        ("memory#key=keyring", "token-cache-name"),
        ("http://cache.example", "redis-url"),
        ("file#key=nothing", "token-cache-key"),
        ("file#key=file:", "token-cache-key"),
        ("file#colour=red", "token-cache-key"),
        ("file#key=systemd:absent", "sealing-key-missing"),
    ],
)
def test_a_wrong_name_is_refused(
    name: str, code: str, source: RenewableSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigurationError) as caught:
        open_cache(name, source)
    assert caught.value.code == code


def test_a_key_file_that_is_missing_is_refused(source: RenewableSource, tmp_path: Path) -> None:
    with pytest.raises(AccessError, match="cannot be read"):
        open_cache(f"redis://host#key=file:{tmp_path}/none", source)


def test_a_credential_opens_the_cache_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZCERT_TOKEN_CACHE", f"file:{tmp_path}/tokens")
    with CertificateCredential("tenant", "client", certificate_data=make_pem()):
        assert (tmp_path / "tokens").is_dir()


def test_an_argument_goes_before_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZCERT_TOKEN_CACHE", f"file:{tmp_path}/of-the-environment")
    with CertificateCredential(
        "tenant", "client", certificate_data=make_pem(), cache=f"file:{tmp_path}/tokens"
    ):
        assert (tmp_path / "tokens").is_dir()
    assert not (tmp_path / "of-the-environment").exists()
