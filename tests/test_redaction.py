"""Nothing public shows a secret, however it is printed."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from azure.keyvault.secrets import SecretClient
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import load_key_and_certificates

import azcert
import azcert.aio
from azcert._redact import Secret
from azcert.emulator.ready_made import SECRET_VALUE
from azcert.sources.open import open_source
from support.command import azcert as command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator

PASSWORD = "correct-horse-battery"
SEALING_KEY = bytes(range(100, 132))
SCOPE = "https://vault.azure.net/.default"
WAYS: list[Callable[[object], str]] = [
    str,
    repr,
    format,
    lambda shown: repr(getattr(shown, "__dict__", "")),
    lambda shown: repr([getattr(shown, name, "") for name in getattr(type(shown), "__slots__", ())]),
]


class Used:
    """Every public object, used so that it holds what it can hold; and the secrets it then knows."""

    def __init__(self, emulator: AzcertEmulator, folder: Path) -> None:
        path = folder / "app.pfx"
        converted = command(
            "convert",
            emulator.certificate_path,
            path,
            "--new-password-env",
            "PASSWORD_OF_THE_COPY",
            environment={"PASSWORD_OF_THE_COPY": PASSWORD},
        )
        assert converted.returncode == 0, converted.stderr
        ids = (emulator.tenant_id, emulator.client_id)
        seen: list[azcert.Event] = []
        cache = azcert.MemoryCache()
        credential = azcert.CertificateCredential(
            *ids, path, password=PASSWORD, cache=cache, on_event=seen.append
        )
        policy = azcert.SecretCachePolicy()
        client = SecretClient(emulator.vault_url, credential, per_call_policies=[policy])
        assert client.get_secret("myTestSecret1").value == SECRET_VALUE
        token = credential.get_token(SCOPE)
        info = credential.get_token_info(SCOPE)
        default = azcert.DefaultCredential()
        default.get_token(SCOPE)
        source = open_source(path, password=Secret(PASSWORD))
        loaded = source.load()
        section = {"tenantId": ids[0], "clientId": ids[1], "certificate": str(path), "password": PASSWORD}
        clients = azcert.AzureClients.from_settings({"KeyVault": {"vaultUri": emulator.vault_url, **section}})
        keys = azcert.ConfiguredKeys(SEALING_KEY)
        counters = azcert.Counters()
        for event in seen:
            counters(event)
        self.objects: dict[str, object] = {
            "Algorithm": azcert.Algorithm.PS256,
            "AzureClients": clients,
            "CacheRules": azcert.CacheRules(),
            "Certificate": loaded.certificate,
            "CertificateCredential": credential,
            "ConfiguredKeys": keys,
            "Counters": counters,
            "DefaultCredential": default,
            "Event": seen[0],
            "EventKind": seen[0].kind,
            # Not every machine has a keyring; its keys are `SealingKey` as those of the others.
            "KeyringKeys": keys.key_for(""),
            "MemoryCache": cache,
            "RedisCache": azcert.RedisCache(f"redis://azcert:{PASSWORD}@localhost:1/0", keys),
            "SealedFileCache": azcert.SealedFileCache(keys, folder=folder / "tokens"),
            "SecretCachePolicy": policy,
            "SignatureKeys": azcert.SignatureKeys(source),
            "Signer": loaded.signer,
            "SigningCertificate": loaded,
            "Source": source,
            "TokenCache": cache,
            "open_source": source,
            "parse_source": azcert.parse_source(f"file:{path}?password-env=PASSWORD_OF_THE_COPY"),
        }
        self.more = [token, info, source, Secret(PASSWORD)]
        self.secrets = {PASSWORD, token.token, token.token.split(".")[2], SECRET_VALUE, *_key_texts(path)}
        self.secrets |= {repr(SEALING_KEY)[2:20], SEALING_KEY.hex()}
        self._open = (client, credential, default, clients, source)

    def close(self) -> None:
        for each in self._open:
            each.close()


def _key_texts(path: Path) -> Iterator[str]:
    """Ways in which the private key, or its secret exponent, could be printed."""
    key = load_key_and_certificates(path.read_bytes(), PASSWORD.encode())[0]
    assert isinstance(key, RSAPrivateKey)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    exponent = key.private_numbers().d
    yield from ("PRIVATE KEY", base64.b64encode(der)[60:120].decode(), repr(der)[60:120])
    yield from (str(exponent), f"{exponent:x}")


@pytest.fixture
def used(azcert_environment: AzcertEmulator, tmp_path: Path) -> Iterator[Used]:
    made = Used(azcert_environment, tmp_path)
    yield made
    made.close()


def test_every_public_object_is_among_the_printed_ones(used: Used) -> None:
    errors = {
        name
        for name in azcert.__all__
        if isinstance(found := getattr(azcert, name), type) and issubclass(found, azcert.AzcertError)
    }
    assert set(used.objects) | errors == set(azcert.__all__)


def test_no_way_of_printing_shows_a_secret(used: Used) -> None:
    for shown in [*used.objects.values(), *used.more]:
        for way in WAYS:
            if shown in used.more and way in WAYS[3:]:
                continue  # the token itself, and what `reveal` gives, are there for those who ask
            text = way(shown)
            found = [secret for secret in used.secrets if secret in text]
            assert not found, f"{type(shown).__name__} shows {len(found)} of its secrets"


async def test_neither_do_the_asynchronous_ones(azcert_environment: AzcertEmulator, used: Used) -> None:
    path = azcert_environment.certificate_path
    ids = (azcert_environment.tenant_id, azcert_environment.client_id)
    async with (
        azcert.aio.CertificateCredential(*ids, path) as credential,
        azcert.aio.DefaultCredential() as default,
    ):
        tokens = [(await each.get_token(SCOPE)).token for each in (credential, default)]
        for shown in (credential, default, azcert.aio.SecretCachePolicy()):
            for way in WAYS:
                text = way(shown)
                assert not [secret for secret in (*tokens, *used.secrets) if secret in text]
