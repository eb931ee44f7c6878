"""The emulated vault's keys, through Microsoft's client and at its edges."""

from __future__ import annotations

import base64
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import EnvironmentCredential
from azure.keyvault.keys import JsonWebKey, KeyClient
from azure.keyvault.keys.crypto import SignatureAlgorithm
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils

from azcert.emulator.ready_made import SERVICE_PRINCIPAL_ID, VAULT
from support.emulated import Emulated, rsa_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azure.keyvault.keys import KeyVaultKey

    from azcert.emulator.fixture import AzcertEmulator

DIGEST = hashlib.sha256(b"header.payload").digest()


@pytest.fixture
def client(azcert_environment: AzcertEmulator) -> Iterator[KeyClient]:
    put = azcert_environment.world.documents.put
    put("role", f"{VAULT}/{SERVICE_PRINCIPAL_ID}", ["Key Vault Crypto Officer"])
    with EnvironmentCredential() as credential, KeyClient(azcert_environment.vault_url, credential) as opened:
        yield opened


def member(key: KeyVaultKey, name: str) -> Any:
    """Return a member of a JSON Web Key, which Microsoft's class makes at run time."""
    return getattr(key.key, name)


def public(key: KeyVaultKey) -> rsa.RSAPublicKey:
    e, n = (int.from_bytes(member(key, name), "big") for name in ("e", "n"))
    return rsa.RSAPublicNumbers(e, n).public_key()


@pytest.mark.parametrize(
    ("algorithm", "digest"),
    [
        (SignatureAlgorithm.ps256, hashes.SHA256()),
        (SignatureAlgorithm.ps384, hashes.SHA384()),
        (SignatureAlgorithm.ps512, hashes.SHA512()),
        (SignatureAlgorithm.rs256, hashes.SHA256()),
        (SignatureAlgorithm.rs512, hashes.SHA512()),
    ],
)
def test_a_signature_made_inside_verifies_outside(
    client: KeyClient, algorithm: SignatureAlgorithm, digest: hashes.HashAlgorithm
) -> None:
    key = client.create_rsa_key("signer", size=2048)
    data = hashlib.new(digest.name, b"header.payload").digest()
    crypto = client.get_cryptography_client("signer")
    done = crypto.sign(algorithm, data)
    assert done.key_id == key.id
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if algorithm.value.startswith("PS"):
        # RFC 7518, 3.5: the salt is as long as the hash.
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size)
    public(key).verify(done.signature, data, scheme, utils.Prehashed(digest))
    with pytest.raises(InvalidSignature):
        public(key).verify(
            done.signature, hashlib.new(digest.name, b"other").digest(), scheme, utils.Prehashed(digest)
        )


def test_the_private_half_is_in_no_answer(client: KeyClient) -> None:
    key = client.create_rsa_key("closed", size=2048)
    for found in (key, client.get_key("closed"), client.update_key_properties("closed", tags={"a": "b"})):
        assert [member(found, name) for name in ("d", "p", "q")] == [None, None, None]
    blob = client.backup_key("closed")
    assert b"PRIVATE" not in base64.urlsafe_b64decode(blob + b"==")


def test_an_imported_key_signs_as_itself(client: KeyClient) -> None:
    own = rsa_key()
    numbers = own.private_numbers()

    def octets(value: int) -> bytes:
        return value.to_bytes((value.bit_length() + 7) // 8, "big")

    jwk = JsonWebKey(
        kty="RSA",
        n=octets(numbers.public_numbers.n),
        e=octets(numbers.public_numbers.e),
        d=octets(numbers.d),
        p=octets(numbers.p),
        q=octets(numbers.q),
        dp=octets(numbers.dmp1),
        dq=octets(numbers.dmq1),
        qi=octets(numbers.iqmp),
    )
    client.import_key("imported", jwk)
    signature = client.get_cryptography_client("imported").sign(SignatureAlgorithm.rs256, DIGEST).signature
    own.public_key().verify(signature, DIGEST, padding.PKCS1v15(), utils.Prehashed(hashes.SHA256()))


def test_a_key_lives_as_a_secret_does(client: KeyClient) -> None:
    first = client.create_rsa_key("k", size=2048)
    second = client.rotate_key("k")
    assert first.id != second.id
    assert {item.version for item in client.list_properties_of_key_versions("k")} == {
        first.properties.version,
        second.properties.version,
    }
    blob = client.backup_key("k")
    client.begin_delete_key("k").result()
    with pytest.raises(ResourceNotFoundError):
        client.get_key("k")
    assert [key.name for key in client.list_deleted_keys()] == ["k"]
    client.begin_recover_deleted_key("k").wait()
    assert client.get_key("k").id == second.id
    client.begin_delete_key("k").wait()
    client.purge_deleted_key("k")
    assert client.restore_key_backup(blob).id == second.id
    assert [key.name for key in client.list_properties_of_keys()] == ["k"]


@pytest.fixture
def emulated() -> Emulated:
    return Emulated()


def code(answer: Any) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], (error.get("innererror") or {}).get("code")


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def make(emulated: Emulated, **body: Any) -> None:
    assert emulated.vault("POST", "/keys/k/create", {"kty": "EC", **body}).status_code == 200


def sign(emulated: Emulated, **body: Any) -> Any:
    return emulated.vault("POST", "/keys/k/sign", {"alg": "ES256", "value": b64(DIGEST), **body})


def test_a_key_signs_only_what_and_when_it_may(emulated: Emulated) -> None:
    make(emulated, key_ops=["verify"])
    assert code(sign(emulated)) == (403, "Forbidden", "KeyOperationForbidden")
    make(emulated, attributes={"enabled": False})
    assert code(sign(emulated)) == (403, "Forbidden", "KeyDisabled")
    make(emulated, attributes={"exp": 5})
    assert code(sign(emulated)) == (403, "Forbidden", "KeyNotInValidTime")
    make(emulated, attributes={"nbf": 4_000_000_000})
    assert code(sign(emulated)) == (403, "Forbidden", "KeyNotInValidTime")


@pytest.mark.parametrize(
    "body",
    [
        {"alg": "RS256"},
        {"alg": "ES384"},
        {"alg": "none"},
        {"alg": None},
        {"value": "AAAA"},
        {"value": None},
        {"value": "%"},
    ],
)
def test_a_wrong_algorithm_or_digest_is_a_bad_parameter(emulated: Emulated, body: dict[str, Any]) -> None:
    make(emulated)
    assert code(sign(emulated, **body)) == (400, "BadParameter", None)


@pytest.mark.parametrize(
    "body",
    [
        {"kty": "RSA", "key_size": 1024},
        {"kty": "oct"},
        {"crv": "P-1"},
        {"kty": None},
        {"key_ops": ["fly"]},
        {"key_ops": "sign"},
    ],
)
def test_a_key_of_another_kind_is_not_made(emulated: Emulated, body: dict[str, Any]) -> None:
    answer = emulated.vault("POST", "/keys/k/create", {"kty": "EC", **body})
    assert code(answer) == (400, "BadParameter", None)


@pytest.mark.parametrize(
    ("curve", "algorithm", "digest"),
    [
        ("P-256", "ES256", "sha256"),
        ("P-384", "ES384", "sha384"),
        ("P-521", "ES512", "sha512"),
        ("P-256K", "ES256K", "sha256"),
    ],
)
def test_elliptic_keys_sign_with_their_own_algorithm(
    emulated: Emulated, curve: str, algorithm: str, digest: str
) -> None:
    make(emulated, crv=curve)
    data = b64(hashlib.new(digest, b"x").digest())
    value = sign(emulated, alg=algorithm, value=data).json()["value"]
    check = {"alg": algorithm, "digest": data, "value": value}
    assert emulated.vault("POST", "/keys/k/verify", check).json() == {"value": True}
    check["value"] = ("A" if value[0] != "A" else "B") + value[1:]
    assert emulated.vault("POST", "/keys/k/verify", check).json() == {"value": False}
    check["value"] = "AAAA"
    assert emulated.vault("POST", "/keys/k/verify", check).json() == {"value": False}


def test_a_crypto_user_signs_but_makes_no_keys(emulated: Emulated) -> None:
    make(emulated)
    emulated.grant("Key Vault Crypto User")
    assert sign(emulated).status_code == 200
    assert code(emulated.vault("POST", "/keys/n/create", {"kty": "EC"})) == (
        403,
        "Forbidden",
        "ForbiddenByRbac",
    )
    emulated.grant("Key Vault Secrets Officer")
    assert code(sign(emulated))[2] == "ForbiddenByRbac"


def test_garbage_is_not_imported(emulated: Emulated) -> None:
    numbers = ec.generate_private_key(ec.SECP256R1()).private_numbers()
    point = {
        "kty": "EC",
        "crv": "P-256",
        "x": b64(numbers.public_numbers.x.to_bytes(32, "big")),
        "y": b64(numbers.public_numbers.y.to_bytes(32, "big")),
    }
    good = {**point, "d": b64(numbers.private_value.to_bytes(32, "big"))}
    assert emulated.vault("PUT", "/keys/k", {"key": good}).status_code == 200
    rsa_only = {"kty": "RSA", "n": "AQAB", "e": "AQAB", "d": "AQAB"}
    bad: list[Any] = [None, [], {}, point, {**good, "d": "AQAB"}, {**good, "x": "AQAB"}, rsa_only]
    for key in [*bad, {"kty": "oct", "k": "AA"}]:
        assert code(emulated.vault("PUT", "/keys/k", {"key": key})) == (400, "BadParameter", None), key


def test_an_unknown_key_is_not_found(client: KeyClient) -> None:
    with pytest.raises(HttpResponseError) as caught:
        client.get_key("none")
    assert caught.value.status_code == 404
