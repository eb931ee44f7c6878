"""The persistent cache shared with azure-identity: each reads what the other wrote."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.pipeline.transport import RequestsTransport
from azure.identity import CertificateCredential, TokenCachePersistenceOptions
from azure.identity.aio import CertificateCredential as AsyncCertificateCredential

from azcert.credential.caches.persistent import PersistentCache
from azcert.errors import ConfigurationError
from support.cache_worker import token, token_key
from support.signing import make_pem

if TYPE_CHECKING:
    from pathlib import Path

SCOPE = "https://vault.azure.net/.default"
OPTIONS = TokenCachePersistenceOptions(name="shared.cache", allow_unencrypted_storage=True)


class Answer:
    """What azure-identity's MSAL client needs of a response."""

    content_type = "application/json"
    encoding = "utf-8"
    reason = "OK"
    request = None

    def __init__(self, body: dict[str, Any]) -> None:
        self.status_code = 200
        self.headers = {"Content-Type": "application/json"}
        self._text = json.dumps(body)
        self.context: dict[str, Any] = {}

    def text(self, encoding: str | None = None) -> str:  # noqa: ARG002 - azure-core's signature
        return self._text

    def body(self) -> bytes:
        return self._text.encode()


class Service(RequestsTransport):  # type: ignore[misc] # azure-core gives its name untyped
    """Answers as the token service does, without a network; counts what reaches the token endpoint."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    def send(self, request: Any, **kwargs: Any) -> Any:  # noqa: ARG002 - azure-core's signature
        base = request.url.split("/v2.0/")[0].split("/oauth2/")[0]
        if request.url.endswith("openid-configuration"):
            return Answer(
                {
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "issuer": f"{base}/v2.0",
                }
            )
        self.asked += 1
        return Answer({"token_type": "Bearer", "expires_in": 3600, "access_token": "from the service"})


def official(service: Service) -> CertificateCredential:
    key = token_key()
    return CertificateCredential(
        key.tenant_id,
        key.client_id,
        certificate_data=make_pem(),
        cache_persistence_options=OPTIONS,
        disable_instance_discovery=True,
        transport=service,
    )


@pytest.mark.parametrize("cae", [False, True])
def test_azure_identity_uses_the_token_that_azcert_kept(home: Path, cae: bool) -> None:
    PersistentCache.from_options(OPTIONS).put(token_key(SCOPE, cae=cae), token("kept by azcert"))
    service = Service()
    with official(service) as credential:
        assert credential.get_token(SCOPE, enable_cae=cae).token == "kept by azcert"
    assert service.asked == 0


@pytest.mark.parametrize("cae", [False, True])
def test_azcert_uses_the_token_that_azure_identity_kept(home: Path, cae: bool) -> None:
    with official(Service()) as credential:
        assert credential.get_token(SCOPE, enable_cae=cae).token == "from the service"
    found = PersistentCache.from_options(OPTIONS).get(token_key(SCOPE, cae=cae))
    assert found is not None
    assert found.token.reveal() == "from the service"
    assert 3500 < found.expires_on - time.time() <= 3600
    assert found.expires_on - found.refresh_on == 300
    assert PersistentCache.from_options(OPTIONS).get(token_key(SCOPE, cae=not cae)) is None


async def test_azure_identitys_async_credential_uses_it_too(home: Path) -> None:
    key = token_key()
    PersistentCache.from_options(OPTIONS).put(token_key(SCOPE), token("kept by azcert"))
    async with AsyncCertificateCredential(
        key.tenant_id, key.client_id, certificate_data=make_pem(), cache_persistence_options=OPTIONS
    ) as credential:
        assert (await credential.get_token(SCOPE)).token == "kept by azcert"


def test_each_writes_over_the_others_entry_in_its_place(home: Path) -> None:
    cache = PersistentCache.from_options(OPTIONS)
    cache.put(token_key(SCOPE), token("too old", seconds=100))
    service = Service()
    with official(service) as credential:
        assert credential.get_token(SCOPE).token == "from the service"
    assert service.asked == 1
    state = json.loads((home / ".IdentityService" / "shared.cache.nocae").read_text())
    assert [entry["secret"] for entry in state["AccessToken"].values()] == ["from the service"]


def test_what_other_programs_keep_there_stays(home: Path) -> None:
    path = home / ".IdentityService" / "shared.cache.nocae"
    path.parent.mkdir()
    other = {"RefreshToken": {"a": {"secret": "of somebody"}}, "AppMetadata": {"b": {}}}
    path.write_text(json.dumps(other))
    cache = PersistentCache.from_options(OPTIONS)
    cache.put(token_key(), token())
    cache.remove(token_key())
    state = json.loads(path.read_text())
    assert {name: state[name] for name in other} == other


def test_the_bound_holds_and_what_ends_first_goes_first(home: Path) -> None:
    cache = PersistentCache(name="small", allow_unencrypted_storage=True, max_entries=3)
    for number in range(6):
        cache.put(token_key(f"scope {number}"), token(seconds=1000 + number))
    kept = [number for number in range(6) if cache.get(token_key(f"scope {number}"))]
    assert kept == [3, 4, 5]


def test_storage_in_the_clear_is_refused_unless_asked_for(home: Path) -> None:
    with pytest.raises(
        ConfigurationError, match=r'cannot be encrypted here.*Pass cache="file" instead'
    ) as caught:
        PersistentCache.from_options(TokenCachePersistenceOptions(name="shared.cache"))
    assert caught.value.code == "cache-encryption-unavailable"
    assert not (home / ".IdentityService").exists()


def test_the_file_in_the_clear_is_private(home: Path) -> None:
    cache = PersistentCache.from_options(OPTIONS)
    cache.put(token_key(), token())
    assert not cache.is_encrypted
    path = home / ".IdentityService" / "shared.cache.nocae"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"{", b"[]", b"\xff\xfe\x00", b'{"AccessToken": []}', b'{"AccessToken": {"a": 1}}']
)
def test_a_damaged_cache_is_set_aside_and_replaced(home: Path, content: bytes) -> None:
    path = home / ".IdentityService" / "shared.cache.nocae"
    path.parent.mkdir()
    path.write_bytes(content)
    cache = PersistentCache.from_options(OPTIONS)
    assert cache.get(token_key()) is None
    assert path.with_name("shared.cache.nocae.damaged").read_bytes() == content
    cache.put(token_key(), token("new"))
    found = cache.get(token_key())
    assert found is not None
    assert found.token.reveal() == "new"


@pytest.mark.parametrize("field", ["secret", "expires_on"])
def test_an_entry_that_lacks_a_field_is_a_miss(home: Path, field: str) -> None:
    cache = PersistentCache.from_options(OPTIONS)
    cache.put(token_key(), token())
    path = home / ".IdentityService" / "shared.cache.nocae"
    state = json.loads(path.read_text())
    for entry in state["AccessToken"].values():
        del entry[field]
    path.write_text(json.dumps(state))
    assert cache.get(token_key()) is None


def test_the_lock_of_a_killed_process_does_not_last_for_ever(home: Path) -> None:
    cache = PersistentCache.from_options(OPTIONS)
    lock = home / ".IdentityService" / "shared.cache.nocae.lockfile"
    lock.write_text("4711 a process that was killed")
    os.utime(lock, (0, 0))
    began = time.monotonic()
    cache.put(token_key(), token())
    assert cache.get(token_key()) is not None
    assert time.monotonic() - began < 2


def test_a_cache_that_works_again_is_used_again(home: Path) -> None:
    cache = PersistentCache.from_options(OPTIONS)
    path = home / ".IdentityService" / "shared.cache.nocae"
    path.mkdir()
    assert cache.get(token_key()) is None
    path.rmdir()
    PersistentCache.from_options(OPTIONS).put(token_key(), token())
    deadline = time.monotonic() + 5
    while cache.get(token_key()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert all(cache.get(token_key()) for _ in range(10)), "no call is skipped any more"


def test_a_cache_that_cannot_be_used_costs_a_line_and_no_failure(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache = PersistentCache.from_options(OPTIONS)
    (home / ".IdentityService" / "shared.cache.nocae").mkdir()
    for _ in range(10):
        cache.put(token_key(), token("the-token-itself"))
        assert cache.get(token_key()) is None
    assert len(caplog.records) == 1
    assert "the-token-itself" not in caplog.text
