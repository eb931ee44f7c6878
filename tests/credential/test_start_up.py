"""What a process imports for a token that is in a cache: time is felt by every command and every cron job."""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from azcert.credential.tokens import QuietToken, QuietTokenInfo
from support.token_endpoint import CLIENT, SCOPE, TENANT

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from support.shells import Stand

# Each of these takes longer than looking into the cache, and only a request, another form of file, another
# cache or an error needs it.
NOT_NEEDED = {
    "aiohttp",
    "azcert.certificate.issue",
    "azcert.config",
    "azcert.credential.assertions",
    "azcert.credential.backoff",
    "azcert.credential.caches.persistent",
    "azcert.credential.caches.redis",
    "azcert.credential.endpoint",
    "azcert.credential.sealing.keyring",
    "azcert.entra.aadsts",
    "azcert.entra.assertion",
    "azcert.entra.discovery",
    "azcert.entra.exchange",
    "azcert.stores.find",
    "azcert.wire.pipeline",
    "azure",
    "cryptography.hazmat.primitives.serialization.pkcs7",
    "email.message",
    "http",
    "importlib.metadata",
    "msal",
    "pkcs11",
    "redis",
    "requests",
    "secrets",
    "ssl",
    "tpm2_pytss",
    "typing_extensions",
    "urllib.request",
    "urllib3",
    "uuid",
    "xml",
}

IN_A_PROGRAM = """
import sys
from azcert import CertificateCredential

def make(tenant, client, certificate, authority, ca, folder):
    return CertificateCredential(tenant, client, certificate, authority=authority, connection_verify=ca,
                                 cache=f"file:{folder}")

with make(*sys.argv[2:]) as credential:
    print(credential.get_token(sys.argv[1]).token, *sys.modules)
"""
AWAITED = """
import asyncio, sys
from azcert.aio import CertificateCredential

async def main(tenant, client, certificate, authority, ca, folder):
    async with CertificateCredential(tenant, client, certificate, authority=authority, connection_verify=ca,
                                     cache=f"file:{folder}") as credential:
        print((await credential.get_token(sys.argv[1])).token, *sys.modules)

asyncio.run(main(*sys.argv[2:]))
"""
# click and what asyncio is made of are the program's, not the token's.
OF_A_COMMAND = {"uuid"}
OF_ASYNCIO = {"ssl"}


@pytest.fixture
def filled(stand: Stand, tmp_path: Path) -> str:
    """A folder of sealed files that has the token."""
    folder = str(tmp_path / "tokens")
    with stand.sync(cache=f"file:{folder}") as credential:
        credential.get_token(SCOPE)
    assert len(stand.endpoint.seen) == 1
    return folder


def run(*arguments: str, environment: dict[str, str] | None = None) -> list[str]:
    """Return the words a process prints: the token, and the modules it has imported."""
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def not_needed(modules: list[str]) -> set[str]:
    return {name for name in modules for each in NOT_NEEDED if name == each or name.startswith(f"{each}.")}


@pytest.mark.parametrize(("program", "of_the_program"), [(IN_A_PROGRAM, set()), (AWAITED, OF_ASYNCIO)])
def test_a_second_process_imports_nothing_that_only_a_request_needs(
    stand: Stand, filled: str, program: str, of_the_program: set[str]
) -> None:
    # Nobody vouches for this authority, and nobody has to: a token from the cache proves nothing to it.
    where = (stand.endpoint.authority, stand.ca, filled)
    token, *modules = run("-c", program, SCOPE, TENANT, CLIENT, str(stand.certificate), *where)
    assert token.startswith("token-1")
    assert not_needed(modules) <= of_the_program
    assert len(stand.endpoint.seen) == 1, "no request"


def test_a_second_azcert_token_imports_nothing_that_only_a_request_needs(stand: Stand, filled: str) -> None:
    program = (
        "import atexit, sys\n"
        "from azcert.cli.main import main\n"
        "atexit.register(lambda: print(*sys.modules))\n"
        "main(sys.argv[1:])\n"
    )
    arguments = ["--scope", SCOPE, "--tenant", TENANT, "--client-id", CLIENT]
    arguments += ["--certificate", str(stand.certificate), "--authority", stand.endpoint.authority]
    cache = {"AZCERT_TOKEN_CACHE": f"file:{filled}"}
    token, *modules = run("-c", program, "token", *arguments, environment=cache)
    assert token.startswith("token-1")
    assert not_needed(modules) <= OF_A_COMMAND
    assert len(stand.endpoint.seen) == 1, "no request"


def test_the_list_names_what_a_request_imports(stand: Stand, tmp_path: Path) -> None:
    """A name that was moved would make the tests above pass for nothing."""
    program = IN_A_PROGRAM.replace("cache=", "disable_instance_discovery=True, cache=")
    where = (stand.endpoint.authority, stand.ca, str(tmp_path / "tokens"))
    token, *modules = run("-c", program, SCOPE, TENANT, CLIENT, str(stand.certificate), *where)
    assert token.startswith("token-1")
    assert {
        "azcert.credential.assertions",
        "azcert.credential.backoff",
        "azcert.credential.endpoint",
        "azcert.entra.aadsts",
        "azcert.entra.assertion",
        "azcert.entra.exchange",
        "azcert.wire.pipeline",
        "azure.core",
        "email.message",
        "http.client",
        "requests",
        "ssl",
        "typing_extensions",
        "urllib3",
        "uuid",
        "xml.etree.ElementTree",
    } <= set(modules)
    from importlib.util import find_spec

    assert [name for name in NOT_NEEDED if find_spec(name) is None] == []


def test_tokens_made_before_azure_core_is_imported_are_azure_cores_afterwards() -> None:
    program = """
import sys
from azcert.credential.tokens import Slot
slot = Slot("secret", expires_on=20, refresh_on=10)
assert "azure" not in sys.modules
assert isinstance(slot.token, tuple) and "secret" not in repr(slot.token) + repr(slot.info)
from azure.core.credentials import AccessToken, AccessTokenInfo
assert isinstance(slot.token, AccessToken) and not isinstance(slot.token, AccessTokenInfo)
assert isinstance(slot.info, AccessTokenInfo) and not isinstance(slot.info, AccessToken)
assert slot.token == AccessToken("secret", 20) and hash(slot.token) == hash(AccessToken("secret", 20))
match slot.token:
    case AccessToken(text, expires_on=20):
        print(text)
"""
    assert run("-c", program) == ["secret"]


def again(one: object, protocol: int) -> object:
    return pickle.loads(pickle.dumps(one, protocol))  # noqa: S301 - made right here


@pytest.mark.parametrize("twin", [copy.copy, copy.deepcopy, *(partial(again, protocol=n) for n in range(6))])
def test_tokens_can_be_copied_and_sent_to_another_process(twin: Callable[[object], object]) -> None:
    token, info = QuietToken("secret", 20), QuietTokenInfo("secret", 20, "Bearer", 10)
    assert twin(token) == token
    assert type(twin(token)) is QuietToken
    other = twin(info)
    assert type(other) is QuietTokenInfo
    assert (other.token, other.expires_on, other.token_type, other.refresh_on) == ("secret", 20, "Bearer", 10)


def test_token_types_have_the_fields_of_azure_cores() -> None:
    from azure.core.credentials import AccessToken, AccessTokenInfo

    assert QuietToken._fields == AccessToken._fields
    assert set(QuietTokenInfo.__slots__) == set(vars(AccessTokenInfo("", 0)))
